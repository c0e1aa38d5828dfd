#include "runtime/train/Replay.h"

#include "runtime/train/AdapterState.h"
#include "runtime/train/Initialize.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TraceText.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>
#include <limits>

namespace llamarun {
namespace {

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

// TinyPlan's lora_E is 0.5 after a step: both triplets are there.
TEST_F(ReplayRun, ComparesMasks) {
  session = tiny::openSession({.adalora = true});
  initializeTensors(*session, 1);
  tensors = readParameters(*session);
  write("init.safetensors");
  std::filesystem::remove(directory / "final.safetensors");
  auto withMask = [&](const std::string &mask) {
    std::string text = traceText("0.5");
    text.insert(text.find("\"grad_norm\""),
                R"("kept": {"model.layers.0.self_attn.q_proj": )" + mask +
                    "}, ");
    directory.write("trace.json", text);
    return replay(*session, options);
  };
  auto report = withMask("[true, true]");
  EXPECT_TRUE(report.passed) << contents(directory / "out");
  EXPECT_EQ(report.masks, 0);
  EXPECT_EQ(report.totalSteps, 20u);
  report = withMask("[true, false]");
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.masks, 1);
  options.maskTolerance = 1;
  EXPECT_TRUE(withMask("[true, false]").passed);
  expectFailure(ExitCode::BadInput, {"q_proj", "3 triplets"},
                [&] { withMask("[true, false, true]"); });
}

TEST_F(ReplayRun, WritesGradientsOfTheFirstStep) {
  session = tiny::openSession({.gradient = 0.125});
  options.gradients = directory / "gradients.safetensors";
  run("0.5");
  auto file = SafetensorsFile::open(options.gradients);
  auto expect = [&](const char *name, float value) {
    auto *view = file.find(std::string("base_model.model.") + name);
    ASSERT_TRUE(view) << name;
    EXPECT_EQ(view->dtype, DType::F32);
    EXPECT_EQ(view->shape, tensors.at(name).shape);
    std::vector<float> values(view->elements());
    file.readFloat(*view, values);
    EXPECT_EQ(values, std::vector<float>(values.size(), value)) << name;
  };
  EXPECT_EQ(file.tensors().size(), tensors.size());
  expect(tiny::kLoraA, 0);
  expect(tiny::kLoraB, 0.125f);
}

TEST_F(ReplayRun, RefusesGradientsThatAreCleared) {
  session = tiny::openSession({.accumulation = 2});
  expectFailure(ExitCode::BadInput, {"accumulation-steps=1"}, [&] {
    writeGradients(*session, directory / "gradients.safetensors");
  });
  EXPECT_FALSE(std::filesystem::exists(directory / "gradients.safetensors"));
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

} // namespace
} // namespace llamarun
