#include "runtime/train/MetricsLog.h"

#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

TEST(Shortest, RoundTrips) {
  EXPECT_EQ(shortest(0.1f), "0.1");
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(5e-5), "5e-05");
  EXPECT_EQ(shortest(0.30000000000000004), "0.30000000000000004");
  EXPECT_EQ(shortest(std::nan("")), "null");
  EXPECT_EQ(shortest(std::numeric_limits<float>::infinity()), "null");
}

TEST(JsonLine, IsJsonInTheOrderOfAdding) {
  JsonLine line;
  line.add("b", 0.5)
      .add("a", std::uint64_t(7))
      .add("t", std::string_view("x\"\n"));
  EXPECT_EQ(line.str(), R"({"b": 0.5, "a": 7, "t": "x\"\n"})");
  EXPECT_NO_THROW(nlohmann::json::parse(line.str()));
  EXPECT_EQ(JsonLine().str(), "{}");
}

TEST(MetricsLog, WritesALineAtATime) {
  TestDirectory directory;
  MetricsLog log(directory / "metrics.jsonl");
  log.write(JsonLine().add("step", std::uint64_t(1)));
  EXPECT_EQ(contents(directory / "metrics.jsonl"), "{\"step\": 1}\n");
}

TEST(MetricsLog, ReportsStorageErrors) {
  TestDirectory directory;
  expectFailure(ExitCode::Storage, {"no/metrics.jsonl", "No such file"},
                [&] { MetricsLog log(directory / "no/metrics.jsonl"); });
  if (!std::filesystem::exists("/dev/full"))
    GTEST_SKIP() << "no /dev/full here";
  MetricsLog full("/dev/full");
  EXPECT_NO_THROW(full.write(JsonLine()));
  expectFailure(ExitCode::Storage, {"/dev/full", "No space left"},
                [&] { full.finish(); });
}

TEST(MetricsLog, WarnsOnceOfAFullDisk) {
  if (!std::filesystem::exists("/dev/full"))
    GTEST_SKIP() << "no /dev/full here";
  std::vector<std::string> warnings;
  MetricsLog full("/dev/full", {},
                  [&](auto &text) { warnings.push_back(text); });
  full.write(JsonLine());
  full.write(JsonLine());
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("No space left"), std::string::npos);
  EXPECT_EQ(full.bytes(), 6u);
}

TEST(MetricsLog, ContinuesAndLeavesTheOldFileToOthers) {
  TestDirectory directory;
  auto path = directory / "metrics.jsonl";
  MetricsLog orphan(path);
  orphan.write(JsonLine().add("step", std::uint64_t(1)));
  MetricsLog log(path, contents(path));
  orphan.write(JsonLine().add("step", std::uint64_t(2)));
  log.write(JsonLine().add("step", std::uint64_t(3)));
  EXPECT_EQ(contents(path), "{\"step\": 1}\n{\"step\": 3}\n");
  EXPECT_EQ(log.bytes(), contents(path).size());
}

} // namespace
} // namespace llamarun
