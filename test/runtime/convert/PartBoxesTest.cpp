// Any box of a tensor from parts of any layout, against its elements' numbers.
#include "runtime/convert/PartBoxes.h"

#include "runtime/io/AtomicFile.h"
#include "test/runtime/io/TestFiles.h"

#include <numeric>
#include <span>

using namespace llamarun;

namespace {

constexpr std::uint64_t kRows = 4, kColumns = 6;

/// A checkpoint of one tensor [4, 6] whose element i is i, split over the grid
/// a2 x b3 as `split` says.
Checkpoint make(const std::filesystem::path &directory, CheckpointSplit split) {
  makeDirectories(directory);
  Checkpoint c;
  c.directory = directory;
  c.grid = {{"a", 2}, {"b", 3}};
  CheckpointTensor t;
  t.name = "w";
  t.role = "parameter";
  t.dtype = DType::F32;
  t.shape = {kRows, kColumns};
  t.split = std::move(split);
  t.parts.resize(c.partCount(t));
  Shape local = c.partShape(t);
  for (std::size_t i = 0; i < t.parts.size(); ++i) {
    // Part i by hand: its place along the axes, the last of them fastest.
    std::vector<std::string> axes;
    for (auto &list : t.split)
      axes.insert(axes.end(), list.begin(), list.end());
    std::map<std::string, std::uint64_t> at;
    std::size_t rest = i;
    for (std::size_t j = axes.size(); j-- > 0;) {
      std::size_t size = axes[j] == "a" ? 2 : 3;
      at[axes[j]] = rest % size;
      rest /= size;
    }
    std::uint64_t first[2] = {0, 0};
    for (std::size_t d = 0; d < 2; ++d) {
      std::uint64_t index = 0;
      for (auto &axis : t.split[d])
        index = index * (axis == "a" ? 2 : 3) + at[axis];
      first[d] = index * local[d];
    }
    std::vector<float> values;
    for (std::uint64_t r = 0; r < local[0]; ++r)
      for (std::uint64_t k = 0; k < local[1]; ++k)
        values.push_back(
            static_cast<float>((first[0] + r) * kColumns + first[1] + k));
    auto bytes = std::as_bytes(std::span(values));
    std::string file = rankFileName(static_cast<unsigned>(i));
    TensorView view{t.key(), t.dtype, local, bytes};
    c.files[file] = writeCheckpointFile(directory, file, std::span(&view, 1));
    t.parts[i] = {file, hashOf(bytes)};
  }
  c.tensors[t.key()] = t;
  return c;
}

std::vector<float> read(const Checkpoint &c, Shape local, Shape first) {
  CheckpointReader reader(c);
  const CheckpointTensor &t = c.tensors.begin()->second;
  auto bytes = readBox(reader, c, t, {t.shape, local, first});
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(PartBoxes, EveryBoxOfEverySplit) {
  const CheckpointSplit kSplits[] = {
      {{}, {}},    {{"a"}, {}},      {{}, {"b"}},      {{"a"}, {"b"}},
      {{}, {"a"}}, {{}, {"a", "b"}}, {{}, {"b", "a"}},
  };
  TemporaryDirectory directory;
  int number = 0;
  for (auto &split : kSplits) {
    Checkpoint c = make(directory / std::to_string(number++), split);
    for (std::uint64_t r0 = 0; r0 < kRows; ++r0)
      for (std::uint64_t r1 = r0 + 1; r1 <= kRows; ++r1)
        for (std::uint64_t c0 = 0; c0 < kColumns; ++c0)
          for (std::uint64_t c1 = c0 + 1; c1 <= kColumns; ++c1) {
            std::vector<float> expected;
            for (auto r = r0; r < r1; ++r)
              for (auto k = c0; k < c1; ++k)
                expected.push_back(static_cast<float>(r * kColumns + k));
            ASSERT_EQ(read(c, {r1 - r0, c1 - c0}, {r0, c0}), expected)
                << "split " << number - 1 << " rows " << r0 << ".." << r1
                << " columns " << c0 << ".." << c1;
          }
  }
}

TEST(PartBoxes, OfAVectorAndOfANumber) {
  for (std::size_t rank : {0u, 1u}) {
    TemporaryDirectory directory;
    Checkpoint c;
    c.directory = directory.path;
    CheckpointTensor t;
    t.name = "v";
    t.role = "state";
    t.dtype = DType::F32;
    t.shape = Shape(rank, 3);
    t.split.resize(rank);
    std::vector<float> values(rank ? 3 : 1);
    std::iota(values.begin(), values.end(), 1.f);
    TensorView view{t.key(), t.dtype, t.shape,
                    std::as_bytes(std::span(values))};
    c.files[rankFileName(0)] = writeCheckpointFile(
        directory.path, rankFileName(0), std::span(&view, 1));
    t.parts = {{rankFileName(0), hashOf(view.bytes)}};
    c.tensors[t.key()] = t;
    EXPECT_EQ(read(c, t.shape, Shape(rank, 0)), values);
  }
}

TEST(PartBoxes, ADamagedPartIsNamedByFileAndTensor) {
  TemporaryDirectory directory;
  Checkpoint c = make(directory / "c", {{"a"}, {}});
  auto path = directory / "c" / rankFileName(1);
  std::string bytes = readAll(path);
  bytes.back() ^= 1;
  writeAll(path, bytes);
  // What does not touch it is not read.
  EXPECT_EQ(read(c, {1, 2}, {0, 0}), (std::vector<float>{0, 1}));
  expectError(ExitCode::BadInput, {path.string(), "parameter/w", "is damaged"},
              [&] {
                read(c, {1, 1}, {3, 0});
              });
}

} // namespace
