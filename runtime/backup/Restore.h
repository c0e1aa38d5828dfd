//===- Restore.h - A backup to a folder ------------------------*- C++ -*-===//
#pragma once

#include "runtime/backup/BackupStore.h"

#include <filesystem>
#include <functional>
#include <string>

namespace llamarun {

struct RestoreOptions {
  std::filesystem::path output;
  std::string backup;     ///< number, or number and time; empty: the newest
  bool overwrite = false; ///< replace what is there
  std::function<void(const std::string &)> warn;
};

struct RestoreReport {
  std::string name;
  std::size_t files = 0, kept = 0; ///< kept: from a restore that was killed
  std::uint64_t bytes = 0;
};

/// Fetches a backup into "<output>.restoring" beside the output, compares every
/// file's SHA-256 with the manifest, flushes it and moves the folder to its
/// place. A restore that was killed goes on where it was. \throws
/// Error(BadInput) if there is no such backup or it is damaged, Error(Usage) if
/// the output holds something and may not be replaced, Error(Storage).
RestoreReport restoreBackup(BackupStore &store, const RestoreOptions &options);

} // namespace llamarun
