//===- CheckpointFiles.h - Reading and writing checkpoints -----*- C++ -*-===//
#pragma once

#include "runtime/io/Checkpoint.h"
#include "runtime/io/Safetensors.h"

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>

namespace llamarun {

/// The parts of a checkpoint's tensors, checked when they are read. Files are
/// mapped as they are needed. `checkpoint` must outlive it.
class CheckpointReader {
public:
  explicit CheckpointReader(const Checkpoint &checkpoint)
      : checkpoint(checkpoint) {}

  /// The elements of part `i`, row-major; valid as long as this object.
  /// \throws Error(BadInput) naming file and tensor if it is missing, of
  ///   another dtype or shape than checkpoint.json says, or damaged.
  std::span<const std::byte> read(const CheckpointTensor &tensor,
                                  std::size_t i);

  /// Checks the rest of the files read from so far: what is no tensor's.
  /// \throws Error(BadInput) naming the file.
  void finish();

private:
  const SafetensorsFile &open(const std::string &name);

  const Checkpoint &checkpoint;
  std::map<std::string, SafetensorsFile> files;
};

/// Writes one rank's file of `directory` and flushes it to the disk.
/// \returns what checkpoint.json says of it. \throws Error(Storage).
CheckpointFile writeCheckpointFile(const std::filesystem::path &directory,
                                   const std::string &name,
                                   std::span<const TensorView> tensors);

/// A checkpoint under construction: a directory beside its place. commit() puts
/// it there in one step, so that there is always a whole checkpoint: the old
/// one or the new one. Without commit() it is removed.
class CheckpointDirectory {
public:
  /// \throws Error(Storage) if `target` cannot be made; Error(Usage) if it is
  ///   something else than a checkpoint or an empty directory.
  explicit CheckpointDirectory(std::filesystem::path target);
  /// One whose files are already being written to `temporary`, which lies
  /// beside `target`: by other ranks.
  CheckpointDirectory(std::filesystem::path target,
                      std::filesystem::path temporary);
  ~CheckpointDirectory();
  CheckpointDirectory(const CheckpointDirectory &) = delete;
  CheckpointDirectory &operator=(const CheckpointDirectory &) = delete;

  /// Where its files are to be written.
  const std::filesystem::path &path() const { return temporary; }

  /// Checks that all files are there, writes checkpoint.json and SHA256SUMS of
  /// all that is there, and moves the directory to its place. \throws
  /// Error(Storage).
  void commit(const Checkpoint &checkpoint);

private:
  std::filesystem::path target, temporary;
  bool done = false;
};

} // namespace llamarun
