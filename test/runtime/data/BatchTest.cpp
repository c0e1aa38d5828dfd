#include "runtime/data/Batch.h"

#include "test/runtime/data/TestFiles.h"

#include <cmath>

using namespace llamarun;
using namespace llamarun::test;
using Ints = std::vector<int32_t>;

static const std::vector<Ints> kSequences = {{7, 8, 9}, {5}, {6, 4}};

TEST(Batch, PacksClassification) {
  std::vector<float> labels = {1, std::nanf(""), 0};
  Batch batch = pack(kSequences, labels, HeadKind::Classification, 8, 4);
  EXPECT_EQ(batch.inputIds, (Ints{7, 8, 9, 5, 6, 4, 0, 0}));
  EXPECT_EQ(batch.positions, (Ints{0, 1, 2, 0, 0, 1, 0, 0}));
  EXPECT_EQ(batch.cuSeqlens, (Ints{0, 3, 4, 6, 6}));
  EXPECT_EQ(batch.lastToken, (Ints{2, 3, 5, 0}));
  EXPECT_EQ(batch.poolIndex, (Ints{-1, -1, 0, 1, -1, 2, -1, -1}));
  EXPECT_EQ(batch.labels, (Ints{1, -100, 0, -100}));
  EXPECT_TRUE(batch.scores.empty());
  EXPECT_EQ(batch.tokens, 6);
  EXPECT_EQ(batch.sequences, 3);
  EXPECT_EQ(batch.labelCount, 2);
}

TEST(Batch, PacksRegression) {
  std::vector<float> labels = {2.5f, 0, std::nanf("")};
  Batch batch = pack(kSequences, labels, HeadKind::Regression, 6, 4);
  ASSERT_EQ(batch.scores.size(), 4u);
  EXPECT_EQ(batch.scores[0], 2.5f);
  EXPECT_EQ(batch.scores[1], 0);
  EXPECT_TRUE(std::isnan(batch.scores[2]));
  EXPECT_TRUE(std::isnan(batch.scores[3]));
  EXPECT_TRUE(batch.labels.empty());
  EXPECT_EQ(batch.labelCount, 2);
  EXPECT_EQ(pack(kSequences, {}, HeadKind::Regression, 6, 4).labelCount, 0);
}

TEST(Batch, PacksNextTokens) {
  Batch batch = pack(kSequences, {}, HeadKind::CausalLM, 8, 3);
  EXPECT_EQ(batch.labels, (Ints{8, 9, -100, -100, 4, -100, -100, -100}));
  EXPECT_EQ(batch.labelCount, 3);
  EXPECT_EQ(batch.cuSeqlens, (Ints{0, 3, 4, 6}));
}

TEST(Batch, RefusesWhatDoesNotFit) {
  auto tryPack = [](const std::vector<Ints> &sequences,
                    std::vector<float> labels, int32_t tokens,
                    int32_t sequencesOfProgram) {
    return pack(sequences, labels, HeadKind::Classification, tokens,
                sequencesOfProgram);
  };
  expectError(ExitCode::BadInput,
              "sequence 2 of 2 tokens does not fit the remaining 1 of a bucket "
              "of 5",
              [&] { tryPack(kSequences, {}, 5, 4); });
  expectError(ExitCode::BadInput, "3 sequences does not fit a program of 2",
              [&] { tryPack(kSequences, {}, 8, 2); });
  expectError(ExitCode::BadInput, "sequence 1 of a batch has no tokens", [&] {
    tryPack({{1}, {}}, {}, 8, 2);
  });
  expectError(ExitCode::Usage, "1 labels for 3 sequences",
              [&] { tryPack(kSequences, {1}, 8, 4); });
  expectError(ExitCode::Usage, "label 0.5 of sequence 1", [&] {
    tryPack(kSequences, {1, 0.5f, 1}, 8, 4);
  });
  expectError(ExitCode::Usage, "is no class id", [&] {
    tryPack(kSequences, {1, 1e30f, 1}, 8, 4);
  });
  expectError(ExitCode::Usage, "holds nothing",
              [&] { tryPack(kSequences, {}, 0, 4); });
}

TEST(Batch, ChoosesTheSmallestBucket) {
  Ints buckets = {64, 128, 256};
  EXPECT_EQ(chooseBucket(buckets, 1), 64);
  EXPECT_EQ(chooseBucket(buckets, 64), 64);
  EXPECT_EQ(chooseBucket(buckets, 65), 128);
  EXPECT_EQ(chooseBucket(buckets, 256), 256);
  expectError(ExitCode::BadInput,
              "sequence longer than the plan's bucket: 257 tokens, the largest "
              "bucket holds 256",
              [&] { chooseBucket(buckets, 257); });
  expectError(ExitCode::BadInput, "holds 0", [] { chooseBucket({}, 1); });
}
