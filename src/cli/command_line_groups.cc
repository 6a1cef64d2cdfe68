#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command_line.h"
#include "cli/command_line_options.h"
#include "cli/group_commands.h"
#include "cli/group_seek.h"
#include "cli/start_position.h"

namespace pyralog::cli {
namespace {

using Kind = SeekTarget::Kind;

void add_queries(CLI::App& group, Action& action) {
  auto list = std::make_shared<ListGroups>();
  CLI::App* list_app = add_command(group, action, list, &list_groups, "list", "All groups");
  add_output_format(*list_app, list->format);

  auto describe = std::make_shared<DescribeGroup>();
  CLI::App* describe_app = add_command(group, action, describe, &describe_group, "describe",
                                       "Members, what they own, how far they are, what keeps them from going on");
  add_output_format(*describe_app, describe->format);
  describe_app->add_option("group", describe->name, "The group's id")->required()->type_name("GROUP");

  auto remove = std::make_shared<DeleteGroups>();
  CLI::App* remove_app =
      add_command(group, action, remove, &delete_groups, "delete", "Delete groups without members, and their offsets");
  remove_app->add_option("group", remove->names, "The groups' ids")->required()->type_name("GROUP");
}

/// Exactly one of these is needed.
void add_targets(CLI::App& seek, const std::shared_ptr<SeekGroup>& command) {
  CLI::Option_group* targets = seek.add_option_group("Where to");
  targets->add_flag_callback("--to-start", [command] { command->target = SeekTarget{.kind = Kind::kStart}; },
                             "The oldest record that there is");
  targets->add_flag_callback("--to-end", [command] { command->target = SeekTarget{.kind = Kind::kEnd}; },
                             "What is written from now on");
  targets
      ->add_option_function<std::string>(
          "--to-time",
          [command](const std::string& text) {
            command->target = SeekTarget{.kind = Kind::kTime, .value = parsed(parse_time_ms(text), "--to-time")};
          },
          "The first record at or after this: milliseconds since 1970, or 2024-05-01T12:30:15Z")
      ->type_name("TIME");
  targets
      ->add_option_function<std::int64_t>(
          "--to-offset",
          [command](std::int64_t offset) { command->target = SeekTarget{.kind = Kind::kOffset, .value = offset}; },
          "This offset, or the nearest that there is")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  targets
      ->add_option_function<std::int64_t>(
          "--shift",
          [command](std::int64_t records) { command->target = SeekTarget{.kind = Kind::kShift, .value = records}; },
          "So many records further, or back if negative")
      ->type_name("N");
  targets->require_option(1);
}

void add_seek(CLI::App& group, Action& action) {
  auto command = std::make_shared<SeekGroup>();
  CLI::App* seek = add_command(group, action, command, &seek_group, "seek",
                               "Choose where a group goes on: shows what would change, and changes it with --execute");
  add_output_format(*seek, command->format);
  seek->add_option("group", command->name, "The group's id")->required()->type_name("GROUP");
  add_targets(*seek, command);
  const char* logs_help = "Only this log, all of its partitions; may be repeated (default: those it has committed to)";
  CLI::Option* logs = seek->add_option("--log", command->logs, logs_help)->type_name("LOG")->allow_extra_args(false);
  seek->add_option("--partition", command->partitions, "Only this partition of the log; may be repeated")
      ->allow_extra_args(false)
      ->check(CLI::NonNegativeNumber)
      ->needs(logs);
  seek->add_flag_callback("--execute", [command] { command->mode = SeekMode::kExecute; }, "Do it");
  seek->add_flag_callback("--force", [command] { command->members = MemberTreatment::kRemove; },
                          "Remove the group's members first; those that run join again and go on from there");
  seek->callback([command, &action] {
    if (!command->partitions.empty() && command->logs.size() != 1) {
      throw CLI::ValidationError("--partition", "goes with exactly one --log");
    }
    action = [command] { return seek_group(*command); };
  });
}

}  // namespace

void add_group_commands(CLI::App& app, Action& action) {
  CLI::App* group = app.add_subcommand("group", "Look at consumer groups and choose where they go on");
  group->require_subcommand(1);
  add_queries(*group, action);
  add_seek(*group, action);
}

}  // namespace pyralog::cli
