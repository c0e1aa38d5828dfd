//===- ReshardPipeline.cpp - Plans that change layouts --------------------===//
#include "compiler/pipeline/ReshardPipeline.h"

#include "compiler/pipeline/Pipeline.h"
#include "passes/shard/Passes.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace llamac;

LogicalResult llamac::runReshardPipeline(ModuleOp module,
                                         const CompilerOptions &options,
                                         StringRef reproducer) {
  // Which tensors are trained: level train of one program each. Buckets have no
  // say in it.
  CompilerOptions train = options;
  train.stopAfter = Level::Train;
  train.buckets = {options.maxLength};
  if (failed(runPipeline(module, train, reproducer)))
    return failure();

  ReshardOptions layouts;
  layouts.sourceDp = options.reshardFrom->dp;
  layouts.sourceTp = options.reshardFrom->tp;
  layouts.targetDp = options.grid.dp;
  layouts.targetTp = options.grid.tp;
  PassManager pm(module->getContext());
  pm.addPass(createReshard(layouts));
  pm.addPass(createVerifyReshard());
  if (failed(applyPassManagerCLOptions(pm)))
    return failure();
  if (!reproducer.empty())
    pm.enableCrashReproducerGeneration(reproducer);
  return pm.run(module);
}
