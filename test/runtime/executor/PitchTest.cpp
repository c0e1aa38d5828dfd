// Tensors that are columns of a wider matrix: written, read and multiplied on
// the CPU as if they were packed; what lies between their rows is left alone.
#include "runtime/executor/Session.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <gtest/gtest.h>
#include <numeric>

using namespace llamarun;
using namespace llamarun::test;

namespace {

constexpr std::uint64_t kTokens = 16, kIn = 8, kRank = 3, kOut = 5;
constexpr std::uint64_t kPitch = kIn + kRank;

/// logits[16, 6] = x [W, B; A]^T over the whole panel [W, B; A, 0] of pitch 11:
/// W [5, 8] and B [5, 3] side by side, A [1, 8] in the row below.
PlanBuilder panelPlan() {
  PlanBuilder b;
  b.plan.task->labels = kOut + 1;
  auto x = b.tensor(fb::Role::Weight, "x", {kTokens, kPitch});
  auto w = b.tensor(fb::Role::Weight, "w", {kOut, kIn});
  auto &allocation = *b.plan.allocations[b.plan.buffers[w]->allocation];
  auto begin = b.plan.buffers[w]->offset;
  auto s = b.tensor(fb::Role::Weight, "b", {kOut, kRank});
  b.plan.buffers[s]->offset = begin + kIn * 4;
  auto a = b.tensor(fb::Role::Weight, "a", {1, kIn});
  b.plan.buffers[a]->offset = begin + kOut * kPitch * 4;
  for (auto i : {w, s, a})
    b.plan.buffers[i]->pitch = kPitch;
  allocation.bytes = begin + (kOut + 1) * kPitch * 4;
  auto &program = b.program(fb::ProgramKind::Evaluate, kTokens, kTokens);
  auto logits = program.outputs.back()->buffer;
  auto &gemm = b.step(
      program, PlanBuilder::linear(x, w, logits, kTokens, kOut + 1, kPitch));
  gemm.lda = gemm.ldb = kPitch;
  return b;
}

std::vector<float> counting(std::size_t count, float first) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}
template <typename T> auto bytesOf(std::vector<T> &v) {
  return std::as_writable_bytes(std::span(v));
}

TEST(SessionPitch, PanelsAreWrittenReadAndMultiplied) {
  Session session(panelPlan().load(), createDevice("cpu", {.threads = 2}));
  auto x = counting(kTokens * kPitch, -40), w = counting(kOut * kIn, 100),
       s = counting(kOut * kRank, 200), a = counting(kIn, 300);
  session.writeTensor(fb::Role::Weight, "x", bytesOf(x));
  session.writeTensor(fb::Role::Weight, "b", bytesOf(s));
  session.writeTensor(fb::Role::Weight, "a", bytesOf(a));
  // In parts that end and begin in the middle of rows.
  std::uint64_t at = 0;
  for (std::uint64_t part : {2u, 3u, 13u, 9u, 1u, 12u}) {
    session.writeTensorPart(fb::Role::Weight, "w",
                            bytesOf(w).subspan(at * 4, part * 4), at * 4);
    at += part;
  }
  ASSERT_EQ(at, w.size());
  std::vector<float> back(w.size()), other(s.size());
  session.readTensor(fb::Role::Weight, "w", bytesOf(back));
  EXPECT_EQ(back, w);
  session.readTensor(fb::Role::Weight, "b", bytesOf(other));
  EXPECT_EQ(other, s);

  auto *program = session.find(fb::ProgramKind::Evaluate, 1);
  session.run(*program);
  std::vector<float> got(kTokens * (kOut + 1));
  session.readOutput(*program, "logits", bytesOf(got));
  for (std::uint64_t t = 0; t < kTokens; ++t)
    for (std::uint64_t o = 0; o <= kOut; ++o) {
      double sum = 0;
      for (std::uint64_t i = 0; i < kPitch; ++i) {
        double weight = o == kOut ? (i < kIn ? a[i] : 0)
                        : i < kIn ? w[o * kIn + i]
                                  : s[o * kRank + i - kIn];
        sum += double{x[t * kPitch + i]} * weight;
      }
      EXPECT_FLOAT_EQ(got[t * (kOut + 1) + o], static_cast<float>(sum));
    }
}

/// `from` [5, 8] packed -> columns 3 to 10 of `wide` [5, 11] -> columns 0 to 7
/// of `other` [5, 9] -> `to` [5, 8] packed.
TEST(SessionPitch, CopiesColumns) {
  PlanBuilder b;
  constexpr std::uint64_t kOther = 9, kAt = kPitch - kIn;
  auto from = b.tensor(fb::Role::Weight, "from", {kOut, kIn});
  auto wide = b.tensor(fb::Role::Weight, "wide", {kOut, kPitch});
  auto other = b.tensor(fb::Role::Weight, "other", {kOut, kOther});
  auto to = b.tensor(fb::Role::Weight, "to", {kOut, kIn});
  auto columns = [&](std::uint32_t matrix, std::uint64_t first) {
    auto &whole = *b.plan.buffers[matrix];
    auto allocation = whole.allocation;
    auto offset = whole.offset + first * 4, pitch = whole.shape[1];
    auto view = b.view(allocation, offset, fb::DType::F32, {kOut, kIn});
    b.plan.buffers[view]->pitch = pitch;
    return view;
  };
  auto inWide = columns(wide, kAt), inOther = columns(other, 0);
  auto &program = b.program(fb::ProgramKind::Evaluate, 4, 4);
  for (auto [source, target] :
       {std::pair(from, inWide), {inWide, inOther}, {inOther, to}}) {
    auto &copy = b.step(program, fb::CopyT{});
    copy.source = source;
    copy.target = target;
  }
  Session session(b.load(), createDevice("cpu", {.threads = 2}));
  auto values = counting(kOut * kIn, 1);
  auto wideValues = counting(kOut * kPitch, 1000);
  auto otherValues = counting(kOut * kOther, 2000);
  session.writeTensor(fb::Role::Weight, "from", bytesOf(values));
  session.writeTensor(fb::Role::Weight, "wide", bytesOf(wideValues));
  session.writeTensor(fb::Role::Weight, "other", bytesOf(otherValues));
  session.run(*session.find(fb::ProgramKind::Evaluate, 4)).wait();

  std::vector<float> result(values.size()), wideResult(wideValues.size()),
      otherResult(otherValues.size());
  session.readTensor(fb::Role::Weight, "to", bytesOf(result));
  session.readTensor(fb::Role::Weight, "wide", bytesOf(wideResult));
  session.readTensor(fb::Role::Weight, "other", bytesOf(otherResult));
  EXPECT_EQ(result, values);
  for (std::uint64_t i = 0; i < kOut; ++i)
    for (std::uint64_t j = 0; j < kIn; ++j) {
      wideValues[i * kPitch + kAt + j] = values[i * kIn + j];
      otherValues[i * kOther + j] = values[i * kIn + j];
    }
  EXPECT_EQ(wideResult, wideValues); // and nothing beside the columns
  EXPECT_EQ(otherResult, otherValues);
}

} // namespace
