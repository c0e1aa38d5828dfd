#include "tools/llamarun/RunRecords.h"

#include "runtime/board/BoardLog.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/report/RunRecord.h"
#include "runtime/train/Elements.h"
#include "runtime/train/MetricsWriter.h"
#include "tools/reference/CommandDoc.h"

#include <chrono>
#include <memory>
#include <utility>

namespace llamarun {

std::vector<std::pair<std::string, std::string>>
settingsOf(const CLI::App &command) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const CLI::Option *option : command.get_options()) {
    if (option == command.get_help_ptr())
      continue;
    std::string value = reference::initialOf(*option);
    if (option->count())
      value = CLI::detail::join(option->results(), ",");
    else if (option->get_expected_max() == 0)
      value = "false";
    // A flag of several names has the first one's.
    settings.emplace_back(option->get_lnames().empty()
                              ? option->get_single_name()
                              : option->get_lnames().front(),
                          value);
  }
  return settings;
}

std::string devicesOf(Session &session, const Ranks &ranks) {
  std::string devices = session.device().name();
  if (!ranks.alone())
    devices = std::to_string(ranks.size()) + " x " + devices;
  return devices;
}

std::uint64_t trainableOf(const Plan &plan, const Ranks &ranks) {
  std::uint64_t trainable = 0;
  for (std::size_t i = 0; i < plan.tensorCount(); ++i)
    if (plan.tensor(i).role() == fb::Role::Parameter)
      trainable += elementsOf(ranks.slice(plan, plan.tensor(i)).whole);
  return trainable;
}

namespace {

double secondsSince1970() {
  return std::chrono::duration<double>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// What metrics.jsonl gets, TensorBoard gets.
struct BoardObserver : LineObserver {
  BoardObserver(const std::filesystem::path &directory,
                std::function<void(const std::string &)> warn)
      : log(directory, secondsSince1970, std::move(warn)) {}
  void write(const JsonLine &line) override { log.write(line.str()); }
  BoardLog log;
};

} // namespace

void RunRecords::start(Session &session, const Ranks &ranks,
                       std::uint64_t examples, TrainOptions &options) {
  const Plan &plan = session.plan();
  RunFacts facts{.version = LLAMAC_VERSION,
                 .arguments = settings,
                 .devices = devicesOf(session, ranks),
                 .examples = examples,
                 .steps = totalSteps(plan, examples, options),
                 .trainableParameters = trainableOf(plan, ranks)};
  makeDirectories(options.outputDir);
  writeFileAtomically(options.outputDir / kRunFile, runRecord(plan, facts));
  if (loggingDir.empty())
    return;
  auto board = std::make_unique<BoardObserver>(loggingDir, options.warn);
  board->log.begin(options.firstStep, options.metricsSoFar);
  auto shown = settings;
  shown.emplace_back("plan's flags", viewOf(plan.root().flags()));
  shown.emplace_back("devices", facts.devices);
  board->log.text("args", settingsTable(shown));
  options.observers.push_back(board.get());
  observer = std::move(board);
}

} // namespace llamarun
