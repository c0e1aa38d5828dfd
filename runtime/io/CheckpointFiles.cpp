#include "runtime/io/CheckpointFiles.h"

#include "runtime/io/AtomicFile.h"
#include "runtime/io/Manifest.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/PeftAdapter.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <cerrno>
#include <fcntl.h>
#include <stdio.h>
#include <system_error>
#include <unistd.h>

namespace llamarun {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void failStorage(const fs::path &path, const char *what,
                              int error) {
  fail(ExitCode::Storage, path.string(), ": cannot ", what, ": ",
       std::generic_category().message(error));
}

/// Makes the entries of a directory durable, where the file system can.
void syncDirectory(const fs::path &directory) {
  int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return;
  int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0 && error != EINVAL && error != ENOTSUP)
    failStorage(directory, "flush to disk", error);
}

fs::path parentOf(const fs::path &path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

} // namespace

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

const SafetensorsFile &CheckpointReader::open(const std::string &name) {
  auto found = files.find(name);
  if (found != files.end())
    return found->second;
  fs::path path = checkpoint.directory / name;
  auto size = MappedFile::open(path).bytes().size();
  if (auto promised = checkpoint.files.at(name).bytes; size != promised)
    fail(ExitCode::BadInput, path.string(), ": has ", size,
         " bytes instead of ", promised, ": truncated or replaced");
  return files.emplace(name, SafetensorsFile::open(path)).first->second;
}

std::span<const std::byte>
CheckpointReader::read(const CheckpointTensor &tensor, std::size_t i) {
  const CheckpointPart &part = tensor.parts.at(i);
  const SafetensorsFile &file = open(part.file);
  std::string key = tensor.key();
  auto reject = [&](const auto &...what) {
    fail(ExitCode::BadInput, file.path().string(), ": tensor ", quoteName(key),
         " ", what...);
  };
  const TensorView *view = file.find(key);
  if (!view)
    reject("is missing");
  Shape shape = checkpoint.partShape(tensor);
  if (view->dtype != tensor.dtype || view->shape != shape)
    reject("is ", nameOf(view->dtype), " ", toString(view->shape),
           " instead of ", nameOf(tensor.dtype), " ", toString(shape));
  if (hashOf(view->bytes) != part.hash)
    reject("is damaged: its checksum does not match");
  return view->bytes;
}

void CheckpointReader::finish() {
  for (const auto &[name, file] : files)
    if (hashOf(MappedFile::open(file.path()).bytes()) !=
        checkpoint.files.at(name).hash)
      fail(ExitCode::BadInput, file.path().string(),
           ": is damaged: its checksum does not match");
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

CheckpointFile writeCheckpointFile(const fs::path &directory,
                                   const std::string &name,
                                   std::span<const TensorView> tensors) {
  fs::path path = directory / name;
  writeSafetensors(path, tensors);
  auto mapped = MappedFile::open(path);
  return {mapped.bytes().size(), hashOf(mapped.bytes())};
}

/// A directory in which something of ours was half written, copied or removed.
static bool holdsNothingElse(const fs::path &directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error))
    return false;
  // An adapter without a rank's file is somebody's adapter.
  bool hasRank = false, hasAdapter = false;
  for (auto &entry : fs::directory_iterator(directory)) {
    std::string name = entry.path().filename().string();
    name = name.substr(0, name.find(".tmp-"));
    unsigned rank = 0;
    if (std::sscanf(name.c_str(), "rank-%5u", &rank) == 1 &&
        name == rankFileName(rank))
      hasRank = true;
    else if (name == kMetricsFile || name == kAdapterWeightsFile ||
             name == kAdapterConfigFile)
      hasAdapter = true;
    else if (name != kCheckpointFile && name != kManifestFile)
      return false;
  }
  return hasRank || !hasAdapter;
}

static void refuseOthers(const fs::path &target) {
  std::error_code error;
  if (fs::exists(target, error) && !fs::exists(target / kCheckpointFile) &&
      !fs::exists(target / kManifestFile) && // damaged, but ours
      !holdsNothingElse(target))
    fail(ExitCode::Usage, target.string(),
         ": exists and is no checkpoint; give another directory");
}

CheckpointDirectory::CheckpointDirectory(fs::path where)
    : target(std::move(where)) {
  if (target.filename().empty()) // "runs/x/"
    target = target.parent_path();
  refuseOthers(target);
  makeDirectories(parentOf(target));
  temporary = target;
  temporary += ".tmp-" + std::to_string(::getpid());
  std::error_code error;
  fs::remove_all(temporary, error); // of a process that was killed
  makeDirectories(temporary);
}

CheckpointDirectory::CheckpointDirectory(fs::path where, fs::path building)
    : target(std::move(where)), temporary(std::move(building)) {
  refuseOthers(target);
}

CheckpointDirectory::~CheckpointDirectory() {
  std::error_code error;
  if (!done)
    fs::remove_all(temporary, error);
}

void CheckpointDirectory::commit(const Checkpoint &checkpoint) {
  for (const auto &[name, file] : checkpoint.files) {
    std::error_code error;
    if (fs::file_size(temporary / name, error) != file.bytes || error)
      fail(ExitCode::Storage, (temporary / name).string(),
           ": is not there: all ranks must write to one file system");
  }
  writeFileAtomically(temporary / kCheckpointFile, checkpoint.text());
  writeManifest(temporary, manifestOf(temporary));
  // An old checkpoint and the new one change places in one step.
  bool replaces = fs::exists(target);
  int result =
      ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, target.c_str(),
                  replaces ? RENAME_EXCHANGE : RENAME_NOREPLACE);
  if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
    // Not on this file system: for a moment there is none in its place.
    fs::path old = target;
    old += ".old-" + std::to_string(::getpid());
    if (replaces && ::rename(target.c_str(), old.c_str()) != 0)
      failStorage(target, "replace", errno);
    if (::rename(temporary.c_str(), target.c_str()) != 0) {
      int error = errno;
      if (replaces)
        ::rename(old.c_str(), target.c_str());
      failStorage(target, "replace", error);
    }
    temporary = old;
  } else if (result != 0) {
    failStorage(target, "replace", errno);
  }
  done = true;
  syncDirectory(parentOf(target));
  std::error_code error;
  if (replaces) // the old one; if it stays, it is only in the way
    fs::remove_all(temporary, error);
}

} // namespace llamarun
