//===- Upload.h - One file's content to one object -------------*- C++ -*-===//
#pragma once

#include "runtime/backup/FileDigest.h"
#include "runtime/backup/S3Client.h"

#include <cstdint>
#include <string>

namespace llamarun {

/// Larger files go in parts.
inline constexpr std::uint64_t kPartSize = std::uint64_t(8) << 20;

/// Bytes of each part but the last: 8 MiB, more where S3's 10,000 parts would
/// not do.
std::uint64_t partSizeOf(std::uint64_t fileSize);

/// Puts the first `size` bytes of `source`, whose SHA-256 must still be
/// `sha256`, into the object `key`. What is not finished is aborted. \throws
/// SourceChanged, and what S3Client does.
void uploadFile(S3Client &client, const std::string &key,
                const SourceReader &source, std::uint64_t size,
                const std::string &sha256);

} // namespace llamarun
