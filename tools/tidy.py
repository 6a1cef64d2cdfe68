#!/usr/bin/env python3
"""Checks the style rules that a program can check. Run as a test.

Each rule yields (file, line, message). tools/tidy-exceptions.txt lists what is tolerated, one "rule file" a line; the list
may only shrink: an exception that no longer applies is an error too.
"""
import pathlib
import re
import subprocess
import sys

FUNCTION_LINES_MAX = 70
SOURCE_LINES_MAX = 600
HEADER_LINES_MAX = 250
LINE_CHARACTERS_MAX = 128
IO_ONLY = re.compile(r"^\s*#\s*include\s*<(sys/(socket|epoll|uio|stat|statvfs|file|mman|sendfile|eventfd|timerfd|signalfd)\.h"
                     r"|unistd\.h|fcntl\.h|liburing\.h|netdb\.h|netinet/.*|arpa/.*|poll\.h|boost/asio.*)>")
CLOCKS = re.compile(r"(steady_clock|system_clock|high_resolution_clock)::now|clock_gettime|gettimeofday|\btime\(nullptr\)"
                    r"|std::random_device|\brand\(\)")
SLEEPS = re.compile(r"sleep_for\s*\(\s*std::chrono|std::this_thread::sleep|\busleep\(|\bsleep\(")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|GTEST_SKIP|DISABLED_")
EXTERNAL_WORLD = ("src/io/", "src/cli/", "bench/", "tests/")


def tracked_files(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True,
                            check=True)
    return [line for line in listed.stdout.splitlines() if (pathlib.Path(root) / line).is_file()]


def check_lengths(path, lines):
    limit = HEADER_LINES_MAX if path.endswith(".h") else SOURCE_LINES_MAX
    if len(lines) > limit:
        yield "file-length", len(lines), f"{len(lines)} lines; the limit is {limit}"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_CHARACTERS_MAX:
            yield "line-length", number, f"{len(line)} characters; the limit is {LINE_CHARACTERS_MAX}"


def check_functions(path, lines):
    """A function body is a block opened by a line at column 0 (or indented in a class) and closed at the same indent."""
    if not path.endswith(".cc"):
        return
    start = None
    for number, line in enumerate(lines, 1):
        if start is None:
            if line and not line[0].isspace() and line.endswith("{") and "(" in line and not line.startswith(
                    ("namespace", "struct", "class", "enum", "extern", "#")):
                start = number
            elif line.endswith(") {") and line.startswith("    ") and start is None:
                continue
        elif line.startswith("}"):
            if number - start - 1 > FUNCTION_LINES_MAX:
                yield "function-length", start, f"{number - start - 1} lines; the limit is {FUNCTION_LINES_MAX}"
            start = None


def check_patterns(path, lines):
    world = path.startswith(EXTERNAL_WORLD)
    test = path.endswith(("_test.cc", "_bench.cc", "_fuzz.cc"))
    for number, line in enumerate(lines, 1):
        code = line.split("//", 1)[0]
        if not world and not test and IO_ONLY.search(line):
            yield "world-outside-io", number, "system and network headers belong to src/io"
        if not world and not test and CLOCKS.search(code):
            yield "hidden-clock", number, "time and randomness come from the reactor"
        if test and SLEEPS.search(code):
            yield "sleeping-test", number, "wait for the event itself, with a bound"
        if UNFINISHED.search(line):
            yield "unfinished", number, "open work is listed in docs/, not in the code"
    if path.endswith(".h") and path.startswith("src/") and not path.endswith(".def"):
        if not lines or lines[0] != "#pragma once":
            yield "pragma-once", 1, "a header starts with #pragma once"
    if lines and lines[-1].strip() == "":
        yield "end-of-file", len(lines), "blank line at the end"


def check_names(path):
    name = pathlib.PurePath(path).name
    if path.startswith("src/") and name != "CMakeLists.txt" and name != "README.md" and "/testdata/" not in path:
        if not re.fullmatch(r"[a-z0-9_]+\.(h|cc|def|md)", name):
            yield "file-name", 1, "files are snake_case"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    exceptions_file = pathlib.Path(root) / "tools/tidy-exceptions.txt"
    exceptions = set()
    if exceptions_file.exists():
        exceptions = {line.strip() for line in exceptions_file.read_text().splitlines()
                      if line.strip() and not line.startswith("#")}
    used, failures = set(), []
    for path in tracked_files(root):
        if not path.endswith((".h", ".cc", ".def")) or not path.startswith(("src/", "bench/", "tests/", "tools/")):
            continue
        lines = (pathlib.Path(root) / path).read_text(encoding="utf-8").splitlines()
        for check in (check_lengths, check_functions, check_patterns):
            for rule, number, message in check(path, lines):
                failures.append((rule, path, number, message))
        for rule, number, message in check_names(path):
            failures.append((rule, path, number, message))
    shown = 0
    for rule, path, number, message in failures:
        key = f"{rule} {path}"
        if key in exceptions:
            used.add(key)
            continue
        shown += 1
        print(f"{path}:{number}: {rule}: {message}")
    for stale in sorted(exceptions - used):
        shown += 1
        print(f"tools/tidy-exceptions.txt: no longer needed: {stale}")
    return 1 if shown else 0


sys.exit(main())
