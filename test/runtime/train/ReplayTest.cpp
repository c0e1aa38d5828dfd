#include "runtime/train/Replay.h"

#include "runtime/train/AdapterState.h"
#include "runtime/train/ForwardCheck.h"
#include "runtime/train/Initialize.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>
#include <limits>

namespace llamarun {
namespace {

constexpr char kOptimizer[] =
    R"("optimizer": {"lr": 0.25, "betas": [0.9, 0.999], "eps": 1e-8,
       "weight_decay": 0.01, "warmup": 3, "total_steps": 20,
       "max_grad_norm": 0.5})";

std::string traceText(const std::string &loss) {
  return std::string("{") + kOptimizer +
         R"(, "pad_token_id": 0, "steps": [{"input_ids": [[1, 2, 0], [3]],
         "labels": [1.5, 2.5], "loss": )" +
         loss + R"(, "grad_norm": 0.5, "lr": 0.25}]})";
}

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

TEST(Replay, Errors) {
  EXPECT_DOUBLE_EQ(relativeError(1.1, 1), 0.1 / 1 + 8.881784197001252e-17);
  EXPECT_EQ(relativeError(0.25, 0), 0.25);
  EXPECT_EQ(relativeError(std::nan(""), 1),
            std::numeric_limits<double>::infinity());
  std::string name;
  AdapterTensors b{{"x", {{2}, {3, 4}}}, {"y", {{1}, {1}}}};
  AdapterTensors a = b;
  EXPECT_EQ(largestTensorError(a, b, name), 0);
  a["x"].data[0] = 3.5f;
  EXPECT_NEAR(largestTensorError(a, b, name), 0.1, 1e-7);
  EXPECT_EQ(name, "x");
  a["y"].data[0] = std::nanf("");
  EXPECT_EQ(largestTensorError(a, b, name),
            std::numeric_limits<double>::infinity());
  EXPECT_EQ(name, "y");
  a["x"].shape = {1, 2};
  expectFailure(ExitCode::BadInput, {"'x'"},
                [&] { largestTensorError(a, b, name); });
}

/// TinyPlan's loss and norm are 1 / labels, its rate is 0.25, its logits are
/// the labels, and after a step lora_B is 0.5.
class ReplayRun : public ::testing::Test {
protected:
  ReplayRun() : session(tiny::openSession()) {
    sink = std::fopen((directory / "out").c_str(), "w");
    options.out = sink;
    options.trace = directory / "trace.json";
    initializeTensors(*session, 1);
    write("init.safetensors");
    for (float &v : tensors[tiny::kLoraB].data)
      v = 0.5f;
    write("final.safetensors");
  }
  ~ReplayRun() override { std::fclose(sink); }

  void write(const char *name) {
    if (tensors.empty())
      tensors = readParameters(*session);
    std::vector<TensorView> views;
    for (auto &[key, tensor] : tensors)
      views.push_back({toPeftName(key), DType::F32, tensor.shape,
                       std::as_bytes(std::span(tensor.data))});
    writeSafetensors(directory / name, views);
  }
  ReplayReport run(const std::string &loss) {
    directory.write("trace.json", traceText(loss));
    return replay(*session, options);
  }

  TestDirectory directory;
  std::unique_ptr<Session> session;
  AdapterTensors tensors;
  std::FILE *sink;
  ReplayOptions options;
};

TEST_F(ReplayRun, PassesAndFails) {
  auto report = run("0.5");
  EXPECT_TRUE(report.passed) << contents(directory / "out");
  EXPECT_EQ(report.loss, 0);
  EXPECT_EQ(report.tensors, 0);
  EXPECT_EQ(report.logitsAfter, -1) << "there is no eval.json";
  EXPECT_FALSE(run("0.50006").passed);
  EXPECT_TRUE(run("0.50004").passed);
  tensors[tiny::kLoraB].data[0] = 0.51f;
  write("final.safetensors");
  EXPECT_FALSE(run("0.5").passed);
}

TEST_F(ReplayRun, ComparesLogits) {
  // Without labels TinyPlan's logits are NaN: no model has such.
  directory.write("eval.json", R"({"input_ids": [[1, 2]], "before": [[1]],
                                   "after": [[1]]})");
  expectFailure(ExitCode::Numerics, {"logit"}, [&] { run("0.5"); });
  directory.write("eval.json", R"({"input_ids": [[1, 2]], "before": [],
                                   "after": [[1]]})");
  expectFailure(ExitCode::BadInput, {"eval.json"}, [&] { run("0.5"); });
}

TEST(ForwardCheck, ComparesEveryPosition) {
  TestDirectory directory;
  auto session = tiny::openSession(
      {.task = "lm", .head = fb::Head::CausalLM, .labels = 0});
  ProgramRunner runner(*session, 0);
  std::FILE *sink = std::fopen((directory / "out").c_str(), "w");
  // All logits are 1.
  auto check = [&](std::size_t argmax, const std::string &first) {
    double logSumExp = 1 + std::log(double(tiny::kVocabulary));
    std::string position =
        R"({"pos": 1, "in": 7, "argmax": )" + std::to_string(argmax) +
        R"(, "max_logit": 1, "logsumexp": )" + std::to_string(logSumExp) +
        R"(, "logits_0_7": [1, )" + first + "]}";
    auto rows = directory.write(
        "rows.json", R"({"rows": [{"input_ids": [5, 6, 7], "positions": [)" +
                         position + "]}]}");
    std::string zero = position;
    zero.replace(zero.find("\"pos\": 1"), 8, "\"pos\": 0");
    auto flat = directory.write("flat.json", R"({"positions": [)" + zero +
                                                 ", " + position + "]}");
    double error = checkForward(runner, rows, sink);
    EXPECT_EQ(checkForward(runner, flat, sink), error);
    return error;
  };
  EXPECT_LT(check(0, "1"), 1e-6);
  EXPECT_NEAR(check(0, "1.5"), 1.0 / 3, 1e-6);
  EXPECT_EQ(check(1, "1"), std::numeric_limits<double>::infinity());
  auto bad = directory.write("bad.json", R"({"rows": [{"input_ids": [5],
    "positions": [{"pos": 3}]}]})");
  expectFailure(ExitCode::BadInput, {"bad.json", "pos", "a position"},
                [&] { checkForward(runner, bad, sink); });
  std::fclose(sink);
}

} // namespace
} // namespace llamarun
