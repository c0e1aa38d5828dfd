// llamarun report
#include "runtime/io/AtomicFile.h"
#include "runtime/report/RunPage.h"
#include "runtime/support/Error.h"
#include "tools/llamarun/Command.h"

#include <cstdio>
#include <iostream>
#include <set>

namespace llamarun {
namespace {

struct ReportFlags {
  std::vector<std::string> runs;
  std::string output, title;
};

/// Runs of one name are told apart by what was given.
void nameApart(std::vector<Run> &runs, const std::vector<std::string> &paths) {
  std::multiset<std::string> names;
  for (auto &run : runs)
    names.insert(run.name);
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (names.count(runs[i].name) > 1)
      runs[i].name = paths[i];
}

int runReport(const ReportFlags &flags) {
  std::vector<Run> runs;
  for (auto &path : flags.runs)
    runs.push_back(readRun(path));
  nameApart(runs, flags.runs);
  std::string title = flags.title;
  if (title.empty())
    for (auto &run : runs)
      title += (title.empty() ? "" : ", ") + run.name;
  std::string page = runPage(runs, title);
  if (flags.output == "-")
    std::cout << page;
  else
    writeFileAtomically(flags.output, page);
  return 0;
}

} // namespace

void addReport(CLI::App &app, Command &command) {
  auto flags = std::make_shared<ReportFlags>();
  auto *sub = app.add_subcommand(
      "report", "Write a page about one or several runs from their "
                "metrics.jsonl: losses, rates, throughput, metrics, ranks, "
                "memory, settings");
  sub->add_option("runs", flags->runs, "Output directories of llamarun train")
      ->required();
  sub->add_option("-o,--output", flags->output,
                  "The page, one HTML file; - is standard output")
      ->required();
  sub->add_option("--title", flags->title, "Default: the names of the runs");
  sub->callback(
      [&command, flags] { command = [flags] { return runReport(*flags); }; });
}

} // namespace llamarun
