// llamarun backup, llamarun restore, in a build without the headers of libcurl
// and pugixml
#include "runtime/support/Error.h"
#include "tools/llamarun/Command.h"
#include "tools/llamarun/RunBackup.h"

namespace llamarun {

static void addMissing(CLI::App &app, Command &command, const char *name,
                       const char *help) {
  auto *sub = app.add_subcommand(name, help);
  sub->allow_extras();
  sub->callback([&command, name] {
    command = [name]() -> int {
      fail(ExitCode::Usage, name,
           " is not in this build: install libcurl4-openssl-dev and "
           "libpugixml-dev and build again");
    };
  });
}

void addBackup(CLI::App &app, Command &command) {
  addMissing(app, command, "backup", "(not in this build)");
}

void addRestore(CLI::App &app, Command &command) {
  addMissing(app, command, "restore", "(not in this build)");
}

// train has no --backup then.
struct RunBackup::State {};
RunBackup::RunBackup() = default;
RunBackup::~RunBackup() = default;
RunBackup::RunBackup(RunBackup &&) noexcept = default;
void RunBackup::addTo(CLI::App &) {}
void RunBackup::check() const {}
void RunBackup::start(TrainOptions &) {}
bool RunBackup::finish(const Ranks &) { return true; }

} // namespace llamarun
