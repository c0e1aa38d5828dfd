//===- InsertProbes.cpp - What flows through the linear layers ------------===//
#include "passes/adapters/AdaptLayers.h"
#include "passes/adapters/Passes.h"

#include "llvm/ADT/StringSet.h"

#include <cmath>

namespace llamac {
#define GEN_PASS_DEF_INSERTPROBES
#include "passes/adapters/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct InsertProbes : llamac::impl::InsertProbesBase<InsertProbes> {
  using InsertProbesBase::InsertProbesBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

  LogicalResult run() {
    ModuleOp module = getOperation();
    if (!(threshold >= 0 && threshold < INFINITY))
      return module.emitError("probe: threshold must not be negative");
    auto model = module.lookupSymbol<func::FuncOp>("model");
    if (!model)
      return module.emitError("needs @model: run graph-attach-head first");
    std::string target = modules.empty() ? std::string("all-linear")
                                         : (Twine("regex:") + modules).str();
    auto matcher = llamac::TargetMatcher::create(target);
    if (!matcher)
      return module.emitError("probe: ") << llvm::toString(matcher.takeError());
    bool ok = true;
    llvm::StringSet<> seen;
    auto probed = llamac::adaptLayers(
        module, *matcher,
        [&](func::FuncOp f, llm::LinearOp layer, StringRef name) {
          if (!layer.getAlpha().isExactlyValue(1.0)) {
            layer.emitOpError("scales its product: no probe tells the "
                              "gradient of its weight");
            ok = false;
          } else if (!seen.insert(name).second) {
            layer.emitOpError("is a second use of '")
                << name << "': probes are of modules that are used once";
            ok = false;
          } else {
            insert(f, layer, name);
          }
        },
        "probe: modules");
    if (failed(probed) || !ok)
      return failure();
    model->setAttr(llm::LlmDialect::kProbesAttr, UnitAttr::get(&getContext()));
    return success();
  }

  void insert(func::FuncOp f, llm::LinearOp layer, StringRef name) {
    OpBuilder b(layer->getContext());
    b.setInsertionPointAfter(layer);
    Location loc =
        NameLoc::get(b.getStringAttr(name + ".probe"), layer.getLoc());
    Value y = layer.getResult();
    auto watch = llm::WatchOp::create(b, loc, y.getType(), name, y,
                                      layer.getX(), layer.getWeight());
    y.replaceAllUsesExcept(watch, watch);
    output(f, (name + ":input").str(),
           llm::ProbeOp::create(b, loc, layer.getX(), threshold));
    output(f, (name + ":output").str(),
           llm::ProbeOp::create(b, loc, y, threshold));
  }

  static void output(func::FuncOp f, StringRef name, Value value) {
    Builder b(f.getContext());
    (void)f.insertResult(
        f.getNumResults(), value.getType(),
        b.getDictionaryAttr(b.getNamedAttr(llm::LlmDialect::kOutputAttr,
                                           b.getStringAttr(name))));
    Operation *end = f.getBody().front().getTerminator();
    end->insertOperands(end->getNumOperands(), value);
  }
};

} // namespace
