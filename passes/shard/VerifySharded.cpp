//===- VerifySharded.cpp - The guarantees of level sharded ----------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/shard/Passes.h"

#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_VERIFYSHARDED
#include "passes/shard/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct VerifySharded : llamac::impl::VerifyShardedBase<VerifySharded> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto grids = module.getOps<shard::GridOp>();
    if (!llvm::hasSingleElement(grids)) {
      module.emitError("level sharded has exactly one shard.grid");
      return signalPassFailure();
    }
    int64_t devices = 1;
    for (int64_t n : (*grids.begin()).getShape())
      devices *= n;
    // Anything of the shard dialect but the grid is an annotation that was not
    // partitioned, or a collective.
    WalkResult result = module.walk([&](Operation *op) {
      if (!isa_and_nonnull<shard::ShardDialect>(op->getDialect()) ||
          isa<shard::GridOp>(op))
        return WalkResult::advance();
      if (isa<shard::ShardOp, shard::ShardingOp>(op) || devices == 1) {
        op->emitError(devices == 1 ? "has no meaning on one device"
                                   : "is an annotation nobody partitioned");
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    module->setAttr(llm::LlmDialect::kLevelAttr,
                    StringAttr::get(&getContext(), "sharded"));
  }
};

} // namespace
