#include "runtime/executor/MemoryNeed.h"

#include "runtime/plan/Inspect.h"
#include "runtime/support/Error.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <gtest/gtest.h>

using namespace llamarun;
using namespace llamarun::test;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

/// 10 MiB of weights, train programs of 64, 128, 256 tokens that use 1, 2 and 4
/// MiB of an arena of 4 MiB.
std::shared_ptr<const Plan> plan() {
  PlanBuilder b;
  b.tensor(fb::Role::Weight, "w", {10 * kMiB / 4});
  auto x = b.buffer(fb::Category::Activations, fb::DType::U8, {4 * kMiB});
  for (std::uint32_t tokens : {64u, 128u, 256u}) {
    auto &program = b.program(fb::ProgramKind::Train, tokens, 4);
    program.activation_bytes = tokens / 64 * kMiB;
    b.step(program, fb::FillT{}).target = x;
  }
  return b.load();
}

std::string refusal(std::uint64_t free) {
  try {
    refuseMemory(*plan(), "a card", {free, 16 * kMiB});
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ExitCode::DoesNotFit);
    return error.what();
  }
}

#define EXPECT_HAS(text, part)                                                 \
  EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(MemoryNeed, SaysWhatWouldFit) {
  auto message = refusal(13 * kMiB);
  EXPECT_HAS(message, "a card has 13.0 MiB free of 16.0 MiB");
  EXPECT_HAS(message, "weights: 10.0 MiB");
  EXPECT_HAS(message, "activations: 4.0 MiB");
  EXPECT_HAS(message, "train: 2 of 3 programs, up to 128 tokens (12.0 MiB)");
  EXPECT_EQ(message.find("evaluate"), message.npos);
  EXPECT_HAS(refusal(21 * kMiB / 2), "train: 0 of 3 programs");
}

TEST(MemoryNeed, SaysThatNothingWould) {
  EXPECT_HAS(refusal(9 * kMiB), "no batch is small enough");
}

} // namespace
