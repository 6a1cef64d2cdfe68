#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/command_line.h"
#include "cli/record_format.h"
#include "cli/session.h"
#include "cli/table.h"
#include "client/producer.h"

/// Options that several commands have. Included only by the sources that describe the command line: CLI11 is slow to
/// compile.
namespace pyralog::cli {

/// The value, or a usage error about `option`.
template <class T>
T parsed(Result<T> result, const char* option) {
  if (!result.ok()) throw CLI::ValidationError(option, result.error().detail());
  return std::move(result).value();
}

inline void add_bootstrap(CLI::App& app, SessionOptions& session) {
  app.add_option("--bootstrap,-b", session.bootstrap, "Where the cluster answers, comma separated")
      ->envname("PYRALOG_BOOTSTRAP")
      ->capture_default_str()
      ->type_name("HOST:PORT");
}

/// A subcommand whose options go into `command` and whose action is `execute`.
template <class Command>
CLI::App* add_command(CLI::App& parent, Action& action, const std::shared_ptr<Command>& command,
                      int (*execute)(const Command&), const char* name, const char* help) {
  CLI::App* app = parent.add_subcommand(name, help);
  add_bootstrap(*app, command->session);
  app->callback([command, execute, &action] { action = [command, execute] { return execute(*command); }; });
  return app;
}

/// One of a few words. `choices` is copied.
template <class T>
CLI::Option* add_choice(CLI::App& app, const char* flag, T& into, const std::map<std::string, T>& choices,
                        const char* help) {
  std::string words;
  for (const auto& [word, value] : choices) words += (words.empty() ? "" : "|") + word;
  return app
      .add_option_function<std::string>(
          flag,
          [&into, choices, flag](const std::string& word) {
            const auto choice = choices.find(word);
            if (choice == choices.end()) throw CLI::ValidationError(flag, word + " is not one of those known");
            into = choice->second;
          },
          help)
      ->type_name(words);
}

inline void add_output_format(CLI::App& app, OutputFormat& format) {
  add_choice(app, "-o,--output", format, {{"table", OutputFormat::kTable}, {"json", OutputFormat::kJson}},
             "How to print (default: table)");
}

/// KEY=VALUE, repeatable.
inline void add_settings(CLI::App& app, const char* flag, std::vector<std::pair<std::string, std::string>>& into,
                         const char* help) {
  app.add_option_function<std::vector<std::string>>(
         flag,
         [&into, flag](const std::vector<std::string>& settings) {
           for (const std::string& setting : settings) {
             const std::size_t equals = setting.find('=');
             if (equals == std::string::npos || equals == 0) {
               throw CLI::ValidationError(flag, setting + ": key=value is expected");
             }
             into.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
           }
         },
         help)
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

/// A text in which \n and the like stand for themselves; not empty.
inline void add_escaped(CLI::App& app, const char* flag, std::string& into, const char* help) {
  app.add_option_function<std::string>(
         flag,
         [&into, flag](const std::string& text) {
           into = parsed(unescape(text), flag);
           if (into.empty()) throw CLI::ValidationError(flag, "must not be empty");
         },
         help)
      ->type_name("TEXT");
}

inline void add_codec(CLI::App& app, record::Codec& codec) {
  using record::Codec;
  add_choice(app, "--codec", codec,
             {{"none", Codec::kNone},
              {"gzip", Codec::kGzip},
              {"snappy", Codec::kSnappy},
              {"lz4", Codec::kLz4},
              {"zstd", Codec::kZstd}},
             "Compression of batches (default: none)");
}

inline void add_acks(CLI::App& app, client::Acks& acks) {
  using client::Acks;
  add_choice(app, "--acks", acks, {{"all", Acks::kAll}, {"-1", Acks::kAll}, {"1", Acks::kLeader}, {"0", Acks::kNone}},
             "Who has a batch before it is acknowledged (default: all)");
}

}  // namespace pyralog::cli
