#include "cli/json_text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pyralog::cli {
namespace {

TEST(JsonWriter, NestsAndSeparates) {
  JsonWriter json;
  json.begin_object();
  json.field("a", 1);
  json.field("b", "two");
  json.key("c");
  json.begin_array();
  json.value(true);
  json.null();
  json.begin_object();
  json.end_object();
  json.end_array();
  json.field("d", -0.5);
  json.field("big", std::uint64_t{18446744073709551615u});
  json.end_object();
  EXPECT_EQ(json.text(), R"({"a":1,"b":"two","c":[true,null,{}],"d":-0.5,"big":18446744073709551615})");
}

TEST(JsonWriter, EscapesAndReplacesWhatIsNotUtf8) {
  JsonWriter json;
  json.value("\"\\\n\x01é\xff\xc3");
  EXPECT_EQ(json.text(), "\"\\\"\\\\\\n\\u0001é\\ufffd\\ufffd\"");
}

TEST(JsonWriter, WhatIsNoNumberIsNull) {
  JsonWriter json;
  json.value(std::nan(""));
  EXPECT_EQ(json.text(), "null");
}

TEST(Utf8, RefusesSurrogatesOverlongFormsAndCutSequences) {
  EXPECT_TRUE(is_utf8("plain, é, €, 😀"));
  EXPECT_TRUE(is_utf8(""));
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(is_utf8("\xc0\xaf"));
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));
  EXPECT_FALSE(is_utf8("\xe2\x82"));
}

TEST(Base64, PadsTheEnd) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace pyralog::cli
