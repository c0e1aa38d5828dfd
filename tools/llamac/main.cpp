//===- llamac - The compiler's command line -------------------------------===//
#include "tools/llamac/Commands.h"
#include "tools/reference/Reference.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

#include <CLI/CLI.hpp>

#include <optional>

using namespace llamac;

/// MLIR's own flags (--mlir-print-ir-after-all, ...) go to MLIR; the rest is
/// returned for CLI11. Nothing if MLIR does not know one; it has said so.
static std::optional<std::vector<std::string>> splitArguments(int argc,
                                                              char **argv) {
  std::vector<std::string> ours;
  std::vector<const char *> theirs = {argv[0]};
  for (int i = 1; i < argc; ++i)
    if (llvm::StringRef(argv[i]).starts_with("--mlir-"))
      theirs.push_back(argv[i]);
    else
      ours.push_back(argv[i]);
  mlir::registerMLIRContextCLOptions();
  mlir::registerPassManagerCLOptions();
  mlir::registerAsmPrinterCLOptions();
  if (!llvm::cl::ParseCommandLineOptions(theirs.size(), theirs.data(),
                                         "llamac\n", &llvm::errs()))
    return std::nullopt;
  // CLI11 takes the words last first.
  return std::vector<std::string>(ours.rbegin(), ours.rend());
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  CLI::App app{"llamac compiles a Llama fine-tuning job into one plan file.\n"
               "Flags that start with --mlir- are MLIR's own.",
               "llamac"};
  app.set_version_flag("--version", "llamac " LLAMAC_VERSION);
  app.option_defaults()->always_capture_default();

  ImportCommand import;
  CLI::App *importApp = app.add_subcommand(
      "import", "Write model.mlir for a Hugging Face checkpoint directory");
  importApp
      ->add_option("hf_dir", import.directory, "Directory with config.json")
      ->required();
  importApp->add_option("-o,--output", import.output, "model.mlir; - is stdout")
      ->required();
  importApp->add_option("--name", import.name,
                        "Name of the model; default: the output file's stem");

  CompileCommand compile;
  app.add_option("model", compile.model, "model.mlir");
  app.add_option("-o,--output", compile.output,
                 "plan.fb (or MLIR with --compile-to); - is stdout");
  app.add_option("--adapter", compile.adapter,
                 "none, or lora:r=8,alpha=8,dropout=0,targets=q_proj,v_proj; "
                 "targets: names, all-linear or regex:...; "
                 "placement=probe.json,budget=0.5 puts them where llamarun "
                 "probe found most");
  app.add_option("--probe", compile.probe,
                 "activations, or activations:REGEX for layers whose whole "
                 "path matches: make a plan for llamarun probe");
  app.add_option("--probe-threshold", compile.probeThreshold,
                 "Activations that are no larger count as zero in its "
                 "sparsity");
  app.add_option("--shard", compile.shard, "Layout: ddpN, tpN or ddpN,tpM");
  app.add_flag("--sequence-parallel", compile.sequenceParallel,
               "Split tokens over the tp ranks between the layers: less memory "
               "for activations of long sequences");
  app.add_option("--reshard-from", compile.reshardFrom,
                 "Make a plan that changes the layout of a checkpoint, from "
                 "this layout to --shard; for llamarun convert");
  app.add_option("--task", compile.task,
                 "GLUE's task, or lm: a causal language model")
      ->option_text("cola|sst2|mrpc|stsb|qqp|mnli|qnli|rte|wnli|ax|lm [sst2]");
  app.add_option("--target", compile.target, "What the plan runs on")
      ->option_text("cpu|cuda [cpu]");
  app.add_option("--arch", compile.arch,
                 "cpu: x86-64-v3 (default), x86-64-v4 or native; cuda: sm_90 "
                 "(default) or later, sm_80+ for that and all later ones");
  app.add_option("--dtype", compile.dtype,
                 "Of base weights and activations: float32 (default and only "
                 "choice on cpu) or bfloat16 (default on cuda)")
      ->option_text("float32|bfloat16");
  app.add_option("--fold-adapters", compile.foldAdapters,
                 "Store adapters in the weights they adapt; auto: on cuda")
      ->option_text("auto|on|off [auto]");
  app.add_option("--per-device-batch-size", compile.batch, "Sequences a batch")
      ->check(CLI::Range(1, 65536));
  app.add_option("--max-seq-length", compile.maxLength,
                 "Tokens a sequence keeps")
      ->check(CLI::Range(1, 131072));
  app.add_option("--gradient-accumulation-steps", compile.accumulation,
                 "Micro-batches an optimizer step")
      ->check(CLI::Range(1, 65536));
  app.add_option("--buckets", compile.buckets,
                 "Token counts to compile for, ascending; default: four an "
                 "octave up to batch size times sequence length")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 24));
  app.add_option("--compile-to", compile.compileTo,
                 "Stop after this level and print it (plan with -o plan.fb "
                 "writes the plan)")
      ->option_text("graph|train|sharded|fused|plan [plan]");
  app.add_option("--emit", compile.emit,
                 "Instead of the plan or IR draw a program at that level: dot, "
                 "Graphviz's language, or svg, which Graphviz makes of it")
      ->check(CLI::IsMember({"auto", "dot", "svg"}))
      ->option_text("auto|dot|svg [auto]");
  app.add_option("--emit-program", compile.emitProgram,
                 "Which one to draw; default: the largest that trains");
  app.add_option("--dump-phases", compile.dumpPhases,
                 "Folder that receives the module after each level");
  app.add_flag("--report", compile.report,
               "Print parameters, FLOPs, bytes and peak memory");
  reference::Request request;
  reference::addCommands(app, request);

  try {
    auto arguments = splitArguments(argc, argv);
    if (!arguments)
      return kUsage;
    app.parse(*arguments);
    if (!request.kind.empty()) {
      llvm::outs() << reference::answer(reference::describe(app), request.kind,
                                        "llamac " LLAMAC_VERSION);
      return kOk;
    }
    if (!importApp->parsed() && compile.model.empty())
      throw CLI::RequiredError("model");
    if (!importApp->parsed() && compile.output.empty() && !compile.report)
      throw CLI::RequiredError("--output");
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  return importApp->parsed() ? import.run() : compile.run();
}
