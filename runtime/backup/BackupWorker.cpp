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

bool BackupWorker::finish(const std::function<void()> &meanwhile) {
  std::unique_lock lock(mutex);
  wanted = last = true;
  changed.notify_all();
  while (!changed.wait_for(lock, std::chrono::seconds(1),
                           [this] { return done; })) {
    lock.unlock();
    meanwhile();
    lock.lock();
  }
  return good;
}

void BackupWorker::loop() {
  look();
  std::unique_lock lock(mutex);
  while (!done) {
    changed.wait(lock, [this] { return wanted || quit; });
    if (quit)
      return;
    wanted = false;
    bool final = last;
    lock.unlock();
    bool made = make();
    lock.lock();
    good = made;
    done = final;
  }
  changed.notify_all();
}

bool BackupWorker::work(const std::function<void(BackupStore &)> &what) {
  try {
    // Anew each time: an endpoint may have moved, credentials too.
    S3Connection connection(options.location.bucket, options.settings,
                            options.warn, options.backup.stop);
    BackupStore store(connection.client(), options.location);
    what(store);
    return true;
  } catch (const Stopped &) {
  } catch (const std::exception &error) {
    options.warn(std::string("no backup, training goes on: ") + error.what());
  }
  return false;
}

bool BackupWorker::look() {
  return work([](BackupStore &store) { store.backups(); });
}

bool BackupWorker::make() {
  return work([this](BackupStore &store) {
    options.say("backup: " + makeBackup(store, options.backup).text());
  });
}

} // namespace llamarun
