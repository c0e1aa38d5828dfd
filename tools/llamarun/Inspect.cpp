// llamarun inspect
#include "runtime/plan/Inspect.h"
#include "tools/llamarun/Command.h"

#include <iostream>

namespace llamarun {

void addInspect(CLI::App &app, Command &command) {
  struct Flags {
    std::string plan;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  auto *sub = app.add_subcommand(
      "inspect", "Print what a plan holds: target, programs, memory, kernels");
  sub->add_option("plan", flags->plan, "Plan made by llamac")->required();
  sub->add_flag("--json", flags->json, "As one JSON object");
  sub->callback([&command, flags] {
    command = [flags] {
      auto plan = Plan::load(flags->plan);
      if (flags->json)
        std::cout << inspectJson(*plan) << "\n";
      else
        inspect(*plan, std::cout);
      return 0;
    };
  });
}

} // namespace llamarun
