#include "runtime/io/Manifest.h"

#include "runtime/io/AtomicFile.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <array>
#include <openssl/evp.h>

namespace llamarun {

namespace fs = std::filesystem;

static constexpr std::size_t kDigits = 64;
static constexpr std::string_view kHex = "0123456789abcdef";

std::string sha256Of(std::span<const std::byte> bytes) {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(),
                 nullptr) != 1 ||
      size != digest.size())
    fail(ExitCode::Storage, "libcrypto refuses to compute SHA-256");
  std::string text;
  for (unsigned char byte : digest) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::string sha256Of(std::string_view text) {
  return sha256Of(std::as_bytes(std::span(text.data(), text.size())));
}

Manifest manifestOf(const fs::path &directory) {
  Manifest manifest;
  for (auto &entry : fs::directory_iterator(directory)) {
    std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name != kManifestFile)
      manifest[name] = sha256Of(MappedFile::open(entry.path()).bytes());
  }
  return manifest;
}

void writeManifest(const fs::path &directory, const Manifest &manifest) {
  std::string text;
  for (auto &[name, digest] : manifest)
    text += digest + "  " + name + "\n";
  writeFileAtomically(directory / kManifestFile, text);
}

static Manifest parse(const fs::path &path, std::string_view text) {
  Manifest manifest;
  while (!text.empty()) {
    auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    std::string_view name = line.substr(std::min(line.size(), kDigits + 2));
    // A name must not lead out of the directory.
    if (end == text.npos || name.empty() || name == "." || name == ".." ||
        name.find('/') != name.npos || line.substr(kDigits, 2) != "  " ||
        line.substr(0, kDigits).find_first_not_of(kHex) != line.npos)
      fail(ExitCode::BadInput, path.string(), ": line ", manifest.size() + 1,
           " is none of sha256sum, or is cut off");
    if (!manifest.emplace(name, line.substr(0, kDigits)).second)
      fail(ExitCode::BadInput, path.string(), ": lists ", quoteName(name),
           " twice");
    text.remove_prefix(end + 1);
  }
  return manifest;
}

Manifest checkManifest(const fs::path &directory) {
  fs::path path = directory / kManifestFile;
  Manifest manifest = parse(path, MappedFile::open(path).text());
  for (auto &[name, digest] : manifest)
    if (sha256Of(MappedFile::open(directory / name).bytes()) != digest)
      fail(ExitCode::BadInput, (directory / name).string(),
           ": is damaged: its SHA-256 is not that of ", kManifestFile);
  return manifest;
}

} // namespace llamarun
