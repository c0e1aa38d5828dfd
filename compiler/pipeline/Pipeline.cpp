//===- Pipeline.cpp - From model.mlir to the plan dialect -----------------===//
#include "compiler/pipeline/Pipeline.h"

#include "dialects/llm/LlmDialect.h"
#include "passes/adapters/Passes.h"
#include "passes/autodiff/Passes.h"
#include "passes/codegen/Passes.h"
#include "passes/fuse/Passes.h"
#include "passes/graph/Passes.h"
#include "passes/lower/Passes.h"
#include "passes/memory/Passes.h"
#include "passes/shard/Layouts.h"
#include "passes/shard/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace llamac;

namespace {

/// From @hidden and @logits to programs: head, loss, token buckets.
void buildPrograms(OpPassManager &pm, const CompilerOptions &o) {
  AttachHeadOptions head;
  head.task = o.task.name;
  head.head = o.task.head;
  head.labels = o.task.labels;
  head.batch = o.batch;
  head.maxLength = o.maxLength;
  head.accumulation = o.accumulation;
  pm.addPass(createAttachHead(head));
  pm.addPass(createCSEPass());
  if (o.probe.activations) {
    // Before rows are left out: statistics are of all tokens.
    InsertProbesOptions probes;
    probes.modules = o.probe.modules;
    probes.threshold = o.probe.threshold;
    pm.addPass(createInsertProbes(probes));
  }
  pm.addPass(createNarrowToPooled());
  pm.addPass(createCSEPass());
  InstantiateBucketsOptions buckets;
  auto counts = o.buckets.empty()
                    ? defaultBuckets(o.batch, o.maxLength,
                                     o.sequenceParallel ? o.grid.tp : 1)
                    : o.buckets;
  buckets.buckets.assign(counts.begin(), counts.end());
  pm.addPass(createInstantiateBuckets(buckets));
}

void buildGraph(OpPassManager &pm, const CompilerOptions &o) {
  pm.addPass(createUnrollLayers());
  ConvertPrecisionOptions precision;
  precision.compute = o.target.compute;
  pm.addPass(createConvertPrecision(precision));
  if (o.bringsPrograms)
    pm.addPass(createCSEPass());
  else
    buildPrograms(pm, o);
  pm.addPass(createVerifyGraph());
}

AttachAdaloraOptions adaLoraOptions(const AdapterOptions &adapter) {
  const AdapterOptions::AdaLora &budget = adapter.adalora;
  AttachAdaloraOptions o;
  o.initR = budget.initR;
  o.targetR = budget.targetR;
  o.alpha = adapter.alpha;
  o.dropout = adapter.dropout;
  o.tinit = budget.tinit;
  o.tfinal = budget.tfinal;
  o.deltaT = budget.deltaT;
  o.beta1 = budget.beta1;
  o.beta2 = budget.beta2;
  o.orthRegWeight = budget.orthRegWeight;
  o.totalStep = budget.totalStep;
  o.targets.assign(adapter.targets.begin(), adapter.targets.end());
  return o;
}

void placeAdapters(OpPassManager &pm, const AdapterOptions &adapter) {
  PlaceAdaptersOptions place;
  place.path = adapter.placement.file;
  place.statistic = adapter.placement.statistic;
  place.rule = adapter.placement.rule;
  place.budget = adapter.placement.budget;
  place.maxRank = adapter.placement.maxRank;
  place.rank = adapter.kind == "adalora" ? adapter.adalora.initR : adapter.rank;
  place.targets.assign(adapter.targets.begin(), adapter.targets.end());
  pm.addPass(createPlaceAdapters(place));
}

void buildTrain(OpPassManager &pm, const CompilerOptions &o) {
  if (!o.adapter.placement.file.empty())
    placeAdapters(pm, o.adapter);
  if (o.adapter.kind == "lora") {
    AttachLoraOptions lora;
    lora.rank = o.adapter.rank;
    lora.alpha = o.adapter.alpha;
    lora.dropout = o.adapter.dropout;
    lora.useRslora = o.adapter.useRslora;
    lora.targets.assign(o.adapter.targets.begin(), o.adapter.targets.end());
    lora.rankPattern.assign(o.adapter.rankPattern.begin(),
                            o.adapter.rankPattern.end());
    lora.alphaPattern.assign(o.adapter.alphaPattern.begin(),
                             o.adapter.alphaPattern.end());
    pm.addPass(createAttachLora(lora));
  } else if (o.adapter.kind == "adalora") {
    pm.addPass(createAttachAdalora(adaLoraOptions(o.adapter)));
  }
  pm.addPass(createDifferentiate());
  pm.addPass(createAttachOptimizer());
  pm.addPass(createAttachAllocation());
  pm.addPass(createVerifyTrain());
}

void buildSharded(OpPassManager &pm, const CompilerOptions &o) {
  AnnotateOptions grid;
  grid.dp = o.grid.dp;
  grid.tp = o.grid.tp;
  pm.addPass(createAnnotate(grid));
  if (o.grid.dp > 1 || o.grid.tp > 1) {
    PartitionOptions partition;
    partition.sequenceParallel = o.sequenceParallel;
    pm.addPass(createPartition(partition));
    pm.addPass(createCSEPass());
    pm.addPass(createBucketGradients());
  }
  pm.addPass(createVerifySharded());
}

void buildFused(OpPassManager &pm, const CompilerOptions &o) {
  pm.addPass(createLowerLinear());
  if (o.foldAdapters)
    pm.addPass(createFoldAdapters());
  pm.addPass(createLowerGathers());
  pm.addPass(createFuseMatmulAdd());
  pm.addPass(createLowerOptimizer());
  pm.addPass(createLowerTriplets());
  pm.addPass(createShareSoftmax());
  pm.addPass(createLowerToRowwise());
  pm.addPass(createFuseRowwise());
  pm.addPass(createVerifyFused());
}

void buildPlan(OpPassManager &pm, const CompilerOptions &o) {
  LowerToPlanOptions lower;
  lower.stridedAttention = o.target.isCuda();
  // No workspace: with 32 MiB a stream cuBLASLt's split-K algorithms win the
  // tuning but lose in the step (llama3-8b, 96 tokens: 11.6 ms against 10.9).
  lower.workspace = 0;
  pm.addPass(createLowerToPlan(lower));
  if (o.target.isCuda()) {
    SelectLibraryKernelsOptions library;
    library.arch = o.target.arch;
    library.ptx = o.target.ptx;
    pm.addPass(createSelectLibraryKernels(library));
    pm.addPass(createSumInKernels());
    pm.addPass(createAssignStreams());
  }
  pm.addPass(createPlanBuffers());
  pm.addPass(createVerifyBuffers());
  if (o.target.isCuda()) {
    GenerateGpuKernelsOptions gpu;
    gpu.arch = o.target.arch;
    gpu.format = o.target.ptx ? "ptx" : "cubin";
    pm.addPass(createGenerateGpuKernels(gpu));
    return;
  }
  GenerateCpuKernelsOptions cpu;
  cpu.cpu = o.target.arch;
  pm.addPass(createGenerateCpuKernels(cpu));
}

struct LevelPipeline {
  Level level;
  StringRef name;
  void (*build)(OpPassManager &, const CompilerOptions &);
};
constexpr LevelPipeline kLevels[] = {{Level::Graph, "graph", buildGraph},
                                     {Level::Train, "train", buildTrain},
                                     {Level::Sharded, "sharded", buildSharded},
                                     {Level::Fused, "fused", buildFused},
                                     {Level::Plan, "plan", buildPlan}};

LogicalResult dump(ModuleOp module, StringRef folder, const LevelPipeline &l) {
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return module.emitError("cannot make ")
           << folder << ": " << error.message();
  SmallString<128> path(folder);
  llvm::sys::path::append(path, Twine(static_cast<int>(l.level)) + "-" +
                                    l.name + ".mlir");
  std::error_code error;
  llvm::raw_fd_ostream out(path, error);
  if (error)
    return module.emitError("cannot write ") << path << ": " << error.message();
  OpPrintingFlags flags;
  flags.elideLargeElementsAttrs(16);
  module.print(out, flags);
  out << "\n";
  return success();
}

} // namespace

bool llamac::bringsPrograms(ModuleOp module) {
  return llvm::any_of(module.getOps<func::FuncOp>(), [](func::FuncOp f) {
    return f->hasAttr(llm::LlmDialect::kProgramAttr);
  });
}

LogicalResult llamac::checkLayout(ModuleOp module, int64_t tp) {
  auto model =
      module->getAttrOfType<llm::ModelAttr>(llm::LlmDialect::kModelAttr);
  auto walked = module.walk([&](Operation *op) {
    if (!isa<llm::WeightOp, llm::ParameterOp>(op))
      return WalkResult::advance();
    StringRef name = op->getAttrOfType<StringAttr>("name").getValue();
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    return WalkResult(checkSplit(op->getLoc(), name, type, model, tp));
  });
  return failure(walked.wasInterrupted());
}

LogicalResult llamac::runPipeline(ModuleOp module,
                                  const CompilerOptions &options,
                                  StringRef reproducer) {
  for (const LevelPipeline &level : kLevels) {
    PassManager pm(module->getContext());
    level.build(pm, options);
    // Verifying after every pass doubles the time of a large model; each level
    // ends with its own verifier, and MLIR's runs once more at its end.
    pm.enableVerifier(false);
    if (failed(applyPassManagerCLOptions(pm)))
      return failure();
    if (!reproducer.empty())
      pm.enableCrashReproducerGeneration(reproducer);
    if (failed(pm.run(module)) || failed(module.verify()))
      return failure();
    if (!options.dumpPhases.empty() &&
        failed(dump(module, options.dumpPhases, level)))
      return failure();
    if (level.level == options.stopAfter)
      break;
  }
  return success();
}
