#include "tools/llamarun/RunBackup.h"

#include "runtime/backup/BackupWorker.h"
#include "tools/llamarun/Resume.h"
#include "tools/llamarun/S3Flags.h"

#include <cstdio>
#include <optional>
#include <string>
#include <utility>

namespace llamarun {

namespace {

struct SaveObserver : RunObserver {
  std::optional<BackupWorker> worker;
  void onSave(std::uint64_t, const std::filesystem::path &) override {
    worker->request();
  }
};

} // namespace

struct RunBackup::State {
  std::string where;
  std::uint64_t keepLast = 0;
  S3Flags s3;
  SaveObserver observer;
};

RunBackup::RunBackup() : state(std::make_unique<State>()) {}
RunBackup::~RunBackup() = default;
RunBackup::RunBackup(RunBackup &&) noexcept = default;

void RunBackup::addTo(CLI::App &app) {
  app.add_option("--backup", state->where,
                 "Copy --output-dir there whenever a checkpoint is complete, "
                 "and at the end; training does not wait for it")
      ->option_text("s3://BUCKET/PREFIX");
  app.add_option("--backup-keep-last", state->keepLast,
                 "Remove all backups but the newest N; default: keep all")
      ->check(CLI::PositiveNumber)
      ->needs("--backup");
  state->s3.addTo(app);
}

void RunBackup::check() const {
  if (state->where.empty())
    return;
  parseS3Location(state->where);
  state->s3.settings();
}

void RunBackup::start(TrainOptions &options) {
  if (state->where.empty())
    return;
  WorkerOptions worker;
  worker.location = parseS3Location(state->where);
  worker.settings = state->s3.settings();
  worker.backup.source = options.outputDir;
  worker.backup.keepLast = state->keepLast;
  worker.backup.warn = worker.warn = printWarning;
  worker.say = [](const std::string &line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  };
  state->observer.worker.emplace(std::move(worker));
  options.observers.push_back(&state->observer);
}

bool RunBackup::finish(const Ranks &ranks) {
  auto &worker = state->observer.worker;
  return !worker || worker->finish([&ranks] { ranks.progress(); });
}

} // namespace llamarun
