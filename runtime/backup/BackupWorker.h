//===- BackupWorker.h - Backups beside the training loop -------*- C++ -*-===//
#pragma once

#include "runtime/backup/Backup.h"
#include "runtime/backup/S3Connection.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace llamarun {

struct WorkerOptions {
  S3Location location;
  S3Settings settings;
  BackupOptions backup; ///< `stop` is the worker's own
  /// What was done and what failed, from the worker's thread.
  std::function<void(const std::string &)> say, warn;
};

/// Makes a backup in a thread of its own each time it is asked, of what is in
/// the folder by then; requests that come while it works are one. What fails is
/// told and tried again with the next request, at the latest at the end. The
/// place is looked at when it begins, so that a wrong name is told hours before
/// the first checkpoint.
class BackupWorker {
public:
  explicit BackupWorker(WorkerOptions options);
  /// Gives up what is under way: the backups before it are whole.
  ~BackupWorker();

  /// Returns at once.
  void request();
  /// Makes a last backup and waits for it; `meanwhile` is called every second.
  /// \returns whether there is one of what is there now.
  bool finish(const std::function<void()> &meanwhile);

private:
  void loop();
  bool look();
  bool make();
  bool work(const std::function<void(BackupStore &)> &what);

  WorkerOptions options;
  std::atomic<bool> quit{false};
  std::mutex mutex;
  std::condition_variable changed;
  bool wanted = false, last = false; ///< guarded by mutex
  bool done = false, good = false;   ///< the last one; guarded by mutex
  std::thread thread;
};

} // namespace llamarun
