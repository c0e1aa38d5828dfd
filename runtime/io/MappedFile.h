//===- MappedFile.h - A file as read-only memory ---------------*- C++ -*-===//
//
// Pages are read when touched and belong to the page cache, so a checkpoint of
// many GB costs the process no memory of its own.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace llamarun {

/// Owns a private read-only mapping of a whole regular file. The descriptor is
/// closed at once; a file replaced by rename stays readable here in its old
/// state. (A file that another process truncates in place while it is mapped
/// raises SIGBUS, as with every mmap; our own writers only rename.)
class MappedFile {
public:
  /// Maps `path`; an empty file gives an empty span. Anything but a regular
  /// file (directory, FIFO, device) is refused without blocking.
  /// \throws Error(BadInput) naming path and reason.
  static MappedFile open(const std::filesystem::path &path);

  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data, size}; }
  std::string_view text() const {
    return {reinterpret_cast<const char *>(data), size};
  }
  const std::filesystem::path &path() const { return filePath; }

private:
  MappedFile() = default;

  const std::byte *data = nullptr;
  size_t size = 0;
  std::filesystem::path filePath;
};

} // namespace llamarun
