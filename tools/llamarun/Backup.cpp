// llamarun backup, llamarun restore
#include "runtime/backup/Backup.h"
#include "runtime/backup/Restore.h"
#include "runtime/backup/SourceTree.h"
#include "runtime/support/Error.h"
#include "tools/llamarun/Command.h"
#include "tools/llamarun/Resume.h"
#include "tools/llamarun/S3Flags.h"
#include "tools/llamarun/StopSignal.h"

#include <cstdio>

namespace llamarun {

static bool stopped() { return stopSignal() != 0; }

namespace {

struct PlaceFlags {
  std::string bucket, prefix;
  S3Flags s3;

  void addTo(CLI::App &app, const char *folder) {
    app.add_option("--bucket", bucket, "Of S3")->required();
    app.add_option("--prefix", prefix,
                   std::string("Below which the backups of one folder lie; "
                               "default: the name of ") +
                       folder);
    s3.addTo(app);
  }

  S3Location location(const std::string &folder) const {
    std::string name =
        folder.empty() ? "" : folderPath(folder).filename().string();
    return makeS3Location(bucket, prefix.empty() ? name : prefix);
  }
};

struct BackupFlags {
  PlaceFlags place;
  std::string source;
  double interval = 3600;
  std::uint64_t keepLast = 0;
  bool once = false, checksum = false;
};

struct RestoreFlags {
  PlaceFlags place;
  std::string output, backup;
  bool overwrite = false, list = false;
};

int runBackup(const BackupFlags &flags) {
  S3Location location = flags.place.location(flags.source);
  S3Settings settings = flags.place.s3.settings();
  BackupOptions options;
  options.source = flags.source;
  options.keepLast = flags.keepLast;
  options.checksum = flags.checksum;
  options.warn = printWarning;
  options.stop = stopped;
  watchStopSignals();
  SystemClock clock(stopped);
  try {
    S3Connection connection(location.bucket, settings, printWarning, stopped);
    BackupStore store(connection.client(), location);
    for (bool first = true;; first = false) {
      try {
        BackupReport report = makeBackup(store, options);
        std::printf("backup: %s\n", report.text().c_str());
        std::fflush(stdout);
      } catch (const Error &error) {
        // What is wrong from the start is not waited for.
        if (flags.once || (first && error.code() != ExitCode::BadInput))
          throw;
        printWarning(std::string("no backup was made: ") + error.what());
      }
      if (flags.once)
        return 0;
      clock.wait(flags.interval);
    }
  } catch (const Stopped &) {
    return 128 + stopSignal();
  }
}

int runRestore(const RestoreFlags &flags) {
  if (!flags.list && flags.output.empty())
    fail(ExitCode::Usage, "--output-dir is required, or --list");
  if (flags.output.empty() && flags.place.prefix.empty())
    fail(ExitCode::Usage, "--list needs --prefix or --output-dir");
  S3Location location = flags.place.location(flags.output);
  S3Settings settings = flags.place.s3.settings();
  watchStopSignals();
  try {
    S3Connection connection(location.bucket, settings, printWarning, stopped);
    BackupStore store(connection.client(), location);
    if (flags.list) {
      for (auto &name : store.backups()) {
        BackupManifest manifest = store.read(name);
        std::printf("%s  %zu files  %llu bytes\n", name.shortText().c_str(),
                    manifest.files.size(),
                    static_cast<unsigned long long>(manifest.bytes()));
      }
      return 0;
    }
    RestoreReport report = restoreBackup(
        store, {flags.output, flags.backup, flags.overwrite, printWarning});
    std::printf("restore: %s -> %s: %zu files, %llu bytes, SHA-256 of each as "
                "backed up\n",
                report.name.c_str(), flags.output.c_str(), report.files,
                static_cast<unsigned long long>(report.bytes));
    return 0;
  } catch (const Stopped &) {
    return 128 + stopSignal();
  }
}

} // namespace

void addBackup(CLI::App &app, Command &command) {
  auto flags = std::make_shared<BackupFlags>();
  auto *sub = app.add_subcommand(
      "backup", "Copy a run's folder to S3, again and again: what changed");
  sub->add_option("--source-dir", flags->source, "The folder")->required();
  sub->add_option("--interval", flags->interval,
                  "Seconds from the end of a backup to the next")
      ->check(CLI::Range(1.0, 1e9))
      ->capture_default_str();
  sub->add_flag("--once", flags->once, "One backup, no more");
  sub->add_option("--keep-last", flags->keepLast,
                  "Remove all backups but the newest N; default: keep all")
      ->check(CLI::PositiveNumber);
  sub->add_flag("--checksum", flags->checksum,
                "Read every file; otherwise one of the same size and time as "
                "at the last backup is taken to be the same");
  flags->place.addTo(*sub, "--source-dir");
  sub->callback(
      [&command, flags] { command = [flags] { return runBackup(*flags); }; });
}

void addRestore(CLI::App &app, Command &command) {
  auto flags = std::make_shared<RestoreFlags>();
  auto *sub = app.add_subcommand(
      "restore", "Fetch a folder that llamarun backup has saved");
  sub->add_option("--output-dir", flags->output,
                  "Where to; it appears whole or not at all");
  sub->add_option("--backup", flags->backup,
                  "Which: its number or name, as --list prints it; default: "
                  "the newest");
  sub->add_flag("--overwrite-output-dir", flags->overwrite,
                "Replace what --output-dir already holds");
  sub->add_flag("--list", flags->list, "Print the backups that there are");
  flags->place.addTo(*sub, "--output-dir");
  sub->callback(
      [&command, flags] { command = [flags] { return runRestore(*flags); }; });
}

} // namespace llamarun
