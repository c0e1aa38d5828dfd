#include "runtime/train/ForwardCheck.h"

#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>
#include <limits>

namespace llamarun {
namespace {

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
