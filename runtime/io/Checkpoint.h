//===- Checkpoint.h - What a checkpoint directory holds --------*- C++ -*-===//
//
// checkpoint.json and one safetensors file for each rank that has something of
// its own; docs/checkpoints.md describes both.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/io/DType.h"
#include "runtime/io/Safetensors.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

inline constexpr char kCheckpointFile[] = "checkpoint.json";
/// Of a run, and a checkpoint's copy of what it was then.
inline constexpr char kMetricsFile[] = "metrics.jsonl";

/// One axis of the grid of ranks that wrote a checkpoint.
struct CheckpointAxis {
  std::string name;
  unsigned size = 1;
  bool operator==(const CheckpointAxis &) const = default;
};
using CheckpointGrid = std::vector<CheckpointAxis>;

/// As --shard spells it: "ddp2,tp2", "ddp4", "tp2"; "ddp1" for one device.
std::string layoutName(const CheckpointGrid &grid);

/// Which axes of a grid split each dimension of a tensor, by their names; axes
/// of size 1 split nothing and are left out.
using CheckpointSplit = std::vector<std::vector<std::string>>;

/// A part of a tensor on the disk, in its file under CheckpointTensor::key().
struct CheckpointPart {
  std::string file; ///< in the checkpoint's directory
  std::string hash; ///< hashOf() the part's elements
};

struct CheckpointTensor {
  std::string name; ///< as in the plan
  std::string role; ///< "parameter", "first_moment", "second_moment", "state"
  DType dtype = DType::F32;
  Shape shape; ///< of the whole tensor
  CheckpointSplit split;
  /// In the order of the axes that split, those of dimension 0 first, the last
  /// fastest; one if it is whole.
  std::vector<CheckpointPart> parts;

  std::string key() const { return role + "/" + name; }
};

/// Where training stood.
struct TrainingPosition {
  std::uint64_t step = 0;      ///< optimizer steps done
  std::uint64_t epoch = 0;     ///< epochs done
  std::uint64_t epochStep = 0; ///< steps done of the one after them
  std::uint64_t seed = 0;
  std::uint64_t dataSeed = 0;
  bool operator==(const TrainingPosition &) const = default;
};

/// What a run has added up for the lines of metrics.jsonl that are still to
/// come. Without it a run that goes on starts its sums anew.
struct RunningSums {
  double loss = 0, taskLoss = 0; ///< since the last line
  double allLoss = 0;            ///< since the first step
  std::uint64_t count = 0;       ///< steps since the last line
  std::uint64_t tokens = 0;
  double trainSeconds = 0, seconds = 0; ///< in steps; by the clock
  /// Of losses that ranks have not told each other yet, by rank.
  std::vector<double> shares;
  std::uint64_t samples = 0; ///< examples of an epoch
  /// False if the step's evaluation is still to come: a stopped run's.
  bool evaluated = true;
  /// Of metrics.jsonl, whose bytes so far are the checkpoint's own copy.
  std::uint64_t metricsBytes = 0;
  /// For ranks of another layout: the shares in the sums.
  RunningSums folded() const;
  bool operator==(const RunningSums &) const = default;
};

struct CheckpointFile {
  std::uint64_t bytes = 0;
  std::string hash; ///< hashOf() all of it
};

/// checkpoint.json.
struct Checkpoint {
  std::filesystem::path directory;
  CheckpointGrid grid;
  TrainingPosition position;
  std::optional<RunningSums> sums;
  /// Of `checkpoint-<step>`: what must be the same to go on, and what it was,
  /// by the flag that sets it.
  std::map<std::string, std::string> settings;
  /// Runs that begin in a folder with checkpoints of others have a higher one:
  /// theirs are the newer ones, whatever the steps.
  std::uint64_t generation = 0;
  std::string planHash;  ///< of the plan that trained it
  std::string modelHash; ///< of the model.mlir that plan was made from
  std::map<std::string, CheckpointTensor> tensors; ///< by key()
  std::map<std::string, CheckpointFile> files;     ///< by name

  /// Reads and checks checkpoint.json; the other files are not touched.
  /// \throws Error(BadInput) naming file and key or tensor: malformed, of
  ///   another version, changed since it was written, a file name that is not
  ///   one of this directory, parts that do not make up their tensor.
  static Checkpoint open(const std::filesystem::path &directory);
  /// The text of checkpoint.json.
  std::string text() const;

  /// Parts that `tensor` has, and the shape of each. \throws Error(BadInput)
  /// naming the tensor if a dimension does not fall into equal parts.
  std::size_t partCount(const CheckpointTensor &tensor) const;
  Shape partShape(const CheckpointTensor &tensor) const;
  /// The rank whose file holds a part: the lowest that has it. Ranks count the
  /// grid's points row by row.
  unsigned ownerOf(const CheckpointTensor &tensor, std::size_t part) const;

private:
  /// Devices along the axes that split dimension `d`.
  std::uint64_t cutsOf(const CheckpointTensor &tensor, std::size_t d) const;
};

/// "rank-00003.safetensors"
std::string rankFileName(unsigned rank);

/// XXH3-128 in hexadecimal.
std::string hashOf(std::span<const std::byte> bytes);

} // namespace llamarun
