//===- FileDigest.h - Bytes of files that others may change ----*- C++ -*-===//
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace llamarun {

/// SHA-256 of bytes that come piece by piece.
class Sha256Stream {
public:
  Sha256Stream();
  ~Sha256Stream();
  void add(std::span<const std::byte> bytes);
  /// In hexadecimal; the last call.
  std::string finish();

private:
  struct State;
  std::unique_ptr<State> state;
};

/// A file went, shrank or changed while a backup was made of it: look again.
struct SourceChanged {
  std::string path;
};

/// A regular file to read from, as it was when it was opened: what is appended
/// later is not part of it.
class SourceReader {
public:
  /// \throws SourceChanged if it is gone or not a regular file, Error(BadInput)
  /// naming it if it cannot be read.
  explicit SourceReader(std::filesystem::path path);
  ~SourceReader();
  SourceReader(const SourceReader &) = delete;
  SourceReader &operator=(const SourceReader &) = delete;

  /// Fills `bytes` from `offset`. \throws SourceChanged if it ends before.
  void read(std::uint64_t offset, std::span<std::byte> bytes) const;
  std::string name() const { return path.string(); }
  /// Of the first `size` bytes.
  std::string digest(std::uint64_t size) const;

private:
  std::filesystem::path path;
  int fd = -1;
};

} // namespace llamarun
