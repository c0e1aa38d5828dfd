//===- VerifyGraph.cpp - The guarantees of level graph --------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/graph/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringSet.h"

namespace llamac {
#define GEN_PASS_DEF_VERIFYGRAPH
#include "passes/graph/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

/// Names of inputs and outputs are the program's to choose, but each one once.
LogicalResult checkNames(func::FuncOp f) {
  auto program =
      f->getAttrOfType<llm::ProgramAttr>(llm::LlmDialect::kProgramAttr);
  if (program && (program.getTokens() < 1 || program.getSequences() < 1))
    return f.emitError("is a program of ")
           << program.getTokens() << " tokens and " << program.getSequences()
           << " sequences";
  llvm::StringSet<> inputs, outputs;
  for (unsigned i = 0; i < f.getNumResults(); ++i)
    if (auto name =
            f.getResultAttrOfType<StringAttr>(i, llm::LlmDialect::kOutputAttr))
      if (!outputs.insert(name.getValue()).second)
        return f.emitError("has two outputs ") << name;
  for (unsigned i = 0; i < f.getNumArguments(); ++i) {
    if (auto name =
            f.getArgAttrOfType<StringAttr>(i, llm::LlmDialect::kInputAttr))
      if (!inputs.insert(name.getValue()).second)
        return f.emitError("has two inputs ") << name;
    auto gradient =
        f.getArgAttrOfType<StringAttr>(i, llm::LlmDialect::kGradientAttr);
    if (!gradient)
      continue;
    if (!program || program.getKind() != llm::ProgramKind::Gradient)
      return f.emitError("is no program of kind gradient, but is to return the "
                         "gradient ")
             << gradient;
    if (!outputs.insert(gradient.getValue()).second)
      return f.emitError("has two outputs ") << gradient;
  }
  return success();
}

struct VerifyGraph : llamac::impl::VerifyGraphBase<VerifyGraph> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    bool ok = true;
    module.walk([&](func::FuncOp f) {
      if (!f->hasAttr(llm::LlmDialect::kProgramAttr)) {
        f.emitError("is no program: it lacks ")
            << llm::LlmDialect::kProgramAttr;
        ok = false;
      } else if (!f.getBody().hasOneBlock()) {
        f.emitError("is no program: its body is not one block");
        ok = false;
      }
      ok &= succeeded(checkNames(f));
      for (Type type : f.getArgumentTypes()) {
        auto tensor = dyn_cast<RankedTensorType>(type);
        if (tensor && tensor.hasStaticShape())
          continue;
        f.emitError("takes ") << type << ", not a tensor of static shape";
        ok = false;
      }
    });
    module.walk([&](Operation *op) {
      if (isa_and_nonnull<llm::LlmDialect>(op->getDialect()) &&
          !isa<llm::DifferentiableOpInterface, llm::WeightOp, llm::ParameterOp,
               llm::ConstantOp, llm::RopeTableOp, llm::ProbeOp>(op)) {
        op->emitOpError("does not belong to level graph");
        ok = false;
      }
      for (Type type : op->getResultTypes())
        if (auto shaped = dyn_cast<ShapedType>(type);
            shaped && !shaped.hasStaticShape()) {
          op->emitOpError("has a shape that is not static: ") << type;
          ok = false;
        }
    });
    if (!ok)
      return signalPassFailure();
    module->setAttr(llm::LlmDialect::kLevelAttr,
                    StringAttr::get(&getContext(), "graph"));
  }
};

} // namespace
