//===- NarrowToPooled.cpp - Gather last tokens as early as possible -------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/graph/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace llamac {
#define GEN_PASS_DEF_NARROWTOPOOLED
#include "passes/graph/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

/// gather(op(x)) -> op(gather(x)), when every user of op gathers the same rows.
struct NarrowGather : OpRewritePattern<llm::GatherRowsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(llm::GatherRowsOp gather,
                                PatternRewriter &b) const override {
    auto op = gather.getX().getDefiningOp<llm::TokenwiseOpInterface>();
    // Arguments of the function dominate `op`, wherever it stands.
    if (!op || !isa<BlockArgument>(gather.getIndex()) ||
        !isa<BlockArgument>(gather.getInverse()))
      return failure();
    SmallVector<llm::GatherRowsOp> gathers;
    for (Operation *user : gather.getX().getUsers()) {
      auto other = dyn_cast<llm::GatherRowsOp>(user);
      if (!other || other.getIndex() != gather.getIndex())
        return failure();
      gathers.push_back(other);
    }
    int64_t rows = gather.getType().getDimSize(0);
    auto narrowed = [&](Type type) -> Type {
      auto wide = cast<RankedTensorType>(type);
      return RankedTensorType::get({rows, wide.getDimSize(1)},
                                   wide.getElementType());
    };
    b.setInsertionPoint(op);
    IRMapping map;
    for (OpOperand &operand : op->getOpOperands())
      if (op.isTokenOperand(operand.getOperandNumber())) {
        Value x = operand.get();
        map.map(x, llm::GatherRowsOp::create(
                       b, gather.getLoc(), narrowed(x.getType()), x,
                       gather.getIndex(), gather.getInverse())
                       .getResult());
      }
    Operation *copy = b.clone(*op, map);
    copy->getResult(0).setType(cast<RankedTensorType>(gather.getType()));
    for (llm::GatherRowsOp other : gathers)
      b.replaceOp(other, copy->getResult(0));
    b.eraseOp(op);
    return success();
  }
};

struct NarrowToPooled : llamac::impl::NarrowToPooledBase<NarrowToPooled> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<NarrowGather>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
