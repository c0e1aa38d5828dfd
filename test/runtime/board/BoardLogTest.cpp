#include "runtime/board/BoardLog.h"

#include "runtime/support/Error.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <initializer_list>
#include <limits>

namespace llamarun {
namespace {

std::string
scalars(std::initializer_list<std::pair<const char *, double>> values) {
  Summary summary;
  for (auto &[tag, value] : values)
    summary.scalar(tag, value);
  return summary.bytes();
}

std::string bytesOf(std::string_view line, std::uint64_t expectedStep) {
  std::uint64_t step = 0;
  Summary summary = summaryOfLine(line, step);
  EXPECT_EQ(step, expectedStep) << line;
  return summary.bytes();
}

TEST(SummaryOfLine, LoggingSteps) {
  EXPECT_EQ(bytesOf(R"({"step": 7, "epoch": 0.5, "loss": 0.25, "grad_norm": 2,)"
                    R"( "learning_rate": 1e-3, "tokens": 90, "seconds": 2.5,)"
                    R"( "tokens_per_second": 36})",
                    7),
            scalars({{"train/epoch", 0.5},
                     {"train/loss", 0.25},
                     {"train/grad_norm", 2},
                     {"train/learning_rate", 1e-3},
                     {"train/num_input_tokens_seen", 90},
                     {"train/tokens_per_second", 36}}));
}

TEST(SummaryOfLine, TheEndOfTheRun) {
  EXPECT_EQ(bytesOf(R"({"step": 9, "train_loss": 0.5, "tokens": 1,)"
                    R"( "signal": 15, "seconds": 4})",
                    9),
            scalars({{"train/train_loss", 0.5},
                     {"train/num_input_tokens_seen", 1},
                     {"train/train_runtime", 4}}));
}

TEST(SummaryOfLine, Evaluations) {
  EXPECT_EQ(bytesOf(R"({"step": 3, "epoch": 1, "split": "dev",)"
                    R"( "eval_accuracy": 0.75, "eval_samples": 8,)"
                    R"( "seconds": 2, "samples_per_second": 4})",
                    3),
            scalars({{"eval/accuracy", 0.75},
                     {"eval/samples", 8},
                     {"eval/runtime", 2},
                     {"eval/samples_per_second", 4}}));
  // The two of MNLI, as run_glue.py has them.
  EXPECT_EQ(bytesOf(R"({"step":3,"split":"dev_matched","eval_loss":1})", 3),
            scalars({{"eval/loss", 1}}));
  EXPECT_EQ(bytesOf(R"({"step":3,"split":"dev_mismatched","eval_loss":1})", 3),
            scalars({{"eval/loss_mm", 1}}));
}

TEST(SummaryOfLine, Allocations) {
  Summary expected;
  expected.scalar("train/rank/q_proj", 5);
  expected.scalar("train/rank/up_proj", 4);
  expected.scalar("train/rank/score", 2);
  expected.scalar("train/rank", 11);
  expected.histogram("train/ranks", {3, 2, 4, 2});
  EXPECT_EQ(bytesOf(R"({"step": 4, "budget": 11, "rank": 11, "ranks":)"
                    R"( {"q_proj": [3, 2], "up_proj": [null, 4], "score": 2}})",
                    4),
            expected.bytes());
}

TEST(SummaryOfLine, NullIsNaN) {
  EXPECT_EQ(
      bytesOf(R"({"step": 1, "loss": null})", 1),
      scalars({{"train/loss", std::numeric_limits<double>::quiet_NaN()}}));
}

TEST(SummaryOfLine, RefusesWhatIsNoLine) {
  for (const char *text : {"", "[1]", "{\"loss\": 1}", "{\"step\": -1}", "{"})
    expectFailure(ExitCode::BadInput, {"metrics.jsonl"}, [&] {
      std::uint64_t step;
      summaryOfLine(text, step);
    });
}

TEST(SettingsTable, EscapesMarkdown) {
  EXPECT_EQ(settingsTable({{"data", "a|b*c\nd"}, {"seed", "42"}}),
            "| setting | value |\n|---|---|\n| data | a\\|b\\*c d |\n"
            "| seed | 42 |\n");
  EXPECT_EQ(settingsTable({{"é", "\xff"}}),
            "| setting | value |\n|---|---|\n| é | \ufffd |\n");
}

struct Log {
  TestDirectory directory;
  double now = 100;
  BoardLog open() {
    return BoardLog(directory.path, [this] { return ++now; });
  }
};

std::string loss(double seconds, std::uint64_t step, double value) {
  Summary summary;
  summary.scalar("train/loss", value);
  return tfRecord(summaryEvent(seconds, step, summary));
}

constexpr const char *kLines = "{\"step\": 1, \"loss\": 1}\n"
                               "{\"step\": 2, \"loss\": 2}\n"
                               "{\"step\": 3, \"lo";

TEST(BoardLog, GoesOnInAFolderThatHasTheRunsEvents) {
  Log log;
  BoardLog before = log.open();
  before.begin(0, "");
  before.write(R"({"step": 1, "loss": 1})");
  BoardLog board = log.open();
  double begun = log.now;
  board.begin(2, kLines);
  board.write(R"({"step": 3, "loss": 0.5})");
  std::string expected = tfRecord(versionEvent(begun));
  expected += tfRecord(restartEvent(begun + 1, 2));
  expected += loss(begun + 2, 2, 2) + loss(begun + 3, 3, 0.5);
  EXPECT_EQ(contents(board.path()), expected);
}

TEST(BoardLog, GivesAnEmptyFolderWhatWasBefore) {
  Log log;
  BoardLog board = log.open();
  board.begin(2, kLines);
  std::string expected = tfRecord(versionEvent(101));
  // Of the first session of a folder nothing is void.
  expected += tfRecord(restartEvent(102, 0));
  expected += loss(103, 1, 1) + loss(104, 2, 2);
  EXPECT_EQ(contents(board.path()), expected);
}

} // namespace
} // namespace llamarun
