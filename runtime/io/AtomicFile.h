//===- AtomicFile.h - Files that appear whole or not at all ----*- C++ -*-===//
//
// Write beside the target, fsync, rename, fsync the directory: after a crash or
// on a full disk the old file is intact, and after commit() the new one is on
// the disk. All errors are Error(Storage) naming the path and errno's text.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>
#include <deque>
#include <filesystem>
#include <span>
#include <string_view>

namespace llamarun {

/// One file under construction at `<target>.tmp-<pid>`; destroying it without
/// commit() removes the temporary. At most one per target and process at a
/// time. A target that is a symbolic link is replaced, not followed.
class AtomicFile {
public:
  explicit AtomicFile(std::filesystem::path target);
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;
  ~AtomicFile();

  /// Appends. Bytes reach the kernel here, so a full disk shows here.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);

  /// sync(), rename over the target, fsync of the directory.
  void commit();

  const std::filesystem::path &target() const { return targetPath; }

private:
  friend class AtomicFileSet;
  void sync();
  void rename();
  void syncDirectory() const;

  std::filesystem::path targetPath;
  std::filesystem::path temporaryPath;
  int fd = -1;
  bool renamed = false;
};

/// Several files written as one: every temporary is complete and on the disk
/// before the first rename, so whatever can fail for lack of space or
/// permission fails while all old files are still in place. (POSIX has no
/// rename of several files: power lost between two renames can still leave a
/// mixture of old and new, each of them whole.)
class AtomicFileSet {
public:
  /// Starts a file; the reference is valid as long as the set.
  AtomicFile &add(std::filesystem::path target);
  void commit();

private:
  std::deque<AtomicFile> files;
};

/// Creates `directory` and its parents. \throws Error(Storage) naming it.
void makeDirectories(const std::filesystem::path &directory);

/// Replaces `target` with `text` in one call.
void writeFileAtomically(const std::filesystem::path &target,
                         std::string_view text);

} // namespace llamarun
