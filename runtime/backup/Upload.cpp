#include "runtime/backup/Upload.h"

#include "runtime/io/Manifest.h"

#include <algorithm>
#include <vector>

namespace llamarun {

std::uint64_t partSizeOf(std::uint64_t fileSize) {
  constexpr std::uint64_t kMostParts = 10'000, kMiB = std::uint64_t(1) << 20;
  std::uint64_t least = (fileSize + kMostParts - 1) / kMostParts;
  return std::max(kPartSize, (least + kMiB - 1) / kMiB * kMiB);
}

static void uploadWhole(S3Client &client, const std::string &key,
                        const SourceReader &source, std::uint64_t size,
                        const std::string &sha256) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  source.read(0, bytes);
  if (sha256Of(bytes) != sha256)
    throw SourceChanged{source.name()};
  client.put(key, bytes, sha256);
}

static void uploadParts(S3Client &client, const S3Upload &upload,
                        const SourceReader &source, std::uint64_t size,
                        const std::string &sha256) {
  std::vector<std::byte> buffer(static_cast<std::size_t>(partSizeOf(size)));
  std::vector<S3Part> parts;
  Sha256Stream whole;
  for (std::uint64_t at = 0; at < size;) {
    auto bytes = std::span(buffer).first(static_cast<std::size_t>(
        std::min<std::uint64_t>(buffer.size(), size - at)));
    source.read(at, bytes);
    whole.add(bytes);
    parts.push_back(client.uploadPart(upload,
                                      static_cast<unsigned>(parts.size() + 1),
                                      bytes, sha256Of(bytes)));
    at += bytes.size();
  }
  // Before it becomes an object: its name is the digest of what it holds.
  if (whole.finish() != sha256)
    throw SourceChanged{source.name()};
  client.completeUpload(upload, parts, size);
}

static void giveUp(S3Client &client, const S3Upload &upload) {
  try {
    client.abortUpload(upload);
  } catch (const Error &) { // the next backup looks for such
  }
}

void uploadFile(S3Client &client, const std::string &key,
                const SourceReader &source, std::uint64_t size,
                const std::string &sha256) {
  if (size <= kPartSize)
    return uploadWhole(client, key, source, size, sha256);
  for (int attempt = 1;; ++attempt) {
    S3Upload upload{key, client.createUpload(key)};
    try {
      uploadParts(client, upload, source, size, sha256);
      break;
    } catch (const S3Error &error) {
      // Somebody, or a rule of the bucket, aborted it: once more from the
      // start.
      if (error.fault.code == "NoSuchUpload" && attempt < 3)
        continue;
      giveUp(client, upload);
      throw;
    } catch (const Error &) {
      giveUp(client, upload);
      throw;
    } catch (const SourceChanged &) {
      giveUp(client, upload);
      throw;
    }
  }
  if (client.sizeOf(key) != size)
    fail(ExitCode::Storage, key,
         ": the object that was put together does not "
         "have the file's ",
         size, " bytes");
}

} // namespace llamarun
