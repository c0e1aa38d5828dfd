//===- BackupManifest.h - What a backup consists of ------------*- C++ -*-===//
//
// A backup is one JSON object, backups/<number>-<time>-<SHA-256>.json, put
// last. It names every file's content by SHA-256; contents are
// objects/<SHA-256>, written once and never changed. docs/backup.md describes
// both.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/backup/Credentials.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

inline constexpr char kObjects[] = "objects/";
inline constexpr char kBackups[] = "backups/";

struct BackupFile {
  std::string path; ///< below the folder, with '/'
  std::uint64_t size = 0;
  std::string sha256;       ///< of the content, hexadecimal
  std::int64_t mtimeNs = 0; ///< since 1970
  unsigned mode = 0644;     ///< permissions, 0 to 0777
  bool operator==(const BackupFile &) const = default;
};

struct BackupManifest {
  Time created{};
  std::string source;            ///< the folder's name
  std::vector<BackupFile> files; ///< by path
  std::vector<std::string> emptyDirectories;

  std::uint64_t bytes() const; ///< of all files
  const BackupFile *find(std::string_view path) const;
  bool sameContent(const BackupManifest &other) const {
    return files == other.files && emptyDirectories == other.emptyDirectories;
  }

  std::string text() const;
  /// \throws Error(BadInput) naming `source` and the entry: no JSON, another
  ///   version, a path that leads out of the folder or comes twice.
  static BackupManifest parse(std::string_view text, const std::string &source);
};

/// The name of a backup's object, less "backups/".
struct BackupName {
  std::uint64_t number = 0; ///< counts up, whatever the clock says
  std::string time;         ///< "20261123T050000Z"
  std::string sha256;       ///< of the manifest's text

  std::string text() const;
  /// What users type: number and time.
  std::string shortText() const;
  static std::optional<BackupName> parse(std::string_view text);
};

bool isSha256(std::string_view text);

} // namespace llamarun
