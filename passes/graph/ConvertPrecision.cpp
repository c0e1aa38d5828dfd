//===- ConvertPrecision.cpp - Compute in one element type
//---------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/graph/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_CONVERTPRECISION
#include "passes/graph/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

bool isLoss(Operation *op) {
  return isa_and_nonnull<llm::CrossEntropyOp, llm::MseOp, llm::SumOp>(op);
}

/// Values that are f32 whatever the model computes in.
bool staysFloat32(Value value) {
  if (value.getDefiningOp<llm::RopeTableOp>() || isLoss(value.getDefiningOp()))
    return true;
  // Labels and scales of losses.
  if (isa<BlockArgument>(value) &&
      llvm::any_of(value.getUses(), [](OpOperand &use) {
        return isLoss(use.getOwner()) && use.getOperandNumber() > 0;
      }))
    return true;
  auto attention = value.getDefiningOp<llm::AttentionOp>();
  return attention && value == attention.getLse();
}

struct ConvertPrecision : llamac::impl::ConvertPrecisionBase<ConvertPrecision> {
  using ConvertPrecisionBase::ConvertPrecisionBase;

  void runOnOperation() override {
    if (compute == "f32") {
      auto f32 = Float32Type::get(&getContext());
      AttrTypeReplacer replacer;
      replacer.addReplacement([&](BFloat16Type) -> Type { return f32; });
      replacer.recursivelyReplaceElementsIn(
          getOperation(), /*replaceAttrs=*/true, /*replaceLocs=*/false,
          /*replaceTypes=*/true);
    } else if (compute == "bf16") {
      for (auto f : getOperation().getOps<func::FuncOp>())
        narrow(f);
    } else {
      getOperation().emitError("compute is '")
          << compute << "', not f32 or bf16";
      signalPassFailure();
    }
  }

  void narrow(func::FuncOp f) {
    // Layers are unrolled: one block.
    auto set = [&](Value value) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      if (!type || !type.getElementType().isF32() || staysFloat32(value))
        return;
      value.setType(RankedTensorType::get(type.getShape(),
                                          BFloat16Type::get(&getContext())));
    };
    for (Block &block : f.getBody()) {
      for (BlockArgument argument : block.getArguments())
        set(argument);
      for (Operation &op : block)
        for (Value result : op.getResults())
          set(result);
    }
    if (!f.isExternal())
      f.setFunctionType(FunctionType::get(
          &getContext(), f.getBody().front().getArgumentTypes(),
          f.getBody().front().getTerminator()->getOperandTypes()));
  }
};

} // namespace
