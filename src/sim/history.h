#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/time.h"
#include "sim/coverage.h"
#include "sim/values.h"

namespace pyralog::sim {

enum class Outcome : std::uint8_t {
  kUnknown,       ///< not answered, or answered without saying
  kAcknowledged,
  kRefused,       ///< certainly did not happen
};

/// One batch of consecutive values for one partition, as a client sent it, once or again.
struct Sending {
  std::size_t log = 0;
  PartitionIndex partition;
  ValueId first;
  std::uint32_t count = 1;
  std::string_view sender;    ///< what kind of client, for whoever reads about it
  std::uint32_t session = 0;  ///< sendings of one session to one partition keep their order
  MonotonicTime invoked{};
  MonotonicTime answered{};
  Outcome outcome = Outcome::kUnknown;
  std::optional<Offset> base;  ///< as acknowledged; some clients do not tell
  std::uint32_t life = 0;      ///< of the server that acknowledged
  std::uint32_t class_changes = 0;  ///< of its log, asked for when it was sent
  bool is_durable = false;     ///< acknowledged, and must not be lost
};

/// How much a log exists.
enum class Fate : std::uint8_t { kAsked, kThere, kDeletionAsked, kDeleted };

/// What clients do with a log.
enum class LogUse : std::uint8_t {
  kAny,
  kGroups,  ///< groups read it: nobody deletes its records or changes its class
  kKeyed,   ///< it is compacted: keyed_history.h judges it
};

/// What clients were told of a log.
struct LogFacts {
  std::string name;
  LogId id;
  Fate fate = Fate::kAsked;
  LogUse use = LogUse::kAny;
  bool may_be_cached = false;   ///< write.caching may be in force: what is acknowledged now is not durable
  bool was_cached = false;      ///< or may have been before: the log may have lost an end
  std::uint32_t class_changes = 0;  ///< asked for so far
  bool may_shrink = false;      ///< retention may delete records
  bool may_be_deleted = false;
  bool has_deleted_records = false;  ///< somebody asked for it
  std::int32_t partitions_min = 1, partitions_max = 1;
  /// What a setting was acknowledged to be, and what else was asked for without an answer, which may come to pass late.
  struct Setting {
    std::string acknowledged;
    std::set<std::string> unanswered;
  };
  std::map<std::string, Setting> settings;
};

/// Everything that clients did and saw in one run, judged by the rules of reliability.md §5 as far as they apply to one
/// node. The first broken rule is kept.
class History {
 public:
  explicit History(Coverage& coverage) : coverage_(coverage) {}

  void violate(std::string what);
  const std::optional<std::string>& violation() const noexcept { return violation_; }

  std::size_t add_log(LogFacts facts);
  LogFacts& log(std::size_t index) { return logs_[index]; }
  /// Somebody asks for a durability class, the log's own or the node's default.
  void ask_class(std::size_t log, bool is_cached);
  /// A change to the durable class, asked for at `asked`, is acknowledged, and no other may come to pass late. What the
  /// server acknowledged before that is durable too, if one life of it (`life`) has seen all of the change.
  void became_durable(std::size_t log, MonotonicTime asked, std::optional<std::uint32_t> life);
  /// write.caching for logs that have no setting of their own.
  LogFacts::Setting& class_default() noexcept { return class_default_; }
  std::size_t log_count() const noexcept { return logs_.size(); }

  ValueId take_values(std::uint32_t count);
  std::uint32_t new_session() { return ++sessions_; }
  std::size_t send(Sending sending);
  const Sending& sending(std::size_t index) const { return sendings_[index]; }
  void acknowledge(std::size_t index, std::optional<Offset> base, MonotonicTime now, std::uint32_t life);
  void refuse(std::size_t index, MonotonicTime now);

  /// Handed out to a client: no two may be equal.
  void took_producer_id(ProducerId id);

  /// A record that a client read.
  void read(std::size_t log, PartitionIndex partition, Offset offset, ByteView value);

  /// What the partition's end may not be below, for who asks now; and its start.
  struct Floor {
    Offset end;
    Offset start;
    std::uint32_t life = 0;
  };
  Floor floor(std::size_t log, PartitionIndex partition, std::uint32_t life);
  /// What a client was told that the partition's bounds are, having asked when `floor` was taken.
  void saw_end(std::size_t log, PartitionIndex partition, const Floor& floor, Offset end, std::uint32_t life);
  void saw_start(std::size_t log, PartitionIndex partition, const Floor& floor, Offset start);
  void ask_start(std::size_t log, PartitionIndex partition, Offset start);
  void start_moved(std::size_t log, PartitionIndex partition, Offset start);

  /// The whole content of a partition after everything: the values in [start, end), by offset.
  struct Content {
    Offset start;
    Offset end;
    std::vector<ValueId> values;
  };
  void audit(std::size_t log, PartitionIndex partition, const Content& content);
  std::size_t sending_count() const noexcept { return sendings_.size(); }

 private:
  struct Part {
    std::map<std::int64_t, ValueId> read;
    Offset start_acknowledged{0};
    Offset start_asked{0};
    Offset start_seen{0};
    Offset end_seen{0};
    std::uint32_t end_life = 0;
    std::vector<std::size_t> sendings;
  };
  using Places = std::map<ValueId, Offset>;

  Part& part(std::size_t log, PartitionIndex partition) { return parts_[{log, partition}]; }
  const Sending* sending_of(ValueId value) const;
  std::string place(std::size_t log, PartitionIndex partition) const;
  std::string place(const Sending& sending) const;
  bool check_value(std::size_t log, PartitionIndex partition, Offset offset, ValueId value);
  void raise_end(std::size_t log, PartitionIndex partition, Offset end, std::uint32_t life);
  Places check_content(std::size_t log, PartitionIndex partition, const Content& content);
  void check_bounds(std::size_t log, PartitionIndex partition, const Content& content);
  void check_sending(const Sending& sending, const Content& content, const Places& places);
  void check_order(const Part& part, const Places& places);
  void check_real_time(const Part& part, const Places& places);
  void check_lost_suffix(const Part& part, const Content& content, const Places& places);
  void check_reads(std::size_t log, PartitionIndex partition, const Content& content);

  Coverage& coverage_;
  std::optional<std::string> violation_;
  std::vector<LogFacts> logs_;
  std::vector<Sending> sendings_;
  std::vector<std::size_t> sending_by_value_;
  std::map<std::pair<std::size_t, PartitionIndex>, Part> parts_;
  std::set<ProducerId> producer_ids_;
  LogFacts::Setting class_default_;
  std::uint32_t sessions_ = 0;
};

}  // namespace pyralog::sim
