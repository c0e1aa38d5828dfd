//===- LowerLinear.cpp - Linear layers as matrix products -----------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/fuse/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_LOWERLINEAR
#include "passes/fuse/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct LowerLinear : llamac::impl::LowerLinearBase<LowerLinear> {
  void runOnOperation() override {
    getOperation().walk([](llm::LinearOp op) {
      OpBuilder b(op);
      Value y = llm::MatmulOp::create(b, op.getLoc(), op.getType(), op.getX(),
                                      op.getWeight(), /*accumulate=*/Value(),
                                      /*transpose_a=*/nullptr, b.getUnitAttr(),
                                      op.getAlphaAttr());
      op.replaceAllUsesWith(y);
      op.erase();
    });
  }
};

} // namespace
