#include "runtime/backup/BackupWorker.h"

#include <utility>

namespace llamarun {

BackupWorker::BackupWorker(WorkerOptions theOptions)
    : options(std::move(theOptions)) {
  options.backup.stop = [this] { return quit.load(); };
  thread = std::thread([this] { loop(); });
}

BackupWorker::~BackupWorker() {
  {
    std::lock_guard lock(mutex);
    quit = true;
  }
  changed.notify_all();
  if (thread.joinable())
    thread.join();
}

void BackupWorker::request() {
  {
    std::lock_guard lock(mutex);
    wanted = true;
  }
  changed.notify_all();
}

bool BackupWorker::finish() {
  {
    std::lock_guard lock(mutex);
    wanted = last = true;
  }
  changed.notify_all();
  thread.join();
  return good;
}

void BackupWorker::loop() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return wanted || quit; });
    if (quit)
      return;
    wanted = false;
    bool final = last;
    lock.unlock();
    good = make();
    lock.lock();
    if (final)
      return;
  }
}

bool BackupWorker::make() {
  try {
    // Anew each time: an endpoint may have moved, credentials too.
    S3Connection connection(options.location.bucket, options.settings,
                            options.warn, options.backup.stop);
    BackupStore store(connection.client(), options.location);
    options.say("backup: " + makeBackup(store, options.backup).text());
    return true;
  } catch (const Stopped &) {
  } catch (const std::exception &error) {
    options.warn(std::string("no backup was made, training goes on: ") +
                 error.what());
  }
  return false;
}

} // namespace llamarun
