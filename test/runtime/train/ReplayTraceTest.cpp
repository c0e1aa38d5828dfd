#include "runtime/train/ReplayTrace.h"

#include "test/runtime/train/TraceText.h"
#include "test/runtime/train/TrainTestFiles.h"

namespace llamarun {
namespace {

TEST(ReplayTrace, Reads) {
  TestDirectory directory;
  auto file = directory.write("trace.json", traceText("0.5"));
  auto trace = readReplayTrace(file, true);
  EXPECT_EQ(trace.hyper.warmupSteps, 3);
  EXPECT_EQ(trace.hyper.totalSteps, 20);
  EXPECT_EQ(trace.hyper.beta2, 0.999);
  EXPECT_EQ(trace.hyper.maxGradNorm, 0.5);
  ASSERT_EQ(trace.steps.size(), 1u);
  EXPECT_EQ(trace.steps[0].examples, (MicroBatch{0, 1}));
  EXPECT_EQ(trace.steps[0].learningRate, 0.25);
  EXPECT_EQ(trace.data.labels, (std::vector{1.5f, 2.5f}));
  // A classifier does not see the trailing pad, a causal LM does.
  EXPECT_EQ(trace.data.sequences[0], (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(readReplayTrace(file, false).data.sequences[0].size(), 3u);
  EXPECT_EQ(readReplayPad(file), 0);
}

TEST(ReplayTrace, ReadsMasks) {
  TestDirectory directory;
  auto withKept = [&](const std::string &kept) {
    std::string text = traceText("0.5");
    text.insert(text.find("\"grad_norm\""), "\"kept\": " + kept + ", ");
    return readReplayTrace(directory.write("trace.json", text), true);
  };
  EXPECT_EQ(withKept(R"({"m": [true, false], "n": []})").steps[0].kept.at("m"),
            (std::vector<bool>{true, false}));
  expectFailure(ExitCode::BadInput, {"steps[0].kept.m[1]", "true or false"},
                [&] { withKept(R"({"m": [true, 1]})"); });
  expectFailure(ExitCode::BadInput, {"steps[0].kept", "by module"},
                [&] { withKept("[]"); });
}

TEST(ReplayTrace, SaysWhereItIsWrong) {
  TestDirectory directory;
  auto refuses = [&](const std::vector<std::string> &parts,
                     const std::string &text) {
    auto file = directory.write("trace.json", text);
    expectFailure(ExitCode::BadInput, parts,
                  [&] { readReplayTrace(file, true); });
  };
  refuses({"trace.json", "steps"}, "{}");
  refuses({"trace.json", "optimizer"}, R"({"steps": []})");
  refuses({"trace.json"}, "[1, 2");
  refuses({"steps[0].loss", "a number"}, traceText("\"x\""));
  auto replace = [](std::string text, const std::string &from,
                    const std::string &to) {
    return text.replace(text.find(from), from.size(), to);
  };
  refuses({"steps[0].input_ids[1][0]", "a token id"},
          replace(traceText("1"), "[3]", "[3.5]"));
  refuses({"steps[0].input_ids[1]", "at least one"},
          replace(traceText("1"), "[3]", "[]"));
  refuses({"steps[0]", "as many labels as rows"},
          replace(traceText("1"), "[1.5, 2.5]", "[1.5]"));
  refuses({"betas", "two numbers"},
          replace(traceText("1"), "[0.9, 0.999]", "[0.9]"));
  refuses({"total_steps", "a whole number"},
          replace(traceText("1"), "20", "2.5"));
}

} // namespace
} // namespace llamarun
