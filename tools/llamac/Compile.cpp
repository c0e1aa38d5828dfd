//===- Compile.cpp - llamac model.mlir -o plan.fb -------------------------===//
#include "compiler/emit/EmitPlan.h"
#include "compiler/pipeline/Pipeline.h"
#include "compiler/pipeline/Report.h"
#include "compiler/pipeline/ReshardPipeline.h"
#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "tools/llamac/Commands.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using namespace llamac;
using namespace mlir;

/// Everything that shapes the plan, in one order: two spellings of one command
/// give the same bytes.
static std::string recorded(const CompileCommand &c, const CompilerOptions &o,
                            llvm::StringRef adapter) {
  std::string text;
  llvm::raw_string_ostream out(text);
  if (o.reshardFrom)
    out << "--reshard-from=" << c.reshardFrom << " ";
  out << "--target=" << c.target << " --arch=" << o.target.arch
      << (o.target.ptx ? "+" : "")
      << " --dtype=" << (o.target.compute == "f32" ? "float32" : "bfloat16")
      << " --fold-adapters=" << (o.foldAdapters ? "on" : "off")
      << " --task=" << c.task << " --adapter=" << adapter
      << " --shard=" << c.shard
      << (o.sequenceParallel ? " --sequence-parallel" : "");
  if (o.probe.activations)
    out << " --probe=" << c.probe
        << " --probe-threshold=" << llvm::formatv("{0}", o.probe.threshold);
  out << " --per-device-batch-size=" << c.batch
      << " --max-seq-length=" << c.maxLength
      << " --gradient-accumulation-steps=" << c.accumulation;
  if (!c.buckets.empty())
    out << " --buckets="
        << llvm::join(llvm::map_range(c.buckets,
                                      [](long n) { return std::to_string(n); }),
                      ",");
  return text;
}

/// --adapter with the contents of its probe.json, as a hash, for the path.
static llvm::Expected<std::string> recordedAdapter(const CompileCommand &c,
                                                   const AdapterOptions &o) {
  if (o.placement.file.empty())
    return c.adapter;
  auto file = llvm::MemoryBuffer::getFile(o.placement.file);
  if (!file)
    return llvm::createStringError("--adapter: placement=" + o.placement.file +
                                   ": " + file.getError().message());
  std::string key = "placement=", text = c.adapter;
  text.replace(
      text.find(key) + key.size(), o.placement.file.size(),
      llvm::utohexstr(llvm::xxh3_64bits((*file)->getBuffer()), true, 16));
  return text;
}

static llvm::Expected<CompilerOptions> parse(const CompileCommand &c) {
  CompilerOptions options;
  auto assign = [](auto &field, auto value) -> llvm::Error {
    if (!value)
      return value.takeError();
    field = std::move(*value);
    return llvm::Error::success();
  };
  if (auto e = assign(options.adapter, AdapterOptions::parse(c.adapter)))
    return e;
  if (auto e =
          assign(options.probe, ProbeOptions::parse(c.probe, c.probeThreshold)))
    return e;
  if (options.probe.activations && !c.reshardFrom.empty())
    return llvm::createStringError(
        "--probe looks at a model: not with --reshard-from");
  if (auto e = assign(options.grid, GridOptions::parse(c.shard)))
    return e;
  options.sequenceParallel = c.sequenceParallel;
  if (c.sequenceParallel && options.grid.tp == 1)
    return llvm::createStringError(
        "--sequence-parallel splits tokens over the tp ranks, and --shard=" +
        llvm::Twine(c.shard) + " has one");
  if (!c.reshardFrom.empty()) {
    if (c.sequenceParallel)
      return llvm::createStringError(
          "--sequence-parallel changes no checkpoint: not with "
          "--reshard-from");
    auto from = GridOptions::parse(c.reshardFrom, "--reshard-from");
    if (!from)
      return from.takeError();
    options.reshardFrom = *from;
    if (c.compileTo != "plan")
      return llvm::createStringError(
          "--reshard-from goes to level plan, not to --compile-to=" +
          llvm::Twine(c.compileTo));
  }
  if (auto e = assign(options.task, TaskOptions::parse(c.task)))
    return e;
  if (auto e = assign(options.target,
                      TargetOptions::parse(c.target, c.arch, c.dtype)))
    return e;
  if (auto e = assign(options.stopAfter, parseLevel(c.compileTo)))
    return e;
  if (c.foldAdapters != "auto" && c.foldAdapters != "on" &&
      c.foldAdapters != "off")
    return llvm::createStringError("--fold-adapters: '" +
                                   llvm::Twine(c.foldAdapters) +
                                   "' is not auto, on or off");
  options.foldAdapters = c.foldAdapters == "auto" ? options.target.isCuda()
                                                  : c.foldAdapters == "on";
  options.batch = c.batch;
  options.maxLength = c.maxLength;
  options.accumulation = c.accumulation;
  options.buckets.assign(c.buckets.begin(), c.buckets.end());
  for (size_t i = 1; i < c.buckets.size(); ++i)
    if (c.buckets[i] <= c.buckets[i - 1])
      return llvm::createStringError(
          "--buckets: " + std::to_string(c.buckets[i]) + " does not ascend");
  for (int64_t tokens : options.buckets)
    if (int64_t tp = options.grid.tp; c.sequenceParallel && tokens % tp != 0) {
      int64_t below = tokens / tp * tp;
      std::string text;
      llvm::raw_string_ostream out(text);
      out << "--buckets: --sequence-parallel gives each of " << tp
          << " tp ranks as many tokens, but " << tokens << " have no " << tp
          << " equal parts; ";
      if (below > 0)
        out << below << " or ";
      out << below + tp << " have";
      return llvm::createStringError(text);
    }
  if (!c.buckets.empty() && c.buckets.back() < c.maxLength)
    return llvm::createStringError(
        "--buckets: the largest, " + std::to_string(c.buckets.back()) +
        ", is shorter than one sequence of --max-seq-length=" +
        std::to_string(c.maxLength));
  options.dumpPhases = c.dumpPhases;
  auto adapter = recordedAdapter(c, options.adapter);
  if (!adapter)
    return adapter.takeError();
  options.recordedFlags = recorded(c, options, *adapter);
  return options;
}

/// Writes down on the module what its plan is for and was made from.
static void describePlan(ModuleOp module, const CompilerOptions &options,
                         StringRef modelHash) {
  Builder b(module.getContext());
  // What "native" stood for is known once the kernels are compiled.
  std::string arch = options.target.arch;
  for (auto object : module.getOps<plan::CodeObjectOp>())
    arch = object.getArch().str();
  auto target =
      plan::TargetAttr::get(module.getContext(), options.target.kind, arch, "");
  // Checkpoints are converted by any host, whatever trains with them.
  if (options.reshardFrom)
    target = plan::TargetAttr::get(module.getContext(), "cpu", "any", "");
  module->setAttr(plan::PlanDialect::kTargetAttr, target);
  module->setAttr(plan::PlanDialect::kComputeAttr,
                  TypeAttr::get(options.target.compute == "bf16"
                                    ? Type(b.getBF16Type())
                                    : Type(b.getF32Type())));
  module->setAttr(plan::PlanDialect::kFlagsAttr,
                  b.getStringAttr(options.recordedFlags));
  module->setAttr(plan::PlanDialect::kModelHashAttr,
                  b.getStringAttr(modelHash));
}

int CompileCommand::run() const {
  auto options = parse(*this);
  if (!options)
    return llamac::report(options.takeError(), kUsage);

  auto file = llvm::MemoryBuffer::getFileOrSTDIN(model);
  if (!file)
    return llamac::report(
        llvm::createStringError(model + ": " + file.getError().message()),
        kBadInput);
  std::string hash =
      llvm::utohexstr(llvm::xxh3_64bits((*file)->getBuffer()), true, 16);

  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(*file), llvm::SMLoc());
  // The location is enough; a whole model after each message is not.
  context.printOpOnDiagnostic(false);
  SourceMgrDiagnosticHandler diagnostics(sources, &context);
  // The pass has said what is wrong; where the reproducer lies is said below.
  ScopedDiagnosticHandler quiet(&context, [](Diagnostic &diagnostic) {
    return success(StringRef(diagnostic.str())
                       .starts_with("Failures have been detected while"));
  });
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return kBadInput;

  // A module that is a plan already has only to be written.
  auto level =
      (*module)->getAttrOfType<StringAttr>(llm::LlmDialect::kLevelAttr);
  if (level && level.getValue() == "plan")
    return draws() ? draw(*module) : write(*module);

  // What the command line asks for, and not the passes, is wrong: no
  // reproducer.
  if (failed(checkLayout(*module, options->grid.tp)) ||
      (options->reshardFrom &&
       failed(checkLayout(*module, options->reshardFrom->tp))))
    return kUsage;
  options->bringsPrograms = bringsPrograms(*module);
  if (options->bringsPrograms && options->reshardFrom)
    return llamac::report(
        llvm::createStringError("--reshard-from: " + model +
                                " brings its own programs: no checkpoint has "
                                "what it trains"),
        kUsage);

  if (options->bringsPrograms && options->probe.activations)
    return llamac::report(
        llvm::createStringError("--probe: " + model +
                                " brings its own programs: probes go into "
                                "those that llamac makes"),
        kUsage);

  std::string reproducer =
      (isPlainFile(output) ? output : std::string("llamac")) +
      ".reproducer.mlir";
  auto run = options->reshardFrom ? runReshardPipeline : runPipeline;
  if (failed(run(*module, *options, reproducer))) {
    if (llvm::sys::fs::exists(reproducer))
      llvm::errs() << "llamac: the failing pass is reproduced by " << reproducer
                   << "\n";
    return kBadInput;
  }
  if (options->stopAfter == Level::Plan) {
    describePlan(*module, *options, hash);
    if (this->report)
      printReport(*module, llvm::outs());
  }
  if (output.empty())
    return kOk;
  if (draws())
    return draw(*module);
  if (options->stopAfter == Level::Plan &&
      !llvm::StringRef(output).ends_with(".mlir"))
    return write(*module);
  std::string text;
  llvm::raw_string_ostream out(text);
  (*module)->print(out);
  out << "\n";
  return writeFile(output, text);
}

int CompileCommand::write(ModuleOp module) const {
  std::string bytes;
  if (failed(emitPlan(module, bytes)))
    return kBadInput;
  return writeFile(output, bytes);
}
