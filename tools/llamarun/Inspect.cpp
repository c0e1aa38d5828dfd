// llamarun inspect
#include "runtime/plan/Inspect.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/RankMap.h"
#include "runtime/support/Error.h"
#include "tools/llamarun/Command.h"

#include <filesystem>
#include <iostream>
#include <sstream>
#include <unistd.h>

namespace llamarun {
namespace {

struct InspectFlags {
  std::string path, svg;
  bool json = false;
};

/// "AdaLoRA, init_r 6, target_r 3: ranks 42 of 84, 14 matrices"
std::string titleOf(const PeftConfig &config, const RankGrid &grid) {
  std::ostringstream text;
  if (config.isAdaLora())
    text << "AdaLoRA, init_r " << config.adalora.initR << ", target_r "
         << config.adalora.targetR << ": ranks " << grid.total() << " of "
         << grid.matrices() * static_cast<std::uint64_t>(config.adalora.initR);
  else
    text << "LoRA, r " << config.r << ": ranks " << grid.total();
  text << ", " << grid.matrices() << " matrices";
  return text.str();
}

void inspectAdapter(const InspectFlags &flags) {
  MappedAdapter adapter = mapPeftAdapter(flags.path);
  RankGrid grid = RankGrid::of(ranksOf(adapter));
  std::string title = titleOf(adapter.config, grid);
  if (flags.json) {
    std::cout << "{\"method\": \""
              << (adapter.config.isAdaLora() ? "ADALORA" : "LORA")
              << "\", \"rank\": " << grid.total()
              << ", \"matrices\": " << grid.matrices()
              << ", \"ranks\": " << grid.json() << "}\n";
  } else {
    std::cout << title << "\n";
    printRankMap(grid, std::cout, ::isatty(STDOUT_FILENO) == 1);
  }
  if (!flags.svg.empty())
    writeFileAtomically(flags.svg, rankMapSvg(grid, title));
}

int runInspect(const InspectFlags &flags) {
  if (std::filesystem::is_directory(flags.path)) {
    inspectAdapter(flags);
    return 0;
  }
  if (!flags.svg.empty())
    fail(ExitCode::Usage, "--svg draws the ranks of an adapter directory; ",
         flags.path, " is none");
  auto plan = Plan::load(flags.path);
  if (flags.json)
    std::cout << inspectJson(*plan) << "\n";
  else
    inspect(*plan, std::cout);
  return 0;
}

} // namespace

void addInspect(CLI::App &app, Command &command) {
  auto flags = std::make_shared<InspectFlags>();
  auto *sub = app.add_subcommand(
      "inspect", "Print what a plan holds (target, programs, memory, kernels) "
                 "or the rank of every matrix of an adapter");
  sub->add_option("path", flags->path,
                  "Plan made by llamac, or adapter directory of llamarun or "
                  "PEFT (LoRA, AdaLoRA)")
      ->required();
  sub->add_flag("--json", flags->json, "As one JSON object");
  sub->add_option("--svg", flags->svg,
                  "Of an adapter: also draw the ranks there");
  sub->callback(
      [&command, flags] { command = [flags] { return runInspect(*flags); }; });
}

} // namespace llamarun
