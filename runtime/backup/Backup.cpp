#include "runtime/backup/Backup.h"

#include "runtime/backup/FileDigest.h"
#include "runtime/backup/SourceTree.h"
#include "runtime/backup/Upload.h"
#include "runtime/support/Error.h"

#include <memory>
#include <set>
#include <sstream>

namespace llamarun {

namespace {

/// What a killed backup left: parts that cost money and are no object.
void abortStale(BackupStore &store, const BackupOptions &options) {
  try {
    for (auto &upload : store.client.uploads(store.location.key(kObjects))) {
      store.client.abortUpload(upload);
      options.warn("aborted the unfinished upload of " + upload.key);
    }
  } catch (const S3Error &error) {
    // Not every policy allows it, not every service knows it.
    options.warn(std::string("unfinished uploads stay: ") + error.what());
  }
}

struct Newest {
  std::optional<BackupName> name; ///< of the highest number
  BackupManifest manifest;        ///< of the newest that can be read
  bool found = false;
  bool readable = false; ///< they are the same
};

Newest newestOf(BackupStore &store, const std::vector<BackupName> &names,
                const BackupOptions &options) {
  Newest newest;
  if (!names.empty())
    newest.name = names.back();
  for (auto at = names.rbegin(); at != names.rend() && !newest.found; ++at) {
    try {
      newest.manifest = store.read(*at);
      newest.found = true;
      newest.readable = at == names.rbegin();
    } catch (const S3Error &) {
      throw;
    } catch (const Error &error) {
      if (error.code() != ExitCode::BadInput)
        throw;
      options.warn(error.what());
    }
  }
  return newest;
}

/// A file whose content is not there yet, held open: a checkpoint that is taken
/// away while others are sent can still be read.
struct Missing {
  const BackupFile *file;
  std::unique_ptr<SourceReader> reader;
};

std::vector<Missing>
openMissing(const BackupManifest &tree, const BackupOptions &options,
            const std::map<std::string, std::uint64_t> &present) {
  constexpr std::size_t kMostOpen = 400; // of 1024 that a process may have
  std::vector<Missing> missing;
  std::set<std::string> seen;
  for (auto &file : tree.files) {
    auto at = present.find(file.sha256);
    if ((at != present.end() && at->second == file.size) ||
        !seen.insert(file.sha256).second)
      continue;
    auto path = options.source / file.path;
    missing.push_back({&file, missing.size() < kMostOpen
                                  ? std::make_unique<SourceReader>(path)
                                  : nullptr});
  }
  return missing;
}

void uploadMissing(BackupStore &store, const BackupManifest &tree,
                   const BackupOptions &options,
                   std::map<std::string, std::uint64_t> &present,
                   BackupReport &report) {
  auto missing = openMissing(tree, options, present);
  for (auto &[file, reader] : missing) {
    if (options.stop())
      throw Stopped();
    if (!reader)
      reader = std::make_unique<SourceReader>(options.source / file->path);
    uploadFile(store.client, store.objectKey(file->sha256), *reader, file->size,
               file->sha256);
    reader.reset();
    present[file->sha256] = file->size;
    ++report.uploaded;
    report.uploadedBytes += file->size;
  }
}

/// Manifests first: none is ever without its contents.
void prune(BackupStore &store, const BackupOptions &options,
           BackupReport &report) {
  auto names = store.backups();
  if (names.size() <= options.keepLast)
    return;
  auto kept = names.end() - static_cast<std::ptrdiff_t>(options.keepLast);
  std::set<std::string> used;
  for (auto at = kept; at != names.end(); ++at)
    for (auto &file : store.read(*at).files)
      used.insert(file.sha256);
  for (auto at = names.begin(); at != kept; ++at) {
    store.client.remove(store.backupKey(*at));
    ++report.removedBackups;
  }
  for (auto &[sha256, size] : store.objects())
    if (!used.count(sha256)) {
      store.client.remove(store.objectKey(sha256));
      ++report.removedObjects;
    }
}

} // namespace

BackupReport makeBackup(BackupStore &store, const BackupOptions &options) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(options.source, ignored))
    fail(ExitCode::BadInput, options.source.string(), ": is no folder");
  auto names = store.backups();
  abortStale(store, options);
  Newest newest = newestOf(store, names, options);
  auto present = store.objects();
  const BackupManifest *last = newest.found ? &newest.manifest : nullptr;
  BackupReport report;
  BackupManifest tree;
  constexpr int kLooks = 8;
  for (int look = 1;; ++look) {
    try {
      Time now = store.client.clock().now();
      tree = scanSource(options.source, last, options.warn);
      tree.created = now;
      if (tree.files.empty())
        fail(ExitCode::BadInput, options.source.string(),
             ": holds no file to back up");
      addDigests(tree, options.source, last, options.checksum, options.stop);
      uploadMissing(store, tree, options, present, report);
      break;
    } catch (const SourceChanged &changed) {
      if (look == kLooks)
        fail(ExitCode::BadInput, changed.path,
             ": changes whenever it is read; no backup was made");
    }
  }
  report.files = tree.files.size();
  report.bytes = tree.bytes();
  // The same content as that of a backup before a damaged one is a new backup.
  if (newest.readable && tree.sameContent(newest.manifest)) {
    report.name = store.text(*newest.name);
  } else {
    report.name = store.text(store.add(tree, newest.name));
    report.made = true;
  }
  if (options.keepLast)
    prune(store, options, report);
  return report;
}

std::string BackupReport::text() const {
  std::ostringstream line;
  line << name << ": ";
  if (!made)
    line << "nothing changed since";
  else
    line << files << (files == 1 ? " file, " : " files, ") << bytes
         << " bytes; uploaded " << uploaded << ", " << uploadedBytes
         << " bytes";
  if (removedBackups)
    line << "; removed " << removedBackups
         << (removedBackups == 1 ? " older backup" : " older backups") << ", "
         << removedObjects << " contents";
  return line.str();
}

} // namespace llamarun
