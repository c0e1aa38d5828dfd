//===- llama-opt - Every pass, mlir-opt style -----------------------------===//
#include "compiler/pipeline/Pipeline.h"
#include "tools/reference/Pages.h"

#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

static constexpr const char *kAbout =
    "Applies single passes of llamac to IR, as mlir-opt does";

/// What LLVM's command line library knows of one flag. Passes are the values of
/// one option without a name; what they do is in their registry.
static reference::FlagDoc describeFlag(llvm::StringRef name,
                                       llvm::cl::Option &option) {
  reference::FlagDoc flag;
  flag.names.push_back((name.size() == 1 ? "-" : "--") + name.str());
  flag.help = option.HelpStr.str();
  bool optional = option.getValueExpectedFlag() == llvm::cl::ValueOptional;
  if (option.ArgStr != name) {
    if (auto *pass = mlir::PassInfo::lookup(name))
      flag.help = pass->getPassDescription().str();
    else if (auto *pipeline = mlir::PassPipelineInfo::lookup(name))
      flag.help = pipeline->getPassDescription().str();
    flag.value = "options";
    flag.optionalValue = true;
  } else if (option.getValueExpectedFlag() != llvm::cl::ValueDisallowed) {
    flag.value = option.ValueStr.empty() ? "value" : option.ValueStr.str();
    flag.optionalValue = optional;
    flag.isPath = flag.value.find("file") != std::string::npos ||
                  flag.value.find("dir") != std::string::npos;
    // A switch, which may be told "=false".
    if (optional && option.ValueStr.empty())
      flag.value.clear();
  }
  return flag;
}

/// After the options were registered.
static reference::CommandDoc describe() {
  reference::CommandDoc command;
  command.name = "llama-opt";
  command.about = kAbout;
  reference::FlagDoc input;
  input.names = {"file.mlir"};
  input.help = "IR; standard input without it";
  input.value = "FILE";
  input.isPath = true;
  command.arguments.push_back(input);
  // --help and what is like it are options of all subcommands.
  for (auto *commands :
       {&llvm::cl::SubCommand::getTopLevel(), &llvm::cl::SubCommand::getAll()})
    for (auto &entry : llvm::cl::getRegisteredOptions(*commands))
      if (entry.second->getOptionHiddenFlag() == llvm::cl::NotHidden)
        command.flags.push_back(describeFlag(entry.first, *entry.second));
  llvm::sort(command.flags, [](const auto &a, const auto &b) {
    return a.names.front() < b.names.front();
  });
  command.flags.erase(std::unique(command.flags.begin(), command.flags.end(),
                                  [](const auto &a, const auto &b) {
                                    return a.names == b.names;
                                  }),
                      command.flags.end());
  return command;
}

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  llamac::registerDialects(registry);
  registry.insert<mlir::shard::ShardDialect>();
  llamac::registerPasses();
  // Upstream's propagation, to see the sharding interface of our ops at work.
  // Its shard-partition would take the name of ours.
  mlir::shard::registerShardingPropagation();
  // As the other two have it; no file to work on is named so and followed by
  // another one.
  llvm::StringRef word = argc == 3 ? argv[1] : "";
  if (word == "completion" || word == "reference") {
    mlir::registerAndParseCLIOptions(1, argv, kAbout, registry);
    std::string text =
        reference::answer(describe(), argv[2], "llama-opt " LLAMAC_VERSION);
    llvm::outs() << text;
    if (!text.empty())
      return 0;
    llvm::errs() << "llama-opt: error: " << word << " of '" << argv[2]
                 << "': there are bash, zsh, fish, man and markdown\n";
    return 2;
  }
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "llamac pass driver\n", registry));
}
