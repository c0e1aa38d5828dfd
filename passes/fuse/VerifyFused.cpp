//===- VerifyFused.cpp - The guarantees of level fused --------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/fuse/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_VERIFYFUSED
#include "passes/fuse/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct VerifyFused : llamac::impl::VerifyFusedBase<VerifyFused> {
  void runOnOperation() override {
    for (auto f : getOperation().getOps<func::FuncOp>()) {
      if (!f.getBody().hasOneBlock()) {
        f.emitError("is no program: its body is not one block");
        return signalPassFailure();
      }
      for (Operation &op : f.getBody().front().without_terminator())
        if (!isa<llm::MatmulOp, llm::RowwiseOp, llm::AttentionOp,
                 llm::AttentionGradOp, llm::WeightOp, llm::ParameterOp,
                 llm::ConstantOp, llm::GradientStoreOp, llm::PendingGradientOp,
                 llm::PanelOp, llm::ConcatOp, llm::FoldedWeightOp,
                 llm::FoldFactorsOp, llm::FlatLoadOp, llm::FlatStoreOp,
                 llm::FlatClearOp, llm::ReduceGradientsOp, llm::TripletGramsOp,
                 llm::TripletFinishOp, llm::TripletScoresOp, llm::TripletMaskOp,
                 shard::AllReduceOp, shard::AllGatherOp,
                 shard::ReduceScatterOp>(op)) {
          op.emitOpError(
              "is not one launch: it does not belong to level fused");
          return signalPassFailure();
        }
    }
    getOperation()->setAttr(llm::LlmDialect::kLevelAttr,
                            StringAttr::get(&getContext(), "fused"));
  }
};

} // namespace
