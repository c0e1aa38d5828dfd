//===- InstantiateBuckets.cpp - Static shapes, one function a bucket ------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/graph/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_INSTANTIATEBUCKETS
#include "passes/graph/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct InstantiateBuckets
    : llamac::impl::InstantiateBucketsBase<InstantiateBuckets> {
  using InstantiateBucketsBase::InstantiateBucketsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto model = module.lookupSymbol<func::FuncOp>("model");
    auto task =
        module->getAttrOfType<llm::TaskAttr>(llm::LlmDialect::kTaskAttr);
    if (!model || !task) {
      module.emitError(
          "needs @model and llm.task: run graph-attach-head first");
      return signalPassFailure();
    }
    if (buckets.empty()) {
      module.emitError("no token buckets given");
      return signalPassFailure();
    }
    int64_t previous = 0;
    for (int64_t tokens : buckets) {
      if (tokens <= previous) {
        module.emitError("token buckets must be positive and ascending, but ")
            << tokens << " follows " << previous;
        return signalPassFailure();
      }
      previous = tokens;
    }
    OpBuilder b(model);
    bool probes = model->hasAttr(llm::LlmDialect::kProbesAttr);
    model->removeAttr(llm::LlmDialect::kProbesAttr);
    for (int64_t tokens : buckets) {
      if (probes) {
        instantiate(b, model, llm::ProgramKind::Probe, tokens, task);
        continue;
      }
      if (task.getAccumulation() > 1)
        instantiate(b, model, llm::ProgramKind::Accumulate, tokens, task);
      instantiate(b, model, llm::ProgramKind::Train, tokens, task);
      instantiate(b, model, llm::ProgramKind::Evaluate, tokens, task);
    }
    model.erase();
  }

  void instantiate(OpBuilder &b, func::FuncOp model, llm::ProgramKind kind,
                   int64_t tokens, llm::TaskAttr task) {
    auto copy = cast<func::FuncOp>(b.clone(*model));
    copy.setName((llm::stringifyProgramKind(kind) + "_" + Twine(tokens)).str());
    copy->setAttr(
        llm::LlmDialect::kProgramAttr,
        llm::ProgramAttr::get(b.getContext(), kind, tokens, task.getBatch()));
    AttrTypeReplacer replacer;
    replacer.addReplacement([&](RankedTensorType type) -> Type {
      SmallVector<int64_t> shape(type.getShape());
      llvm::replace(shape, ShapedType::kDynamic, tokens);
      return RankedTensorType::get(shape, type.getElementType());
    });
    replacer.recursivelyReplaceElementsIn(copy, /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
    if (kind != llm::ProgramKind::Evaluate)
      dropLogits(copy);
  }

  /// Training reads the loss alone; what only the logits need falls away.
  void dropLogits(func::FuncOp f) {
    for (unsigned i = f.getNumResults(); i-- > 0;) {
      auto name =
          f.getResultAttrOfType<StringAttr>(i, llm::LlmDialect::kOutputAttr);
      if (!name || name.getValue() != "logits")
        continue;
      (void)f.eraseResult(i);
      f.getBody().front().getTerminator()->eraseOperand(i);
    }
    bool changed = true;
    while (changed) {
      changed = false;
      for (Operation &op :
           llvm::make_early_inc_range(llvm::reverse(f.getBody().front())))
        if (isOpTriviallyDead(&op)) {
          op.erase();
          changed = true;
        }
    }
  }
};

} // namespace
