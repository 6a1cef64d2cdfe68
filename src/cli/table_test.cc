#include "cli/table.h"

#include <gtest/gtest.h>

namespace pyralog::cli {
namespace {

Table example() {
  Table table({"log", "end", "in_sync"});
  table.add({std::string("orders"), std::int64_t{7}, Cell()});
  table.add({std::string("a"), std::int64_t{12345}, true});
  return table;
}

TEST(Table, AlignsNumbersRightAndTextLeft) {
  EXPECT_EQ(example().text(),
            "LOG       END  IN SYNC\n"
            "orders      7  -\n"
            "a       12345  yes\n");
}

TEST(Table, WritesObjects) {
  JsonWriter json;
  example().write_json(json);
  EXPECT_EQ(json.text(), R"([{"log":"orders","end":7,"in_sync":null},{"log":"a","end":12345,"in_sync":true}])");
}

TEST(Table, AnEmptyListingHasItsHeader) { EXPECT_EQ(Table({"log", "id"}).text(), "LOG  ID\n"); }

}  // namespace
}  // namespace pyralog::cli
