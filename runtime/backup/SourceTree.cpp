#include "runtime/backup/SourceTree.h"

#include "runtime/backup/FileDigest.h"
#include "runtime/backup/Http.h"
#include "runtime/io/CheckpointFolder.h"
#include "runtime/io/Manifest.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <system_error>

namespace llamarun {

namespace fs = std::filesystem;

fs::path folderPath(const fs::path &path) {
  fs::path whole = fs::weakly_canonical(fs::absolute(path));
  return whole.has_filename() ? whole : whole.parent_path();
}

/// AtomicFile's temporaries, checkpoints that are built or taken away, and
/// folders that a restore builds.
static bool isUnderConstruction(std::string_view name, bool folder) {
  for (std::string_view mark : {".tmp-", ".old-"}) {
    auto at = name.rfind(mark);
    if (at == name.npos || at + mark.size() == name.size())
      continue;
    bool number =
        name.substr(at + mark.size()).find_first_not_of("0123456789-") ==
        name.npos;
    if (number && (mark == ".tmp-" || folder))
      return true;
  }
  return folder && name.ends_with(".restoring");
}

namespace {

class Scan {
public:
  Scan(const fs::path &root, const BackupManifest *last,
       const std::function<void(const std::string &)> &warn)
      : root(root), last(last), warn(warn) {}

  void folder(const std::string &path, BackupManifest &into);

private:
  void entry(const std::string &path, BackupManifest &into);
  bool isNew(const BackupManifest &files) const;

  const fs::path &root;
  const BackupManifest *last;
  const std::function<void(const std::string &)> &warn;
};

bool Scan::isNew(const BackupManifest &found) const {
  return !std::ranges::all_of(found.files, [&](const BackupFile &file) {
    auto *before = last ? last->find(file.path) : nullptr;
    return before && before->size == file.size &&
           before->mtimeNs == file.mtimeNs;
  });
}

void Scan::folder(const std::string &path, BackupManifest &into) {
  fs::path here = path.empty() ? root : root / path;
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator at(here, error), end; !error && at != end;
       at.increment(error))
    names.push_back(at->path().filename().string());
  if (error == std::errc::no_such_file_or_directory && !path.empty())
    throw SourceChanged{here.string()};
  if (error)
    fail(ExitCode::BadInput, here.string(),
         ": cannot read the folder: ", error.message());
  BackupManifest found;
  for (auto &name : names)
    entry(path.empty() ? name : path + "/" + name, found);
  bool checkpoint = std::ranges::any_of(found.files, [&](const auto &file) {
    return file.path == path + "/" + kCheckpointFile;
  });
  if (checkpoint && fs::exists(here / kManifestFile) && isNew(found)) {
    try {
      openVerified(here);
    } catch (const Error &why) {
      if (!fs::exists(here / kCheckpointFile))
        throw SourceChanged{here.string()}; // taken away meanwhile
      warn(here.string() + " is not backed up: " + why.what());
      return;
    }
  }
  if (names.empty() && !path.empty())
    into.emptyDirectories.push_back(path);
  into.files.insert(into.files.end(), found.files.begin(), found.files.end());
  into.emptyDirectories.insert(into.emptyDirectories.end(),
                               found.emptyDirectories.begin(),
                               found.emptyDirectories.end());
}

void Scan::entry(const std::string &path, BackupManifest &into) {
  fs::path here = root / path;
  struct stat info;
  if (::lstat(here.c_str(), &info) != 0) {
    if (errno == ENOENT)
      throw SourceChanged{here.string()};
    fail(ExitCode::BadInput, here.string(),
         ": cannot read: ", std::generic_category().message(errno));
  }
  bool isFolder = S_ISDIR(info.st_mode);
  if (isUnderConstruction(here.filename().string(), isFolder))
    return;
  try {
    (void)nlohmann::json(path).dump();
  } catch (const nlohmann::json::exception &) {
    fail(ExitCode::BadInput, quoteName(here.string()),
         ": the name is not UTF-8; rename it to back it up");
  }
  if (isFolder) {
    folder(path, into);
  } else if (S_ISREG(info.st_mode)) {
    BackupFile file;
    file.path = path;
    file.size = static_cast<std::uint64_t>(info.st_size);
    file.mtimeNs = std::int64_t(info.st_mtim.tv_sec) * 1'000'000'000 +
                   info.st_mtim.tv_nsec;
    file.mode = info.st_mode & 0777;
    into.files.push_back(file);
  } else {
    warn(here.string() + " is " +
         (S_ISLNK(info.st_mode) ? "a symbolic link" : "no regular file") +
         " and is not backed up");
  }
}

} // namespace

BackupManifest
scanSource(const fs::path &root, const BackupManifest *last,
           const std::function<void(const std::string &)> &warn) {
  BackupManifest tree;
  tree.source = folderPath(root).filename().string();
  Scan(root, last, warn).folder("", tree);
  std::ranges::sort(tree.files, {}, &BackupFile::path);
  std::ranges::sort(tree.emptyDirectories);
  return tree;
}

void addDigests(BackupManifest &tree, const fs::path &root,
                const BackupManifest *last, bool all,
                const std::function<bool()> &stop) {
  // A file that was written again in the second of the last backup may have the
  // same time and size.
  constexpr std::int64_t kDoubtNs = 2'000'000'000;
  std::int64_t sure =
      last ? last->created.time_since_epoch().count() * 1'000'000'000 - kDoubtNs
           : 0;
  for (auto &file : tree.files) {
    auto *before = last && !all ? last->find(file.path) : nullptr;
    if (before && before->size == file.size &&
        before->mtimeNs == file.mtimeNs && file.mtimeNs < sure) {
      file.sha256 = before->sha256;
      continue;
    }
    if (stop())
      throw Stopped();
    file.sha256 = SourceReader(root / file.path).digest(file.size);
  }
}

} // namespace llamarun
