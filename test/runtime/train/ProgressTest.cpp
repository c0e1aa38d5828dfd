#include "runtime/train/Progress.h"

#include <gtest/gtest.h>

#include <cmath>

namespace llamarun {
namespace {

TEST(Progress, Durations) {
  EXPECT_EQ(durationText(0), "0:00");
  EXPECT_EQ(durationText(62.9), "1:02");
  EXPECT_EQ(durationText(3723), "1:02:03");
  EXPECT_EQ(durationText(std::nan("")), "0:00");
}

TEST(Progress, BarAndLine) {
  ProgressState state{.step = 50,
                      .totalSteps = 200,
                      .epoch = 0.25,
                      .loss = 0.6932,
                      .gradNorm = 1.25,
                      .learningRate = 5e-5,
                      .tokens = 1000};
  EXPECT_EQ(progressBar(state, 10),
            "[######------------------] 50/200  loss 0.6932  100 tokens/s  "
            "ETA 0:30");
  EXPECT_EQ(progressLine(state, 10),
            "step 50/200  epoch 0.25  loss 0.6932  grad_norm 1.25  lr 5e-05  "
            "100 tokens/s  ETA 0:30");
  state.budget = 42;
  EXPECT_EQ(progressBar(state, 10),
            "[######------------------] 50/200  loss 0.6932  budget 42  "
            "100 tokens/s  ETA 0:30");
  EXPECT_NE(progressLine(state, 10).find("  lr 5e-05  budget 42  100 "),
            std::string::npos);
}

TEST(Progress, PrintsLinesWhereThereIsNoTerminal) {
  std::FILE *file = std::tmpfile();
  ASSERT_TRUE(file);
  {
    Progress progress(file, file);
    progress.update({.step = 1, .totalSteps = 2});
    EXPECT_EQ(std::ftell(file), 0) << "a bar in a file";
    progress.log({.step = 1, .totalSteps = 2});
    EXPECT_GT(std::ftell(file), 0);
  }
  std::fclose(file);
}

} // namespace
} // namespace llamarun
