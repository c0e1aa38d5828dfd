//===- Manifest.h - SHA-256 of the files of a directory --------*- C++ -*-===//
//
// SHA256SUMS as coreutils' sha256sum writes and checks it: one line a file, the
// digest in hexadecimal (FIPS 180-4), two spaces, the name.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace llamarun {

inline constexpr char kManifestFile[] = "SHA256SUMS";

/// In hexadecimal.
std::string sha256Of(std::span<const std::byte> bytes);
std::string sha256Of(std::string_view text);

/// Digest of each file by its name in the directory.
using Manifest = std::map<std::string, std::string>;

/// Digests of all files that are in `directory`, less the manifest's own.
/// \throws Error(BadInput) naming a file that cannot be read.
Manifest manifestOf(const std::filesystem::path &directory);

/// Writes SHA256SUMS and flushes it. \throws Error(Storage).
void writeManifest(const std::filesystem::path &directory,
                   const Manifest &manifest);

/// Checks every file that SHA256SUMS of `directory` lists. \returns them.
/// \throws Error(BadInput) naming the file that is missing, has changed, or
///   that is no manifest.
Manifest checkManifest(const std::filesystem::path &directory);

} // namespace llamarun
