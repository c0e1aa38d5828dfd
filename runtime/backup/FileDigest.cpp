#include "runtime/backup/FileDigest.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace llamarun {

struct Sha256Stream::State {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

static void require(bool good) {
  if (!good)
    fail(ExitCode::Storage, "libcrypto refuses to compute SHA-256");
}

Sha256Stream::Sha256Stream() : state(std::make_unique<State>()) {
  require(state->context &&
          EVP_DigestInit_ex(state->context, EVP_sha256(), nullptr) == 1);
}

Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::add(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(state->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256Stream::finish() {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  require(EVP_DigestFinal_ex(state->context, digest.data(), &size) == 1 &&
          size == digest.size());
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : digest)
    (text += kHex[byte >> 4]) += kHex[byte & 15];
  return text;
}

SourceReader::SourceReader(std::filesystem::path thePath)
    : path(std::move(thePath)) {
  // O_NONBLOCK: a FIFO without a writer must not hang.
  fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
      throw SourceChanged{path.string()};
    fail(ExitCode::BadInput, path.string(),
         ": cannot read: ", std::generic_category().message(errno));
  }
  struct stat info;
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    throw SourceChanged{path.string()};
  }
}

SourceReader::~SourceReader() { ::close(fd); }

void SourceReader::read(std::uint64_t offset,
                        std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    ssize_t count =
        ::pread(fd, bytes.data(), std::min<std::size_t>(bytes.size(), 1u << 30),
                static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      fail(ExitCode::BadInput, path.string(),
           ": cannot read: ", std::generic_category().message(errno));
    if (count == 0)
      throw SourceChanged{path.string()};
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

std::string SourceReader::digest(std::uint64_t size) const {
  Sha256Stream stream;
  std::vector<std::byte> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(size, 1u << 20)));
  for (std::uint64_t at = 0; at < size;) {
    auto piece = std::span(buffer).first(static_cast<std::size_t>(
        std::min<std::uint64_t>(buffer.size(), size - at)));
    read(at, piece);
    stream.add(piece);
    at += piece.size();
  }
  return stream.finish();
}

} // namespace llamarun
