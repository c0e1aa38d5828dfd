//===- FuseMatmulAdd.cpp - Accumulate instead of adding -------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/fuse/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_FUSEMATMULADD
#include "passes/fuse/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

/// True if nothing else needs `v`'s storage, so a product may overwrite it.
bool canAccumulateInto(Value v) {
  Operation *op = v.getDefiningOp();
  return op && v.hasOneUse() &&
         !isa<llm::WeightOp, llm::ParameterOp, llm::ConstantOp, llm::PanelOp,
              llm::ConcatOp, llm::FoldedWeightOp>(op);
}

struct FuseMatmulAdd : llamac::impl::FuseMatmulAddBase<FuseMatmulAdd> {
  void runOnOperation() override {
    SmallVector<llm::AddOp> adds;
    getOperation().walk([&](llm::AddOp op) { adds.push_back(op); });
    for (llm::AddOp add : adds)
      if (!fuse(add, add.getRhs(), add.getLhs()))
        fuse(add, add.getLhs(), add.getRhs());
  }

  /// The product moves to the sum's place, where both addends are there.
  static bool fuse(llm::AddOp add, Value product, Value target) {
    auto matmul = product.getDefiningOp<llm::MatmulOp>();
    if (!matmul || !product.hasOneUse() || matmul.getAccumulate() ||
        product == target || !canAccumulateInto(target) ||
        matmul->getBlock() != add->getBlock())
      return false;
    OpBuilder b(add);
    Value sum = llm::MatmulOp::create(
        b, matmul.getLoc(), add.getType(), matmul.getA(), matmul.getB(), target,
        matmul.getTransposeAAttr(), matmul.getTransposeBAttr(),
        matmul.getAlphaAttr());
    add.replaceAllUsesWith(sum);
    add.erase();
    matmul.erase();
    return true;
  }
};

} // namespace
