//===- AttachAllocation.cpp - AdaLoRA's regulariser and budget ------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/autodiff/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_ATTACHALLOCATION
#include "passes/autodiff/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct AttachAllocation : llamac::impl::AttachAllocationBase<AttachAllocation> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto adapter =
        module->getAttrOfType<llm::AdapterAttr>(llm::LlmDialect::kAdapterAttr);
    if (!adapter || adapter.getKind() != "adalora")
      return;
    if (!adapter.getAdalora()) {
      module.emitError("adapter of kind adalora has no #llm.adalora");
      return signalPassFailure();
    }
    for (auto f : module.getOps<func::FuncOp>()) {
      auto program =
          f->getAttrOfType<llm::ProgramAttr>(llm::LlmDialect::kProgramAttr);
      if (!program)
        continue;
      if (program.getKind() == llm::ProgramKind::Evaluate)
        evaluate(f, adapter);
      else if (program.getKind() == llm::ProgramKind::Train &&
               failed(train(f, adapter)))
        return signalPassFailure();
    }
  }

  static DictionaryAttr named(Builder &b, StringRef attr, StringRef value) {
    return b.getDictionaryAttr(b.getNamedAttr(attr, b.getStringAttr(value)));
  }
  static RankedTensorType scalar(Builder &b) {
    return RankedTensorType::get({1}, b.getF32Type());
  }
  static void addResult(func::FuncOp f, StringRef name, Value value) {
    Builder b(f.getContext());
    (void)f.insertResult(f.getNumResults(), value.getType(),
                         named(b, llm::LlmDialect::kOutputAttr, name));
    Operation *end = f.getBody().front().getTerminator();
    end->insertOperands(end->getNumOperands(), value);
  }

  static void evaluate(func::FuncOp f, llm::AdapterAttr adapter) {
    OpBuilder b(f.getBody().front().getTerminator());
    addResult(f, "regulariser",
              llm::OrthogonalityOp::create(
                  b, f.getLoc(), scalar(b), adapter.getModules(),
                  adapter.getAdalora().getOrthRegWeight()));
  }

  static LogicalResult train(func::FuncOp f, llm::AdapterAttr adapter) {
    auto steps = f.getOps<llm::OptimizerStepOp>();
    if (!llvm::hasSingleElement(steps))
      return f.emitError("has no optimizer step, or several");
    llm::OptimizerStepOp step = *steps.begin();
    llm::AdaLoraAttr adalora = adapter.getAdalora();
    OpBuilder b(step);
    unsigned index = f.getNumArguments();
    (void)f.insertArgument(index, RankedTensorType::get({2}, b.getI64Type()),
                           named(b, llm::LlmDialect::kInputAttr, "adalora"),
                           f.getLoc());
    Value penalty = llm::TripletGradientsOp::create(b, f.getLoc(), scalar(b),
                                                    adapter.getModules(),
                                                    adalora.getOrthRegWeight());
    b.setInsertionPointAfter(step);
    auto kept = RankedTensorType::get(
        {static_cast<int64_t>(adapter.getModules().size()), adapter.getRank()},
        b.getF32Type());
    Value mask = llm::AllocateRanksOp::create(
        b, f.getLoc(), kept, adapter.getModules(), adalora.getBeta1(),
        adalora.getBeta2(), f.getArgument(index));
    if (failed(reportTotal(f, penalty)))
      return failure();
    addResult(f, "kept", mask);
    return success();
  }

  /// "loss" becomes what PEFT reports, the task's is "task_loss".
  static LogicalResult reportTotal(func::FuncOp f, Value penalty) {
    Operation *end = f.getBody().front().getTerminator();
    OpBuilder b(end);
    for (unsigned i = 0; i < f.getNumResults(); ++i) {
      auto name =
          f.getResultAttrOfType<StringAttr>(i, llm::LlmDialect::kOutputAttr);
      if (!name || name.getValue() != "loss")
        continue;
      Value task = end->getOperand(i);
      end->setOperand(i, llm::AddOp::create(b, f.getLoc(), task, penalty));
      addResult(f, "task_loss", task);
      return success();
    }
    return f.emitError("a training program returns \"loss\"");
  }
};

} // namespace
