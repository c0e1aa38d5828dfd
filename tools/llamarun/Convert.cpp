// llamarun convert
#include "runtime/convert/Convert.h"
#include "tools/llamarun/Command.h"

#include <cstdio>

namespace llamarun {

void addConvert(CLI::App &app, Command &command) {
  struct Flags {
    std::string plan, in, out;
    unsigned threads = 0;
  };
  auto flags = std::make_shared<Flags>();
  auto *sub = app.add_subcommand(
      "convert", "Change the layout of a checkpoint; needs no GPU and no "
                 "other ranks");
  sub->add_option("plan", flags->plan, "Plan made by llamac --reshard-from")
      ->required();
  sub->add_option("--in", flags->in, "Checkpoint in the layout it is in")
      ->required();
  sub->add_option("--out", flags->out,
                  "Where the converted one is written; may be --in")
      ->required();
  sub->add_option("--threads", flags->threads,
                  "Threads that copy; default: one per core");
  sub->callback([&command, flags] {
    command = [flags] {
      ConvertReport report = convertCheckpoint(
          Plan::load(flags->plan), flags->in, flags->out, flags->threads);
      std::printf("%s: %s -> %s, %zu tensors, %llu bytes\n", flags->out.c_str(),
                  report.from.c_str(), report.to.c_str(), report.tensors,
                  static_cast<unsigned long long>(report.bytes));
      return 0;
    };
  });
}

} // namespace llamarun
