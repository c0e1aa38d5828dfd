//===- Partition.cpp - Split a program over a grid ------------------------===//
#include "passes/shard/Passes.h"

#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_PARTITION
#include "passes/shard/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct Partition : llamac::impl::PartitionBase<Partition> {
  using PartitionBase::PartitionBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (dp < 1 || tp < 1) {
      module.emitError("the grid needs at least one device on each axis, not ")
          << dp.getValue() << " x " << tp.getValue();
      return signalPassFailure();
    }
    if (dp != 1 || tp != 1) {
      module.emitError("programs for more than one device are not supported "
                       "yet: asked for dp")
          << dp.getValue() << ",tp" << tp.getValue() << ", can do dp1";
      return signalPassFailure();
    }
    OpBuilder b(module.getBodyRegion());
    shard::GridOp::create(b, module.getLoc(), b.getStringAttr("grid"),
                          b.getDenseI64ArrayAttr({dp, tp}));
  }
};

} // namespace
