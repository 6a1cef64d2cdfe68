#include "sim/keyed_history.h"

#include <gtest/gtest.h>

namespace pyralog::sim {
namespace {

constexpr MonotonicTime at(int ms) { return MonotonicTime(std::chrono::milliseconds(ms)); }

/// One key in one partition.
class KeyedHistoryTest : public ::testing::Test {
 protected:
  using Found = KeyedHistory::Found;

  KeyedId value() { return keyed.write(place, "k", false); }
  KeyedId deletion() { return keyed.write(place, "k", true); }
  /// At the next offset.
  KeyedId acknowledged(KeyedId id) {
    keyed.acknowledge(id, end, at(10));
    end += OffsetDelta(1);
    return id;
  }
  Found found(std::int64_t offset, KeyedId id, bool is_deletion = false) {
    return {.offset = Offset(offset), .id = id, .key = "k", .is_deletion = is_deletion};
  }
  bool is_good(const std::vector<Found>& records) {
    keyed.check(place, records, at(20), at(30));
    return !history.violation().has_value();
  }

  Coverage coverage;
  History history{coverage};
  KeyedHistory keyed{history, coverage};
  const KeyedHistory::Place place{history.add_log({.name = "table"}), PartitionIndex(0)};
  Offset end;
};

TEST_F(KeyedHistoryTest, AcceptsTheNewestAlone) {
  acknowledged(value());
  const KeyedId newest = acknowledged(value());
  EXPECT_TRUE(is_good({found(1, newest)}));
}

TEST_F(KeyedHistoryTest, AcceptsADeletionThatIsGone) {
  acknowledged(value());
  acknowledged(deletion());
  EXPECT_TRUE(is_good({}));
}

TEST_F(KeyedHistoryTest, AcceptsAnUnansweredWriteAboveTheNewest) {
  acknowledged(value());
  EXPECT_TRUE(is_good({found(5, value())}));
}

TEST_F(KeyedHistoryTest, AcceptsAKeyThatAnUnansweredDeletionMayHaveEnded) {
  acknowledged(value());
  deletion();
  EXPECT_TRUE(is_good({}));
}

TEST_F(KeyedHistoryTest, AcceptsWhatWasDeletedFromASlowReader) {
  const KeyedId older = acknowledged(value());
  acknowledged(deletion());
  keyed.check(place, {found(0, older)}, at(20), at(20) + kDeletionsKept);
  EXPECT_FALSE(history.violation().has_value());
}

TEST_F(KeyedHistoryTest, AcceptsWhatWasReplacedAndThenDeletedFromASlowReader) {
  const KeyedId older = acknowledged(value());
  acknowledged(value());
  keyed.acknowledge(deletion(), end, at(30));  // after the reader began
  keyed.check(place, {found(0, older)}, at(20), at(20) + kDeletionsKept);
  EXPECT_FALSE(history.violation().has_value());
}

TEST_F(KeyedHistoryTest, SeesALostKey) {
  acknowledged(value());
  EXPECT_FALSE(is_good({}));
}

TEST_F(KeyedHistoryTest, SeesAnOlderValueInPlaceOfTheNewest) {
  const KeyedId older = acknowledged(value());
  acknowledged(value());
  EXPECT_FALSE(is_good({found(0, older)}));
}

TEST_F(KeyedHistoryTest, SeesAValueThatIsBackAfterItsDeletion) {
  const KeyedId older = acknowledged(value());
  acknowledged(deletion());
  EXPECT_FALSE(is_good({found(0, older)}));
}

TEST_F(KeyedHistoryTest, SeesALostKeyThatWasOnlySeen) {
  const KeyedId unanswered = value();
  EXPECT_TRUE(is_good({found(0, unanswered)}));
  keyed.check(place, {}, at(40), at(50));
  EXPECT_TRUE(history.violation().has_value());
}

TEST_F(KeyedHistoryTest, SeesAMovedRecord) {
  const KeyedId id = acknowledged(value());
  EXPECT_FALSE(is_good({found(3, id)}));
}

TEST_F(KeyedHistoryTest, SeesARecordTwice) {
  const KeyedId id = value();
  EXPECT_FALSE(is_good({found(3, id), found(4, id)}));
}

TEST_F(KeyedHistoryTest, SeesADeletionThatHasBecomeAValue) {
  const KeyedId id = acknowledged(deletion());
  EXPECT_FALSE(is_good({found(0, id)}));
}

TEST_F(KeyedHistoryTest, SeesARefusedRecord) {
  const KeyedId id = value();
  keyed.refuse(id);
  EXPECT_FALSE(is_good({found(0, id)}));
}

TEST_F(KeyedHistoryTest, SeesARecordThatNobodyWrote) { EXPECT_FALSE(is_good({found(0, KeyedId(3))})); }

}  // namespace
}  // namespace pyralog::sim
