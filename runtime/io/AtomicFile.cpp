//===- AtomicFile.cpp - Files that appear whole or not at all -------------===//
#include "runtime/io/AtomicFile.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace llamarun {
namespace {

[[noreturn]] void failStorage(const std::filesystem::path &path,
                              const char *what, int error) {
  fail(ExitCode::Storage, path.string(), ": cannot ", what, ": ",
       std::generic_category().message(error));
}

} // namespace

AtomicFile::AtomicFile(std::filesystem::path target)
    : targetPath(std::move(target)), temporaryPath(targetPath) {
  temporaryPath += ".tmp-" + std::to_string(::getpid());
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  // A temporary of our own pid is left over from a killed process (containers
  // reuse small pids): remove it once.
  for (bool retried = false;;) {
    fd = ::open(temporaryPath.c_str(), kFlags, 0666);
    if (fd >= 0)
      return;
    if (errno == EINTR)
      continue;
    if (errno == EEXIST && !retried && ::unlink(temporaryPath.c_str()) == 0) {
      retried = true;
      continue;
    }
    failStorage(targetPath, "create", errno);
  }
}

AtomicFile::~AtomicFile() {
  if (fd >= 0)
    ::close(fd);
  if (!renamed)
    ::unlink(temporaryPath.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    // Linux transfers at most 2^31 - 4096 bytes a call.
    ssize_t written =
        ::write(fd, bytes.data(), std::min<size_t>(bytes.size(), 1u << 30));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      failStorage(targetPath, "write", written < 0 ? errno : EIO);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::sync() {
  if (fd < 0)
    return;
  // Never retried: after a failed fsync the kernel may have dropped the pages.
  if (::fsync(fd) != 0)
    failStorage(targetPath, "flush to disk", errno);
  // NFS reports a full disk or quota as late as close().
  if (::close(std::exchange(fd, -1)) != 0 && errno != EINTR)
    failStorage(targetPath, "close", errno);
}

void AtomicFile::rename() {
  if (::rename(temporaryPath.c_str(), targetPath.c_str()) != 0)
    failStorage(targetPath, "replace", errno);
  renamed = true;
}

void AtomicFile::syncDirectory() const {
  std::filesystem::path directory = targetPath.parent_path();
  if (directory.empty())
    directory = ".";
  int directoryFd =
      ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directoryFd < 0) {
    // Writable but not readable is a legal directory; its entry is then as
    // durable as the file system makes it by itself.
    if (errno == EACCES)
      return;
    failStorage(directory, "open", errno);
  }
  int error = ::fsync(directoryFd) == 0 ? 0 : errno;
  ::close(directoryFd);
  // Some network and FUSE file systems cannot fsync a directory.
  if (error != 0 && error != EINVAL && error != ENOTSUP)
    failStorage(directory, "flush to disk", error);
}

void AtomicFile::commit() {
  sync();
  rename();
  syncDirectory();
}

AtomicFile &AtomicFileSet::add(std::filesystem::path target) {
  return files.emplace_back(std::move(target));
}

void AtomicFileSet::commit() {
  for (AtomicFile &file : files)
    file.sync();
  for (AtomicFile &file : files)
    file.rename();
  for (const AtomicFile &file : files)
    file.syncDirectory();
}

void makeDirectories(const std::filesystem::path &directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error)
    failStorage(directory, "create directory", error.value());
  // create_directories says nothing where a symbolic link leads nowhere.
  if (!std::filesystem::is_directory(directory, error))
    failStorage(directory, "create directory", ENOTDIR);
}

void writeFileAtomically(const std::filesystem::path &target,
                         std::string_view text) {
  AtomicFile file(target);
  file.write(text);
  file.commit();
}

} // namespace llamarun
