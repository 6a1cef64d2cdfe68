#include "cli/command_line.h"

int main(int argc, char** argv) { return pyralog::cli::run(argc, argv); }
