//===- VerifyTrain.cpp - The guarantees of level train --------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/autodiff/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

namespace llamac {
#define GEN_PASS_DEF_VERIFYTRAIN
#include "passes/autodiff/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct VerifyTrain : llamac::impl::VerifyTrainBase<VerifyTrain> {
  void runOnOperation() override {
    for (auto f : getOperation().getOps<func::FuncOp>())
      if (failed(check(f)))
        return signalPassFailure();
    getOperation()->setAttr(llm::LlmDialect::kLevelAttr,
                            StringAttr::get(&getContext(), "train"));
  }

  LogicalResult check(func::FuncOp f) {
    auto program =
        f->getAttrOfType<llm::ProgramAttr>(llm::LlmDialect::kProgramAttr);
    if (!program)
      return f.emitError("is no program: it lacks ")
             << llm::LlmDialect::kProgramAttr;
    for (auto watch : f.getOps<llm::WatchOp>())
      return watch.emitOpError("is still there: the program was not "
                               "differentiated");
    struct Count {
      Type type;
      Location loc;
      int gradients = 0, updates = 0;
      bool isScale = false; // AdaLoRA's E: llm.triplet_gradients makes its own
    };
    llvm::StringMap<Count> parameters;
    for (auto p : f.getOps<llm::ParameterOp>())
      if (!parameters.try_emplace(p.getName(), Count{p.getType(), p.getLoc()})
               .second)
        return p.emitOpError("names a parameter twice");
    for (auto g : f.getOps<llm::GradientStoreOp>()) {
      auto it = parameters.find(g.getName());
      if (it == parameters.end())
        return g.emitOpError("is the gradient of nothing trainable");
      if (it->second.type != g.getValue().getType())
        return g.emitOpError("has another type than the parameter: ")
               << it->second.type;
      ++it->second.gradients;
    }
    for (auto scaled : f.getOps<llm::ScaleRowsOp>())
      if (auto e = scaled.getScale().getDefiningOp<llm::ParameterOp>())
        if (auto it = parameters.find(e.getName()); it != parameters.end())
          it->second.isScale = true;
    for (auto finish : f.getOps<llm::TripletGradientsOp>())
      for (auto module : finish.getModules().getAsValueRange<StringAttr>()) {
        auto it = parameters.find((module + ".lora_E").str());
        if (it == parameters.end() || !it->second.isScale)
          return finish.emitOpError("module '")
                 << module << "' has no trainable triplets";
        ++it->second.gradients;
      }
    for (auto step : f.getOps<llm::OptimizerStepOp>())
      for (auto name : step.getParameters().getAsRange<StringAttr>()) {
        auto it = parameters.find(name.getValue());
        if (it == parameters.end())
          return step.emitOpError("updates '")
                 << name.getValue() << "', which is not trainable";
        ++it->second.updates;
      }
    auto kind = program.getKind();
    int gradients =
        kind == llm::ProgramKind::Evaluate || kind == llm::ProgramKind::Probe
            ? 0
            : 1;
    int updates = kind == llm::ProgramKind::Train ? 1 : 0;
    for (auto &[name, count] : parameters) {
      int wanted = count.isScale ? updates : gradients;
      if (count.gradients != wanted)
        return emitError(count.loc)
               << "parameter '" << name << "' has " << count.gradients
               << " gradients in " << f.getName() << ", not " << wanted;
      if (count.updates != updates)
        return emitError(count.loc)
               << "parameter '" << name << "' has " << count.updates
               << " updates in " << f.getName() << ", not " << updates;
    }
    return success();
  }
};

} // namespace
