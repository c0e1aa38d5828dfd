//===- ShareSoftmax.cpp - Row statistics of a loss and its gradient -------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/fuse/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_SHARESOFTMAX
#include "passes/fuse/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct ShareSoftmax : public llamac::impl::ShareSoftmaxBase<ShareSoftmax> {
  using ShareSoftmaxBase::ShareSoftmaxBase;

  void runOnOperation() override {
    SmallVector<llm::CrossEntropyOp> losses;
    getOperation().walk([&](llm::CrossEntropyOp op) { losses.push_back(op); });
    for (llm::CrossEntropyOp loss : losses)
      share(loss);
  }

private:
  void share(llm::CrossEntropyOp loss) {
    auto logits = cast<RankedTensorType>(loss.getLogits().getType());
    if (!logits.hasStaticShape() || logits.getDimSize(1) < columns)
      return;
    SmallVector<llm::CrossEntropyGradOp> gradients;
    for (Operation *user : loss.getLogits().getUsers())
      if (auto gradient = dyn_cast<llm::CrossEntropyGradOp>(user))
        if (gradient.getLogits() == loss.getLogits() &&
            gradient.getLabels() == loss.getLabels() &&
            gradient->getBlock() == loss->getBlock() &&
            loss->isBeforeInBlock(gradient))
          gradients.push_back(gradient);
    if (gradients.empty())
      return;
    OpBuilder b(loss);
    auto matrix = [&](int64_t cols) {
      return RankedTensorType::get({logits.getDimSize(0), cols},
                                   b.getF32Type());
    };
    Value labels = loss.getLabels();
    Value parts =
        llm::SoftmaxStatsOp::create(b, loss.getLoc(), loss.getLogits(), labels);
    Value stats =
        llm::JoinSoftmaxStatsOp::create(b, loss.getLoc(), matrix(2), parts);
    loss.replaceAllUsesWith(llm::CrossEntropyPartsOp::create(b, loss.getLoc(),
                                                             stats, labels,
                                                             loss.getScale())
                                .getResult());
    for (llm::CrossEntropyGradOp gradient : gradients) {
      b.setInsertionPoint(gradient);
      gradient.replaceAllUsesWith(
          llm::CrossEntropyPartsGradOp::create(
              b, gradient.getLoc(), gradient.getType(), gradient.getLogits(),
              stats, labels, labels, gradient.getScale(), gradient.getDloss())
              .getResult());
      gradient.erase();
    }
    loss.erase();
  }
};

} // namespace
