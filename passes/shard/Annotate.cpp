//===- Annotate.cpp - Which tensor lies how on the grid -------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/shard/GridSizes.h"
#include "passes/shard/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_ANNOTATE
#include "passes/shard/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

constexpr StringLiteral kGrid = "grid";
/// Ranks are 32-bit everywhere.
constexpr int64_t kMaxDevices = int64_t(1) << 20;

struct Annotate : llamac::impl::AnnotateBase<Annotate> {
  using AnnotateBase::AnnotateBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (dp < 1 || tp < 1 || dp > kMaxDevices || tp > kMaxDevices / dp) {
      module.emitError("a grid has from 1 to ")
          << kMaxDevices << " devices, not dp" << dp.getValue() << ",tp"
          << tp.getValue();
      return signalPassFailure();
    }
    if (!module.getOps<shard::GridOp>().empty()) {
      module.emitError("has a shard.grid already");
      return signalPassFailure();
    }
    OpBuilder b(module.getBodyRegion());
    shard::GridOp::create(b, module.getLoc(), b.getStringAttr(kGrid),
                          b.getDenseI64ArrayAttr({dp, tp}));
    for (auto f : module.getOps<func::FuncOp>())
      if (f->hasAttr(llm::LlmDialect::kProgramAttr) && failed(annotate(f)))
        return signalPassFailure();
  }

  LogicalResult annotate(func::FuncOp f) {
    OpBuilder b(f.getContext());
    Block &body = f.getBody().front();
    b.setInsertionPointToStart(&body);
    if (dp > 1)
      for (unsigned i = 0; i < f.getNumArguments(); ++i) {
        auto name =
            f.getArgAttrOfType<StringAttr>(i, llm::LlmDialect::kInputAttr);
        if (!name || !llamac::isPerStep(name.getValue()))
          split(b, f.getArgument(i), 0, llamac::kDataAxis);
      }
    if (tp == 1)
      return success();
    auto model = getOperation()->getAttrOfType<llm::ModelAttr>(
        llm::LlmDialect::kModelAttr);
    for (Operation &op : llvm::make_early_inc_range(body)) {
      if (!isa<llm::WeightOp, llm::ParameterOp>(op))
        continue;
      StringRef name = op.getAttrOfType<StringAttr>("name").getValue();
      auto type = cast<RankedTensorType>(op.getResult(0).getType());
      std::optional<unsigned> dimension = llamac::splitDimension(name);
      if (!dimension || isAnnotated(op.getResult(0)))
        continue;
      if (failed(llamac::checkSplit(op.getLoc(), name, type, model, tp)))
        return failure();
      b.setInsertionPointAfter(&op);
      split(b, op.getResult(0), *dimension, llamac::kTensorAxis);
    }
    return success();
  }

  static bool isAnnotated(Value value) {
    return llvm::any_of(value.getUsers(), llvm::IsaPred<shard::ShardOp>);
  }

  static void split(OpBuilder &b, Value value, unsigned dimension,
                    int64_t axis) {
    SmallVector<shard::GridAxesAttr> axes(
        dimension + 1, shard::GridAxesAttr::get(b.getContext(), {}));
    axes[dimension] = shard::GridAxesAttr::get(
        b.getContext(), {static_cast<shard::GridAxis>(axis)});
    Value sharding = shard::ShardingOp::create(
        b, value.getLoc(), FlatSymbolRefAttr::get(b.getContext(), kGrid), axes);
    auto shardOp = shard::ShardOp::create(b, value.getLoc(), value.getType(),
                                          value, sharding);
    value.replaceAllUsesExcept(shardOp.getResult(), shardOp);
  }
};

} // namespace
