#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "cli/cluster_commands.h"
#include "cli/command_line.h"
#include "cli/command_line_options.h"
#include "cli/consume_command.h"
#include "cli/file_commands.h"
#include "cli/log_commands.h"
#include "cli/produce_command.h"

namespace pyralog::cli {
namespace {

void add_log_queries(CLI::App& log, Action& action) {
  auto list = std::make_shared<ListLogs>();
  CLI::App* list_app = add_command(log, action, list, &list_logs, "list", "All logs");
  add_output_format(*list_app, list->format);
  list_app->add_flag("--internal", list->internal, "Also those that the server keeps for itself");

  auto describe = std::make_shared<DescribeLog>();
  CLI::App* describe_app =
      add_command(log, action, describe, &describe_log, "describe", "Partitions, offsets, sizes, settings");
  add_output_format(*describe_app, describe->format);
  describe_app->add_option("log", describe->name, "The log's name")->required()->type_name("LOG");
  describe_app->add_flag("--all", describe->all_settings, "Also settings that have their default");
}

void add_log_changes(CLI::App& log, Action& action) {
  auto create = std::make_shared<CreateLog>();
  CLI::App* create_app = add_command(log, action, create, &create_log, "create", "Create a log");
  create_app->add_option("log", create->name, "The log's name")->required()->type_name("LOG");
  create_app->add_option("--partitions", create->partitions, "Partitions (default: the server's)")
      ->check(CLI::PositiveNumber);
  create_app->add_option("--replication", create->replication, "Copies (default: the server's)")
      ->check(CLI::PositiveNumber);
  add_settings(*create_app, "--set", create->settings, "A property of the log; may be repeated");
  create_app->add_flag("--if-absent", create->if_absent, "Succeed when it is there already");

  auto alter = std::make_shared<AlterLog>();
  CLI::App* alter_app = add_command(log, action, alter, &alter_log, "alter", "Change a log");
  alter_app->add_option("log", alter->name, "The log's name")->required()->type_name("LOG");
  add_settings(*alter_app, "--set", alter->set, "A property of the log; may be repeated");
  alter_app->add_option("--unset", alter->unset, "A property that goes back to its default; may be repeated")
      ->type_name("KEY")
      ->allow_extra_args(false);
  alter_app->add_option("--partitions", alter->partitions, "Partitions, with those that exist")->check(CLI::PositiveNumber);
  alter_app->callback([alter, &action] {
    if (alter->set.empty() && alter->unset.empty() && !alter->partitions.has_value()) {
      throw CLI::ValidationError("log alter", "nothing to change: --set, --unset or --partitions is needed");
    }
    action = [alter] { return alter_log(*alter); };
  });

  auto remove = std::make_shared<DeleteLogs>();
  CLI::App* remove_app = add_command(log, action, remove, &delete_logs, "delete", "Delete logs with all their records");
  remove_app->add_option("log", remove->names, "The logs' names")->required()->type_name("LOG");

  auto records = std::make_shared<DeleteRecords>();
  CLI::App* records_app = add_command(log, action, records, &delete_records, "delete-records", "Delete the oldest records");
  add_output_format(*records_app, records->format);
  records_app->add_option("log", records->name, "The log's name")->required()->type_name("LOG");
  records_app->add_option("--partition", records->partition, "Only of this partition")->check(CLI::NonNegativeNumber);
  records_app
      ->add_option_function<std::string>(
          "--before",
          [records](const std::string& text) {
            const StartPosition position = parsed(StartPosition::parse(text), "--before");
            if (position.kind != StartPosition::Kind::kOffset && position.kind != StartPosition::Kind::kEnd) {
              throw CLI::ValidationError("--before", text + ": an offset or end is expected");
            }
            records->before = position.kind == StartPosition::Kind::kEnd ? -1 : position.value;
          },
          "The first offset to be kept, or end")
      ->required()
      ->type_name("OFFSET");
}

void add_log_files(CLI::App& log, Action& action) {
  auto check = std::make_shared<CheckFiles>();
  CLI::App* check_app = log.add_subcommand("check", "Check the files of a node that does not run");
  check_app->add_option("path", check->paths, "Directories of data, of a log or of a partition")
      ->required()
      ->type_name("DIR");
  add_output_format(*check_app, check->format);
  check_app->callback([check, &action] { action = [check] { return check_files(*check); }; });

  auto dump = std::make_shared<DumpFiles>();
  CLI::App* dump_app = log.add_subcommand("dump", "Print the files of a node that does not run");
  dump_app->add_option("path", dump->path, "Directory of data, of a log or of a partition")->required()->type_name("DIR");
  dump_app->add_flag("--records", dump->records, "A line per record, not only per batch");
  dump_app->add_option("--from", dump->begin, "First offset")->check(CLI::NonNegativeNumber);
  dump_app->add_option("--to", dump->end, "Offset to stop before")->check(CLI::NonNegativeNumber);
  dump_app->add_option("--field-bytes", dump->field_bytes_max, "How much of a key, value or header is shown")
      ->capture_default_str();
  dump_app->callback([dump, &action] { action = [dump] { return dump_files(*dump); }; });
}

void add_produce(CLI::App& app, Action& action) {
  auto command = std::make_shared<ProduceCommand>();
  CLI::App* produce = add_command(app, action, command, &run_produce, "produce", "Append records to a log, one a line");
  produce->add_option("log", command->log, "The log's name")->required()->type_name("LOG");
  produce->add_option("--file", command->file, "Read this file instead of standard input")->type_name("FILE");
  add_escaped(*produce, "--delimiter", command->delimiter, "What ends a record (default: \\n)");
  produce
      ->add_option_function<std::string>(
          "--key-separator",
          [command](const std::string& text) { command->key_separator = parsed(unescape(text), "--key-separator"); },
          "What lies before it in a record becomes the key")
      ->type_name("TEXT");
  produce->add_option("--partition", command->partition, "Send everything here (default: by key, else in turn)")
      ->check(CLI::NonNegativeNumber);
  add_settings(*produce, "--header", command->headers, "A header of every record; may be repeated");
  add_codec(*produce, command->producer.codec);
  add_acks(*produce, command->producer.acks);
  produce->add_flag("!--no-idempotence", command->producer.idempotent, "Allow that a retry stores a record twice");
  produce->add_option("--batch-bytes", command->producer.batch_bytes_max, "Largest batch, before compression")
      ->capture_default_str()
      ->check(CLI::Range(1024, 15 << 20));
  produce
      ->add_option_function<std::int64_t>(
          "--linger-ms", [command](std::int64_t ms) { command->producer.linger = std::chrono::milliseconds(ms); },
          "How long a batch waits for more records (default: 5)")
      ->check(CLI::Range(0, 60'000));
}

void add_consume(CLI::App& app, Action& action) {
  auto command = std::make_shared<ConsumeCommand>();
  command->format = RecordFormat::parse("%v\\n").value();
  CLI::App* consume = add_command(app, action, command, &run_consume, "consume", "Print the records of a log");
  consume->add_option("log", command->log, "The log's name")->required()->type_name("LOG");
  consume->add_option("--partition", command->partitions, "Only this partition; may be repeated")
      ->allow_extra_args(false)
      ->check(CLI::NonNegativeNumber);
  consume
      ->add_option_function<std::string>(
          "--from", [command](const std::string& text) { command->from = parsed(StartPosition::parse(text), "--from"); },
          "start, end, an offset, -N before the end, or @TIME (default: start)")
      ->type_name("WHERE");
  consume->add_option("--count", command->count, "Stop after so many records");
  consume->add_flag("--follow,-f", command->follow, "Go on at the end instead of stopping there");
  consume
      ->add_option_function<std::string>(
          "--format",
          [command](const std::string& text) { command->format = parsed(RecordFormat::parse(text), "--format"); },
          "%k key, %v value, %o offset, %p partition, %t timestamp, %T time, %h headers, %l log (default: %v\\n)")
      ->type_name("TEXT");
  const std::map<std::string, RecordOutput> outputs{
      {"text", RecordOutput::kText}, {"raw", RecordOutput::kRaw}, {"json", RecordOutput::kJson}};
  add_choice(*consume, "-o,--output", command->output, outputs,
             "text (--format), raw (values only) or json (default: text)");
}

}  // namespace

void add_client_commands(CLI::App& app, Action& action) {
  CLI::App* log = app.add_subcommand("log", "Create, look at and change logs")->alias("topic");
  log->require_subcommand(1);
  add_log_queries(*log, action);
  add_log_changes(*log, action);
  add_log_files(*log, action);
  add_produce(app, action);
  add_consume(app, action);
  CLI::App* cluster = app.add_subcommand("cluster", "Look at a cluster");
  cluster->require_subcommand(1);
  auto status = std::make_shared<ClusterStatus>();
  CLI::App* status_app = add_command(*cluster, action, status, &show_cluster_status, "status", "Nodes and what they hold");
  add_output_format(*status_app, status->format);
}

}  // namespace pyralog::cli
