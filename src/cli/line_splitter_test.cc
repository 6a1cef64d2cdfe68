#include "cli/line_splitter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pyralog::cli {
namespace {

std::vector<std::string> split(std::string_view text, const std::string& delimiter, std::size_t chunk) {
  LineSplitter lines(delimiter);
  std::vector<std::string> found;
  for (std::size_t at = 0; at < text.size(); at += chunk) {
    lines.feed(text.substr(at, chunk));
    while (const auto line = lines.next()) found.emplace_back(*line);
  }
  if (const auto rest = lines.rest()) found.push_back("rest:" + std::string(*rest));
  return found;
}

TEST(LineSplitter, GivesTheSameLinesHoweverTheStreamIsCut) {
  const std::vector<std::string> expected{"one", "", "three", "rest:four"};
  for (std::size_t chunk = 1; chunk <= 16; ++chunk) EXPECT_EQ(split("one\n\nthree\nfour", "\n", chunk), expected) << chunk;
}

TEST(LineSplitter, DelimitersMayBeLong) {
  const std::vector<std::string> expected{"a-", "b", "rest:-"};
  for (std::size_t chunk = 1; chunk <= 8; ++chunk) {
    EXPECT_EQ(split("a-|=b|=-", "|=", chunk), expected) << chunk;
  }
}

TEST(LineSplitter, NothingIsLeftAfterAFinalDelimiter) {
  LineSplitter lines("\n");
  lines.feed("x\n");
  EXPECT_EQ(lines.next(), "x");
  EXPECT_EQ(lines.next(), std::nullopt);
  EXPECT_EQ(lines.rest(), std::nullopt);
  EXPECT_EQ(lines.pending_bytes(), 0u);
}

}  // namespace
}  // namespace pyralog::cli
