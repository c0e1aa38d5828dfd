//===- LowerToRowwise.cpp - Ops as scalar bodies over rows ----------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/fuse/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_LOWERTOROWWISE
#include "passes/fuse/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

/// Remembers what a kernel computes, for people who read plans and profiles:
/// the ops just built, back to those that have a name already.
void nameSource(Operation *op, StringRef source) {
  if (!isa_and_nonnull<llm::RowwiseOp>(op) ||
      op->hasAttr(llm::LlmDialect::kSourceAttr))
    return;
  op->setAttr(llm::LlmDialect::kSourceAttr,
              StringAttr::get(op->getContext(), source));
  for (Value operand : op->getOperands())
    nameSource(operand.getDefiningOp(), source);
}

struct LowerToRowwise : llamac::impl::LowerToRowwiseBase<LowerToRowwise> {
  void runOnOperation() override {
    SmallVector<llm::RowwiseOpInterface> ops;
    getOperation().walk([&](llm::RowwiseOpInterface op) { ops.push_back(op); });
    for (llm::RowwiseOpInterface op : ops) {
      for (Type type : op->getOperandTypes())
        if (!cast<ShapedType>(type).hasStaticShape()) {
          op->emitError("needs static shapes to become rowwise");
          return signalPassFailure();
        }
      OpBuilder b(op);
      auto values = op.lowerToRowwise(b);
      if (failed(values))
        return signalPassFailure();
      for (Value value : *values)
        nameSource(value.getDefiningOp(), op->getName().stripDialect());
      op->replaceAllUsesWith(*values);
      op->erase();
    }
  }
};

} // namespace
