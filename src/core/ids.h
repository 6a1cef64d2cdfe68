#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace pyralog {

/// An integer with a meaning. Two ids of different meaning neither compare nor convert; only codecs unwrap `value`.
template <class Tag, class Rep>
struct StrongId {
  using rep = Rep;
  Rep value{};

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep raw) : value(raw) {}
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
};

using NodeId = StrongId<struct NodeIdTag, std::int32_t>;
using PartitionIndex = StrongId<struct PartitionIndexTag, std::int32_t>;  ///< position of a partition within its log
using ShardId = StrongId<struct ShardIdTag, std::uint32_t>;               ///< dense from 0 within one process
using LeaderEpoch = StrongId<struct LeaderEpochTag, std::int32_t>;        ///< replication.md §1; -1 on the wire: none
using ProducerId = StrongId<struct ProducerIdTag, std::int64_t>;          ///< -1: none
using ProducerEpoch = StrongId<struct ProducerEpochTag, std::int16_t>;    ///< -1: none

/// A partition's storage identity on this node. Never reused, so that a deleted and re-created partition differ.
/// Assigned by the metadata log; 0 means none.
using Incarnation = StrongId<struct IncarnationTag, std::uint64_t>;

inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
inline constexpr ProducerId kNoProducerId{-1};
inline constexpr ProducerEpoch kNoProducerEpoch{-1};

/// A distance between offsets.
using OffsetDelta = StrongId<struct OffsetDeltaTag, std::int64_t>;

/// Position of a record in its partition: dense, from 0, at most 2^63 - 1.
struct Offset {
  using rep = std::int64_t;
  std::int64_t value{};

  constexpr Offset() = default;
  constexpr explicit Offset(std::int64_t raw) : value(raw) {}
  friend constexpr auto operator<=>(Offset, Offset) = default;
  friend constexpr OffsetDelta operator-(Offset a, Offset b) { return OffsetDelta(a.value - b.value); }
  friend constexpr Offset operator+(Offset a, OffsetDelta d) { return Offset(a.value + d.value); }
  friend constexpr Offset operator-(Offset a, OffsetDelta d) { return Offset(a.value - d.value); }
  Offset& operator+=(OffsetDelta d) { return value += d.value, *this; }
};

/// 128 random bits. Text form: Kafka's, base64url without padding (22 characters).
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
  bool is_zero() const noexcept { return *this == Uuid{}; }
  std::string to_string() const;
};

/// A log's identity (Kafka: topic id). Differs between a deleted log and one re-created under its name.
struct LogId {
  Uuid uuid;
  friend constexpr auto operator<=>(const LogId&, const LogId&) = default;
  bool is_zero() const noexcept { return uuid.is_zero(); }
  std::string to_string() const { return uuid.to_string(); }
};

}  // namespace pyralog

template <class Tag, class Rep>
struct std::hash<pyralog::StrongId<Tag, Rep>> {
  std::size_t operator()(pyralog::StrongId<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};
template <>
struct std::hash<pyralog::Uuid> {
  std::size_t operator()(const pyralog::Uuid& uuid) const noexcept;
};
template <>
struct std::hash<pyralog::LogId> {
  std::size_t operator()(const pyralog::LogId& id) const noexcept { return std::hash<pyralog::Uuid>{}(id.uuid); }
};
