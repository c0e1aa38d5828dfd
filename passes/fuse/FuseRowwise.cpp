//===- FuseRowwise.cpp - Merge neighbouring rowwise ops -------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/fuse/Passes.h"
#include "passes/fuse/RowwiseMerge.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_FUSEROWWISE
#include "passes/fuse/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct FuseRowwise : llamac::impl::FuseRowwiseBase<FuseRowwise> {
  void runOnOperation() override {
    for (auto f : getOperation().getOps<func::FuncOp>()) {
      SmallVector<llm::RowwiseOp> ops(f.getOps<llm::RowwiseOp>());
      // In program order: an op is merged into a later one only, so the ones
      // still to come are never erased.
      for (llm::RowwiseOp op : ops)
        fuseProducers(op);
    }
  }

  static void fuseProducers(llm::RowwiseOp op) {
    bool changed = true;
    while (changed) {
      changed = false;
      for (Value input : op.getInputs()) {
        auto producer = input.getDefiningOp<llm::RowwiseOp>();
        if (!producer)
          continue;
        if (auto merged = llamac::mergeRowwise(producer, op)) {
          op = merged;
          changed = true;
          break;
        }
      }
    }
  }
};

} // namespace
