//===- Backup.h - A run's folder to S3 -------------------------*- C++ -*-===//
#pragma once

#include "runtime/backup/BackupStore.h"

#include <filesystem>
#include <functional>
#include <string>

namespace llamarun {

struct BackupOptions {
  std::filesystem::path source;
  std::uint64_t keepLast = 0; ///< backups that stay; 0 = all
  bool checksum = false;      ///< read every file, trust no time
  std::function<void(const std::string &)> warn;
  std::function<bool()> stop = [] { return false; };
};

struct BackupReport {
  std::string name; ///< of the backup, or of the newest that is still the same
  bool made = false;
  std::size_t files = 0, uploaded = 0;
  std::uint64_t bytes = 0, uploadedBytes = 0;
  std::size_t removedBackups = 0, removedObjects = 0;

  /// One line.
  std::string text() const;
};

/// Makes one backup: contents that are not there yet, then the manifest. If
/// nothing changed since the newest, there is nothing to make. One process at a
/// time writes below a prefix. \throws Error(BadInput) for a folder without
/// files or a file that never holds still, Error(Storage), Stopped.
BackupReport makeBackup(BackupStore &store, const BackupOptions &options);

} // namespace llamarun
