// Launches of the hand-written kernels: which one, its operands and its grid.
#include "compiler/kernels/LibraryKernels.h"

#include <gtest/gtest.h>

#include <bit>

using namespace llamac;
using Buffer = LibraryBuffer;
using Buffers = std::vector<LibraryBuffer>;

namespace {

AttentionShape llama(int64_t tokens, int64_t sequences, int64_t maxLength) {
  return {LibraryType::BF16,
          128,
          32,
          8,
          tokens,
          sequences,
          maxLength,
          {4096, 1024, 1032, 4104, 4112, 4120, 1040, 1048},
          0.125f};
}

TEST(LibraryKernels, ShortSequencesTakeOneLaunchEach) {
  auto shape = llama(128, 8, 128);
  auto forward = attentionForwardLaunches(shape, "sm_90", false);
  ASSERT_TRUE(forward && forward->size() == 1);
  const LibraryLaunch &f = forward->front();
  EXPECT_EQ(f.symbol, "attention_short_bf16_d128");
  EXPECT_EQ(f.grid, (std::array<uint32_t, 3>{8, 9, 4}));
  EXPECT_EQ(f.reads,
            (Buffers{Buffer::Q, Buffer::K, Buffer::V, Buffer::CuSeqlens}));
  EXPECT_EQ(f.writes, (Buffers{Buffer::Out, Buffer::Lse}));
  int64_t scale = std::bit_cast<uint32_t>(0.125f);
  EXPECT_EQ(f.scalars, (std::vector<int64_t>{128, 8, 32, 8, 4096, 1024, 1032,
                                             4104, scale}));
  auto grad = attentionGradLaunches(shape, "sm_90", false);
  ASSERT_TRUE(grad && grad->size() == 1);
  EXPECT_EQ(grad->front().writes,
            (Buffers{Buffer::Dq, Buffer::Dk, Buffer::Dv}));
  EXPECT_EQ(grad->front().scalars,
            (std::vector<int64_t>{128, 8, 32, 8, 4096, 1024, 1032, 4104, 4112,
                                  4120, 1040, 1048, scale}));
  EXPECT_EQ(attentionDeltaBytes(*grad, shape), 0);
}

TEST(LibraryKernels, LongSequencesUseWgmmaWhereThereIs) {
  auto shape = llama(8192, 4, 2048);
  auto forward = attentionForwardLaunches(shape, "sm_90", false);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->front().symbol, "attention_forward_hopper_bf16_d128");
  auto ptx = attentionForwardLaunches(shape, "sm_90", true);
  ASSERT_TRUE(ptx);
  EXPECT_EQ(ptx->front().symbol, "attention_forward_bf16_d128");
  EXPECT_EQ(ptx->front().grid, (std::array<uint32_t, 3>{32, 133, 1}));
  auto other = attentionForwardLaunches(shape, "sm_80", false);
  EXPECT_EQ(other->front().symbol, "attention_forward_bf16_d128");

  auto grad = attentionGradLaunches(shape, "sm_90", false);
  ASSERT_TRUE(grad && grad->size() == 2);
  EXPECT_EQ((*grad)[0].writes, (Buffers{Buffer::Dq, Buffer::Delta}));
  EXPECT_EQ((*grad)[1].writes, (Buffers{Buffer::Dk, Buffer::Dv}));
  EXPECT_EQ((*grad)[1].reads,
            (Buffers{Buffer::Q, Buffer::K, Buffer::V, Buffer::CuSeqlens,
                     Buffer::Lse, Buffer::Dout, Buffer::Delta}));
  EXPECT_EQ(attentionDeltaBytes(*grad, shape), 8192 * 32 * 4);
}

TEST(LibraryKernels, FullBucketsOfShortSequencesUseWgmmaToo) {
  auto symbol = [](AttentionShape shape, bool ptx) {
    return attentionForwardLaunches(shape, "sm_90", ptx)->front().symbol;
  };
  auto shape = llama(1024, 8, 128);
  EXPECT_EQ(symbol(shape, false), "attention_forward_hopper_bf16_d128");
  EXPECT_EQ(symbol(shape, true), "attention_forward_bf16_d128");
  shape.variant = AttentionVariant::Short;
  EXPECT_EQ(symbol(shape, false), "attention_short_bf16_d128");
  shape.variant = AttentionVariant::Tiled;
  EXPECT_EQ(symbol(shape, false), "attention_forward_bf16_d128");
  shape.headDim = 64;
  shape.variant = AttentionVariant::Fastest;
  EXPECT_EQ(symbol(shape, true), "attention_short_bf16_d64");
}

TEST(LibraryKernels, FewTokensOfPerhapsLongSequences) {
  auto shape = llama(256, 8, 2048);
  EXPECT_EQ(attentionForwardLaunches(shape, "sm_90", false)->front().symbol,
            "attention_forward_bf16_d128");
  EXPECT_EQ(attentionGradLaunches(shape, "sm_90", false)->front().symbol,
            "attention_grad_q_hopper_bf16_d128");
}

TEST(LibraryKernels, OddShapesTakeThePlainKernel) {
  auto shape = llama(64, 4, 64);
  shape.pitches.v = 1025; // rows not aligned
  auto forward = attentionForwardLaunches(shape, "sm_90", false);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->front().symbol, "attention_forward_plain_bf16");
  EXPECT_EQ(forward->front().scalars.back(), 128);
  EXPECT_EQ(forward->front().grid, (std::array<uint32_t, 3>{16, 32, 1}));
  shape.type = LibraryType::F32;
  EXPECT_EQ(attentionGradLaunches(shape, "sm_90", false)->back().symbol,
            "attention_grad_kv_plain_f32");
  auto big = llama(64, 4, 64);
  big.headDim = 96;
  EXPECT_EQ(attentionForwardLaunches(big, "sm_90", false)->front().symbol,
            "attention_forward_plain_bf16");
}

TEST(LibraryKernels, ImpossibleShapesHaveNoLaunch) {
  auto bad = [](auto change) {
    auto shape = llama(64, 4, 64);
    change(shape);
    return !attentionForwardLaunches(shape, "sm_90", false) &&
           !attentionGradLaunches(shape, "sm_90", false);
  };
  EXPECT_TRUE(bad([](AttentionShape &s) { s.headDim = 257; }));
  EXPECT_TRUE(bad([](AttentionShape &s) { s.kvHeads = 5; }));
  EXPECT_TRUE(bad([](AttentionShape &s) { s.kvHeads = 0; }));
  EXPECT_TRUE(bad([](AttentionShape &s) { s.scale = 0; }));
  EXPECT_TRUE(bad([](AttentionShape &s) { s.tokens = int64_t(1) << 31; }));
  EXPECT_FALSE(bad([](AttentionShape &) {}));
}

TEST(LibraryKernels, FoldHasFourRowsABlock) {
  LibraryLaunch launch = foldLaunch(LibraryType::BF16, 10, 7);
  EXPECT_EQ(launch.symbol, "fold_factors_bf16");
  EXPECT_EQ(launch.grid, (std::array<uint32_t, 3>{3, 1, 1}));
  EXPECT_EQ(launch.scalars, (std::vector<int64_t>{7, 10}));
}

/// The code has the functions that launches name, for cubin and PTX.
TEST(LibraryKernels, CodeHasEverySymbol) {
  if (!libraryCode("fold_factors", "sm_90", false))
    GTEST_SKIP() << "built without nvcc";
  for (bool ptx : {false, true}) {
    std::vector<LibraryLaunch> all{foldLaunch(LibraryType::F32, 1, 1),
                                   foldLaunch(LibraryType::BF16, 1, 1)};
    for (int64_t headDim : {64, 128, 40})
      for (int64_t maxLength : {128, 4096})
        for (LibraryType type : {LibraryType::BF16, LibraryType::F32}) {
          auto shape = llama(8192, 8, maxLength);
          shape.type = type;
          shape.headDim = headDim;
          auto forward = *attentionForwardLaunches(shape, "sm_90", ptx);
          auto grad = *attentionGradLaunches(shape, "sm_90", ptx);
          all.insert(all.end(), forward.begin(), forward.end());
          all.insert(all.end(), grad.begin(), grad.end());
        }
    for (const LibraryLaunch &launch : all) {
      auto code = libraryCode(launch.module, "sm_90", ptx);
      ASSERT_TRUE(code) << launch.module;
      EXPECT_NE(code->find(launch.symbol), std::string_view::npos)
          << launch.symbol;
    }
  }
  EXPECT_FALSE(libraryCode("fold_factors", "sm_70", false));
  EXPECT_FALSE(libraryCode("no_such_module", "sm_90", false));
  EXPECT_EQ(libraryCode("fold_factors", "sm_90", false)->substr(1, 3), "ELF");
}

} // namespace
