#include "runtime/trace/TraceEvents.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

TEST(TraceEvents, ReadsBack) {
  std::string text;
  TraceEvents events([&](std::string_view part) { text += part; },
                     1'000'000'000'000'000'000);
  const std::string odd = "a \"b\" \\ \n\t\x01 \xff \xc3\xa9";
  events.process(3, odd);
  events.thread(3, 16, "stream 0");
  events.slice(3, 16, "step", odd, 1'000'000'000'000'001'234,
               1'000'000'000'000'004'235, {{"op", odd}, {"bytes", 12.0}});
  events.slice(3, 16, "step", "no arguments", 1'000'000'000'000'005'000,
               1'000'000'000'000'005'000, nullptr);
  events.instant(3, 16, "mark", "here", 1'000'000'000'000'006'001, nullptr);
  events.flow('s', 7, 3, 16, "collective", "sum", 1'000'000'000'000'001'234);
  events.finish({{"plan", odd}});
  auto json = nlohmann::json::parse(text);
  auto &list = json["traceEvents"];
  ASSERT_EQ(list.size(), 8u);
  // What is no UTF-8 is replaced, everything else comes back as it was.
  const std::string seen = "a \"b\" \\ \n\t\x01 \xef\xbf\xbd \xc3\xa9";
  EXPECT_EQ(list[0]["ph"], "M");
  EXPECT_EQ(list[0]["args"]["name"], seen);
  EXPECT_EQ(list[3]["args"]["sort_index"], 16);
  auto &slice = list[4];
  EXPECT_EQ(slice["ph"], "X");
  EXPECT_EQ(slice["name"], seen);
  EXPECT_EQ(slice["args"]["op"], seen);
  // Nanoseconds are not lost, however long the machine has been up.
  EXPECT_EQ(slice["ts"], 1.234);
  EXPECT_EQ(slice["dur"], 3.001);
  EXPECT_FALSE(list[5].contains("args"));
  EXPECT_EQ(list[6]["s"], "t");
  EXPECT_EQ(list[7]["ph"], "s");
  EXPECT_EQ(list[7]["bp"], "e");
  EXPECT_EQ(list[7]["ts"], 1.234);
  EXPECT_EQ(json["otherData"]["plan"], seen);
}

TEST(TraceEvents, NothingHappened) {
  std::string text;
  TraceEvents events([&](std::string_view part) { text += part; }, 0);
  events.finish(nullptr);
  EXPECT_TRUE(nlohmann::json::parse(text)["traceEvents"].empty());
}

} // namespace
} // namespace llamarun
