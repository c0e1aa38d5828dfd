//===- BackupStore.h - The backups below one prefix ------------*- C++ -*-===//
#pragma once

#include "runtime/backup/BackupManifest.h"
#include "runtime/backup/S3Client.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace llamarun {

/// What backup and restore both read.
class BackupStore {
public:
  BackupStore(S3Client &client, S3Location location)
      : client(client), location(std::move(location)) {}

  /// In their order, the newest last. Other objects there are not looked at.
  std::vector<BackupName> backups();
  /// \throws Error(BadInput) naming the object if it is not what its name says.
  BackupManifest read(const BackupName &name);
  /// Puts `manifest` after all others.
  BackupName add(const BackupManifest &manifest,
                 const std::optional<BackupName> &newest);
  /// Size of each content by its digest.
  std::map<std::string, std::uint64_t> objects();

  std::string objectKey(const std::string &sha256) const {
    return location.key(kObjects + sha256);
  }
  std::string backupKey(const BackupName &name) const {
    return location.key(kBackups + name.text());
  }
  /// "s3://bucket/prefix/backups/<number>-<time>"
  std::string text(const BackupName &name) const;

  S3Client &client;
  S3Location location;
};

} // namespace llamarun
