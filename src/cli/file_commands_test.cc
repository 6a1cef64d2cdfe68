#include "cli/file_commands.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pyralog::cli {
namespace {

namespace fs = std::filesystem;

class PartitionDirectoriesTest : public ::testing::Test {
 protected:
  PartitionDirectoriesTest() {
    std::string name = (fs::temp_directory_path() / "pyralog-cli-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
  }
  ~PartitionDirectoriesTest() override { fs::remove_all(root); }
  std::string make(const std::string& below) {
    fs::create_directories(root / below);
    return (root / below).string();
  }

  fs::path root;
};

TEST_F(PartitionDirectoriesTest, OfANodeOfALogAndOfAPartition) {
  const std::string second = make("logs/b~1/2"), tenth = make("logs/b~1/10"), other = make("logs/a~2/0");
  make("logs/b~1/not-a-partition");
  make("journal/0");
  std::ofstream(root / "node.toml").put('\n');
  EXPECT_EQ(partition_directories(root.string()).value(), (std::vector{other, second, tenth}));
  EXPECT_EQ(partition_directories((root / "logs/b~1").string()).value(), (std::vector{second, tenth}));
  EXPECT_EQ(partition_directories(second).value(), std::vector{second});
}

TEST_F(PartitionDirectoriesTest, ANodeWithoutLogsHasNone) {
  std::ofstream(root / "node.toml").put('\n');
  EXPECT_EQ(partition_directories(root.string()).value(), std::vector<std::string>());
  EXPECT_EQ(partition_directories((root / "missing").string()).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pyralog::cli
