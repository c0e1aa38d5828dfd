//===- SourceTree.h - What of a folder a backup takes ----------*- C++ -*-===//
#pragma once

#include "runtime/backup/BackupManifest.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace llamarun {

/// Absolute, without a slash at its end, links resolved as far as it exists.
std::filesystem::path folderPath(const std::filesystem::path &path);

/// The files of `root`, without digests: all regular files at any depth, but
///   - what llamarun has under construction (`*.tmp-<number>`,
///     `checkpoint-<n>.tmp-*`, `checkpoint-<n>.old-*`);
///   - a checkpoint (a folder with checkpoint.json and SHA256SUMS) that is not
///     complete. Those whose files all have size and time of `last` were
///     checked then.
/// Symbolic links, devices and the like are told to `warn` and left out.
/// \throws Error(BadInput) naming a folder that cannot be read, or a name that
///   is not UTF-8; SourceChanged if something goes while it looks.
BackupManifest scanSource(const std::filesystem::path &root,
                          const BackupManifest *last,
                          const std::function<void(const std::string &)> &warn);

/// Takes from `last` the digest of each file whose size and time are the same
/// and lie well before `last` was made, and computes the others. \param all
/// compute every one.
void addDigests(BackupManifest &tree, const std::filesystem::path &root,
                const BackupManifest *last, bool all,
                const std::function<bool()> &stop);

} // namespace llamarun
