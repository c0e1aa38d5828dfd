//===- LowerGathers.cpp - Gathers of columns ------------------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/fuse/Passes.h"

#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_LOWERGATHERS
#include "passes/fuse/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct LowerGathers : llamac::impl::LowerGathersBase<LowerGathers> {
  void runOnOperation() override {
    SmallVector<shard::AllGatherOp> gathers;
    getOperation().walk([&](shard::AllGatherOp op) {
      if (!op.getGatherAxis().isZero())
        gathers.push_back(op);
    });
    for (shard::AllGatherOp op : gathers)
      if (failed(lower(op)))
        return signalPassFailure();
  }

  static LogicalResult lower(shard::AllGatherOp op) {
    auto part = cast<RankedTensorType>(op.getInput().getType());
    auto whole = cast<RankedTensorType>(op.getType());
    if (part.getRank() != 2 || !part.hasStaticShape() ||
        part.getDimSize(1) == 0 ||
        whole.getDimSize(1) % part.getDimSize(1) != 0)
      return op.emitOpError("gathers ")
             << whole << " of parts " << part << ", which no kernel can do";
    int64_t parts = whole.getDimSize(1) / part.getDimSize(1);
    OpBuilder b(op);
    auto rows =
        RankedTensorType::get({part.getDimSize(0) * parts, part.getDimSize(1)},
                              part.getElementType());
    Value gathered = shard::AllGatherOp::create(
        b, op.getLoc(), rows, op.getGridAttr(), op.getGridAxesAttr(),
        op.getInput(), b.getIndexAttr(0));
    op.replaceAllUsesWith(
        llm::JoinColumnsOp::create(b, op.getLoc(), whole, gathered)
            .getResult());
    op.erase();
    return success();
  }
};

} // namespace
