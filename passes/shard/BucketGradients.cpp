//===- BucketGradients.cpp - Few large sums of gradients ------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/shard/GridSizes.h"
#include "passes/shard/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"

namespace llamac {
#define GEN_PASS_DEF_BUCKETGRADIENTS
#include "passes/shard/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct BucketGradients : llamac::impl::BucketGradientsBase<BucketGradients> {
  using BucketGradientsBase::BucketGradientsBase;

  void runOnOperation() override {
    shard::GridOp grid = llamac::theGrid(getOperation());
    if (!grid)
      return signalPassFailure();
    if (bucketBytes < 1) {
      getOperation().emitError("bucket-bytes must be positive, not ")
          << bucketBytes.getValue();
      return signalPassFailure();
    }
    for (auto f : getOperation().getOps<func::FuncOp>())
      bucket(f, grid);
  }

  void bucket(func::FuncOp f, shard::GridOp grid) {
    // One collective has one element type.
    llvm::MapVector<std::pair<ArrayRef<shard::GridAxis>, Type>,
                    SmallVector<Attribute>>
        open;
    int64_t bytes = 0;
    llm::GradientStoreOp last;
    auto close = [&] {
      if (!last)
        return;
      OpBuilder b(last->getContext());
      b.setInsertionPointAfter(last);
      for (auto &[key, names] : open)
        llm::ReduceGradientsOp::create(
            b, last.getLoc(), b.getArrayAttr(names),
            FlatSymbolRefAttr::get(grid.getSymNameAttr()),
            b.getDenseI64ArrayAttr(SmallVector<int64_t>(key.first)));
      open.clear();
      bytes = 0;
      last = {};
    };
    for (auto store : f.getOps<llm::GradientStoreOp>()) {
      auto sum = store.getValue().getDefiningOp<shard::AllReduceOp>();
      if (!sum || !sum->hasOneUse() ||
          sum.getReduction() != shard::ReductionKind::Sum)
        continue;
      auto type = cast<RankedTensorType>(sum.getType());
      store.getValueMutable().assign(sum.getInput());
      open[{sum.getGridAxes(), type.getElementType()}].push_back(
          store.getNameAttr());
      sums.push_back(sum);
      last = store;
      bytes += type.getNumElements() * type.getElementTypeBitWidth() / 8;
      if (bytes >= bucketBytes)
        close();
    }
    close();
    // Only now: their axes are keys of the map.
    for (shard::AllReduceOp sum : sums)
      sum.erase();
    sums.clear();
  }

  SmallVector<shard::AllReduceOp> sums;
};

} // namespace
