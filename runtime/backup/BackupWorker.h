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
/// told and tried again with the next request, at the latest at the end.
class BackupWorker {
public:
  explicit BackupWorker(WorkerOptions options);
  /// Gives up what is under way: the backups before it are whole.
  ~BackupWorker();

  /// Returns at once.
  void request();
  /// Makes a last backup. \returns whether there is one of what is there now.
  bool finish();

private:
  void loop();
  bool make();

  WorkerOptions options;
  std::atomic<bool> quit{false};
  std::mutex mutex;
  std::condition_variable changed;
  bool wanted = false, last = false; ///< guarded by mutex
  bool good = false;                 ///< the last one; read after the join
  std::thread thread;
};

} // namespace llamarun
