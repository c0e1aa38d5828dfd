#include "runtime/backup/Restore.h"

#include "runtime/backup/FileDigest.h"
#include "runtime/backup/SourceTree.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace llamarun {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void failStorage(const fs::path &path, const char *what,
                              int error = errno) {
  fail(ExitCode::Storage, path.string(), ": cannot ", what, ": ",
       std::generic_category().message(error));
}

void syncDirectory(const fs::path &directory) {
  int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    failStorage(directory, "open");
  int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  // Some file systems cannot.
  if (error && error != EINVAL && error != ENOTSUP)
    failStorage(directory, "flush to disk", error);
}

BackupName choose(BackupStore &store, const std::string &wanted) {
  auto names = store.backups();
  if (names.empty())
    fail(ExitCode::BadInput, store.location.text(), ": holds no backup");
  if (wanted.empty())
    return names.back();
  for (auto &name : names)
    if (wanted == name.shortText() || wanted == std::to_string(name.number) ||
        wanted == name.text())
      return name;
  fail(ExitCode::BadInput, store.location.text(), ": holds no backup ",
       quoteName(wanted), "; the newest is ", names.back().shortText());
}

/// One restore at a time in a folder.
class Lock {
public:
  explicit Lock(const fs::path &directory) {
    fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
      failStorage(directory, "open");
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd);
      fail(ExitCode::Usage, directory.string(),
           ": another restore is writing there");
    }
  }
  ~Lock() { ::close(fd); }
  Lock(const Lock &) = delete;
  Lock &operator=(const Lock &) = delete;

private:
  int fd = -1;
};

/// A file that is fetched; closed whatever happens.
struct Output {
  explicit Output(const fs::path &path) : path(path) {
    fd = ::open(path.c_str(),
                O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
      failStorage(path, "create");
  }
  ~Output() { ::close(fd); }
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t count = ::write(fd, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR)
        continue;
      if (count <= 0)
        failStorage(path, "write", count < 0 ? errno : EIO);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  fs::path path;
  int fd;
};

class Restoring {
public:
  Restoring(BackupStore &store, const BackupManifest &manifest,
            fs::path building)
      : store(store), manifest(manifest), building(std::move(building)) {}

  /// \returns how many files were there already.
  std::size_t run() {
    removeOthers();
    needSpace();
    std::size_t kept = 0;
    for (auto &file : manifest.files) {
      makeDirectories((building / file.path).parent_path());
      bool there = isThere(file);
      kept += there;
      if (!there)
        fetch(file);
      finish(file);
    }
    for (auto &path : manifest.emptyDirectories)
      makeDirectories(building / path);
    for (auto &entry : fs::recursive_directory_iterator(building))
      if (entry.is_directory())
        syncDirectory(entry.path());
    syncDirectory(building);
    return kept;
  }

private:
  /// Of a restore of another backup.
  void removeOthers() {
    std::vector<fs::path> others;
    for (auto &entry : fs::recursive_directory_iterator(building)) {
      auto path = fs::relative(entry.path(), building).generic_string();
      if (!entry.is_directory() && !manifest.find(path))
        others.push_back(entry.path());
    }
    for (auto &path : others)
      fs::remove(path);
    // Folders that are left empty would be restored as such.
    std::vector<fs::path> folders;
    for (auto &entry : fs::recursive_directory_iterator(building))
      if (entry.is_directory() && !entry.is_symlink())
        folders.push_back(entry.path());
    std::ranges::sort(folders, std::greater());
    for (auto &path : folders)
      if (fs::is_empty(path))
        fs::remove(path);
  }

  bool isThere(const BackupFile &file) const {
    fs::path path = building / file.path;
    std::error_code error;
    if (fs::symlink_status(path, error).type() != fs::file_type::regular ||
        fs::file_size(path, error) != file.size)
      return false;
    return SourceReader(path).digest(file.size) == file.sha256;
  }

  void needSpace() const {
    std::uint64_t missing = 0;
    std::error_code error;
    for (auto &file : manifest.files)
      if (auto size = fs::file_size(building / file.path, error); error)
        missing += file.size;
      else if (size < file.size)
        missing += file.size - size;
    auto space = fs::space(building, error);
    if (!error && space.available < missing)
      fail(ExitCode::Storage, building.string(), ": the backup needs ", missing,
           " more bytes, the disk has ", space.available);
  }

  void fetch(const BackupFile &file) const {
    constexpr std::uint64_t kPiece = std::uint64_t(16) << 20;
    constexpr int kAttempts = 3; // of bytes that arrive damaged
    for (int attempt = 1;; ++attempt) {
      Output output(building / file.path);
      Sha256Stream digest;
      for (std::uint64_t at = 0; at < file.size;) {
        std::string piece = store.client.get(store.objectKey(file.sha256), at,
                                             std::min(kPiece, file.size - at));
        digest.add(std::as_bytes(std::span(piece)));
        output.write(piece);
        at += piece.size();
      }
      if (digest.finish() == file.sha256) {
        if (::fsync(output.fd) != 0)
          failStorage(output.path, "flush to disk");
        return;
      }
      if (attempt == kAttempts)
        fail(ExitCode::BadInput, store.location.text(), "/", kObjects,
             file.sha256, ": is damaged: ", quoteName(file.path),
             " has another SHA-256");
    }
  }

  void finish(const BackupFile &file) const {
    fs::path path = building / file.path;
    constexpr std::int64_t kSecond = 1'000'000'000;
    std::int64_t seconds = // rounded down, before 1970 too
        file.mtimeNs / kSecond - (file.mtimeNs % kSecond < 0);
    timespec times[2] = {{0, UTIME_OMIT},
                         {static_cast<time_t>(seconds),
                          static_cast<long>(file.mtimeNs - seconds * kSecond)}};
    if (::chmod(path.c_str(), file.mode) != 0 ||
        ::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0)
      failStorage(path, "set mode and time of");
  }

  BackupStore &store;
  const BackupManifest &manifest;
  fs::path building;
};

void moveIntoPlace(const fs::path &building, const fs::path &output) {
  fs::path parent = output.parent_path();
  bool exists = fs::symlink_status(output).type() != fs::file_type::not_found;
  if (exists) {
    // One step: there is always one of the two.
    if (::renameat2(AT_FDCWD, building.c_str(), AT_FDCWD, output.c_str(),
                    RENAME_EXCHANGE) == 0) {
      fs::remove_all(building);
      return syncDirectory(parent);
    }
    fs::path old = output;
    old += ".old-" + std::to_string(::getpid());
    if (::rename(output.c_str(), old.c_str()) != 0)
      failStorage(output, "move away");
    if (::rename(building.c_str(), output.c_str()) != 0)
      failStorage(output, "replace");
    fs::remove_all(old);
    return syncDirectory(parent);
  }
  if (::rename(building.c_str(), output.c_str()) != 0)
    failStorage(output, "create");
  syncDirectory(parent);
}

} // namespace

RestoreReport restoreBackup(BackupStore &store, const RestoreOptions &options) {
  fs::path output = folderPath(options.output);
  if (fs::exists(output) && !fs::is_directory(output))
    fail(ExitCode::Usage, output.string(), ": is no folder");
  if (fs::exists(output) && !fs::is_empty(output) && !options.overwrite)
    fail(ExitCode::Usage, output.string(),
         ": is not empty; give another --output-dir or "
         "--overwrite-output-dir");
  BackupName name = choose(store, options.backup);
  BackupManifest manifest = store.read(name);
  fs::path building = output;
  building += ".restoring";
  makeDirectories(building);
  RestoreReport report;
  report.name = store.text(name);
  report.files = manifest.files.size();
  report.bytes = manifest.bytes();
  {
    Lock lock(building);
    report.kept = Restoring(store, manifest, building).run();
    moveIntoPlace(building, output);
  }
  return report;
}

} // namespace llamarun
