//===- AttachOptimizer.cpp - The update of every parameter ----------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/autodiff/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_ATTACHOPTIMIZER
#include "passes/autodiff/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct AttachOptimizer : llamac::impl::AttachOptimizerBase<AttachOptimizer> {
  void runOnOperation() override {
    auto task = getOperation()->getAttrOfType<llm::TaskAttr>(
        llm::LlmDialect::kTaskAttr);
    bool clear = task && task.getAccumulation() > 1;
    for (auto f : getOperation().getOps<func::FuncOp>()) {
      auto program =
          f->getAttrOfType<llm::ProgramAttr>(llm::LlmDialect::kProgramAttr);
      if (program && program.getKind() == llm::ProgramKind::Train)
        attach(f, clear);
    }
  }

  void attach(func::FuncOp f, bool clear) {
    OpBuilder b(f.getContext());
    SmallVector<StringRef> names;
    for (auto parameter : f.getOps<llm::ParameterOp>())
      names.push_back(parameter.getName());

    auto named = [&](StringRef attr, StringRef value) {
      return b.getDictionaryAttr(b.getNamedAttr(attr, b.getStringAttr(value)));
    };
    unsigned hyper = f.getNumArguments();
    (void)f.insertArgument(hyper, RankedTensorType::get({8}, b.getF64Type()),
                           named(llm::LlmDialect::kInputAttr, "hyper"),
                           f.getLoc());
    Operation *end = f.getBody().front().getTerminator();
    b.setInsertionPoint(end);
    auto scalar = RankedTensorType::get({1}, b.getF32Type());
    auto step = llm::OptimizerStepOp::create(
        b, f.getLoc(), scalar, scalar, b.getStrArrayAttr(names),
        f.getArgument(hyper), clear ? b.getUnitAttr() : nullptr);
    unsigned results = f.getNumResults();
    (void)f.insertResult(results, scalar,
                         named(llm::LlmDialect::kOutputAttr, "grad_norm"));
    (void)f.insertResult(results + 1, scalar,
                         named(llm::LlmDialect::kOutputAttr, "learning_rate"));
    end->insertOperands(end->getNumOperands(), step.getResults());
  }
};

} // namespace
