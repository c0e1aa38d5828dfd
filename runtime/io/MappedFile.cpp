//===- MappedFile.cpp - A file as read-only memory ------------------------===//
#include "runtime/io/MappedFile.h"

#include "runtime/support/Error.h"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace llamarun {
namespace {

[[noreturn]] void failRead(const std::filesystem::path &path, int error) {
  fail(ExitCode::BadInput, path.string(),
       ": cannot read: ", std::generic_category().message(error));
}

} // namespace

MappedFile MappedFile::open(const std::filesystem::path &path) {
  // O_NONBLOCK: opening a FIFO that has no writer must not hang.
  int fd;
  do
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  while (fd < 0 && errno == EINTR);
  if (fd < 0)
    failRead(path, errno);

  MappedFile file;
  file.filePath = path;
  struct stat info;
  int error = 0;
  if (::fstat(fd, &info) != 0) {
    error = errno;
  } else if (!S_ISREG(info.st_mode)) {
    error = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
  } else if (static_cast<uintmax_t>(info.st_size) > SIZE_MAX) {
    error = EFBIG;
  } else if (info.st_size > 0) {
    auto size = static_cast<size_t>(info.st_size);
    void *address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED) {
      error = errno;
    } else {
      file.data = static_cast<const std::byte *>(address);
      file.size = size;
    }
  }
  ::close(fd);
  if (error != 0)
    failRead(path, error);
  return file;
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : data(std::exchange(other.data, nullptr)),
      size(std::exchange(other.size, 0)), filePath(std::move(other.filePath)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(data, other.data);
  std::swap(size, other.size);
  std::swap(filePath, other.filePath);
  return *this;
}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<std::byte *>(data), size);
}

} // namespace llamarun
