#include "runtime/report/RunPage.h"

#include <gtest/gtest.h>

namespace llamarun {
namespace {

using Json = nlohmann::ordered_json;

Run runOf(const std::string &name, double rate) {
  llamarun::Run run;
  run.name = name;
  run.training["loss"] = {{1, 2}, {2, 1}};
  run.training["learning_rate"] = {{1, rate}, {2, 0}};
  run.evaluation["dev accuracy"] = {{2, 0.75}};
  run.lastStep = 2;
  run.record = Json::parse(
      R"({"arguments": {"learning-rate": "x", "seed": "42"},)"
      R"( "memory": {"weights": 1048576, "total": 2097152}, "steps": 2})");
  run.record["arguments"]["learning-rate"] = std::to_string(rate);
  return run;
}

TEST(RunPage, HoldsWhatTheRunsHave) {
  auto one = runOf("a<script>alert(1)</script>", 1), two = runOf("b", 2);
  two.ranks = Json::parse(R"({"q_proj": [3]})");
  two.end = Json::parse(R"({"step": 2, "train_loss": 1.5, "signal": 15})");
  auto page = runPage({one, two}, "T & T");
  for (const char *text :
       {"<title>T &amp; T</title>", "Loss over steps", "Learning rate over",
        "dev accuracy over steps", "0.75", "stopped by signal 15",
        "not at its end", "2 of 2", "2.00 MiB", "1.00 MiB",
        "prefers-color-scheme: dark", "h7\">3<"})
    EXPECT_NE(page.find(text), page.npos) << text;
  // Nothing of a run is markup, and nothing is fetched.
  for (const char *text : {"<script", "http", "src=", "url(", "@import"})
    EXPECT_EQ(page.find(text), page.npos) << text;
  // The setting in which they differ is marked, the other is not.
  EXPECT_NE(page.find("<tr class=\"differ\"><th>--learning-rate</th>"),
            page.npos);
  EXPECT_NE(page.find("<tr><th>--seed</th>"), page.npos);
}

TEST(RunPage, NeedsNoRecord) {
  llamarun::Run run;
  run.name = "old";
  run.training["loss"] = {{1, 2}};
  auto page = runPage({run}, "old");
  EXPECT_NE(page.find("Loss over steps"), page.npos);
  EXPECT_EQ(page.find("Settings"), page.npos);
  EXPECT_EQ(page.find("Memory"), page.npos);
}

} // namespace
} // namespace llamarun
