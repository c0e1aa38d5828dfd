//===- AttachAdalora.cpp - AdaLoRA as graph surgery -----------------------===//
#include "passes/adapters/AdaptLayers.h"
#include "passes/adapters/Passes.h"

#include <cmath>

namespace llamac {
#define GEN_PASS_DEF_ATTACHADALORA
#include "passes/adapters/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

/// Of A and B before training (PEFT tuners/adalora/layer.py,
/// reset_lora_parameters).
constexpr double kInitStd = 0.02;
/// PEFT divides by ranknum + 1e-5, in float32.
constexpr float kRankGuard = 1e-5f;

struct AttachAdalora : llamac::impl::AttachAdaloraBase<AttachAdalora> {
  using AttachAdaloraBase::AttachAdaloraBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

  LogicalResult run() {
    ModuleOp module = getOperation();
    if (failed(check(module)))
      return failure();
    if (auto placed = llamac::placedRanks(module))
      for (auto &[name, rank] : *placed)
        if (rank != 0 && rank != initR)
          return module.emitError("adapter: AdaLoRA begins with one rank, "
                                  "init_r ")
                 << initR.getValue() << ", a placement gives '" << name << "' "
                 << rank;
    auto matcher = llamac::TargetMatcher::create(
        SmallVector<std::string>(targets.begin(), targets.end()));
    if (!matcher)
      return module.emitError("adapter: ")
             << llvm::toString(matcher.takeError());
    auto matched =
        llamac::adaptLayers(module, *matcher,
                            [&](func::FuncOp f, llm::LinearOp layer,
                                StringRef name) { adapt(f, layer, name); });
    if (failed(matched))
      return failure();
    record(*matcher, *matched);
    return success();
  }

  LogicalResult check(ModuleOp module) {
    if (initR <= 0 || targetR <= 0)
      return module.emitError("adapter: init_r and target_r must be positive, "
                              "not ")
             << initR.getValue() << " and " << targetR.getValue();
    if (targetR > initR)
      return module.emitError("adapter: target_r ")
             << targetR.getValue() << " is above init_r " << initR.getValue()
             << ": ranks only fall";
    if (!(dropout >= 0 && dropout < 1))
      return module.emitError("adapter: dropout must be in [0, 1)");
    if (tinit < 0 || tfinal < 0 || deltaT < 1 || totalStep < 0)
      return module.emitError("adapter: tinit, tfinal and total_step must not "
                              "be negative, deltaT must be positive");
    // PEFT's check (tuners/adalora/config.py).
    if (totalStep > 0 && tinit >= totalStep - tfinal)
      return module.emitError("adapter: tinit ")
             << tinit.getValue() << " leaves no step between warmup and the "
             << "final phase: total_step " << totalStep.getValue()
             << " less tfinal " << tfinal.getValue() << " must be above it";
    for (double beta : {beta1.getValue(), beta2.getValue()})
      if (!(beta > 0 && beta < 1))
        return module.emitError("adapter: beta1 and beta2 must be in (0, 1)");
    if (!(orthRegWeight >= 0 && std::isfinite(orthRegWeight)))
      return module.emitError("adapter: orth_reg_weight must not be negative");
    return success();
  }

  void adapt(func::FuncOp f, llm::LinearOp layer, StringRef name) {
    OpBuilder b(layer->getContext());
    b.setInsertionPointAfter(layer);
    Location loc =
        NameLoc::get(b.getStringAttr(name + ".adalora"), layer.getLoc());
    auto xType = cast<RankedTensorType>(layer.getX().getType());
    auto yType = cast<RankedTensorType>(layer.getType());
    Type element = yType.getElementType();
    int64_t in = xType.getDimSize(1), out = yType.getDimSize(1);
    auto factor = [&](StringRef which, int64_t rows, int64_t columns,
                      llm::InitKind kind, double bound) {
      return llamac::makeFactor(b, loc, (name + "." + which).str(), rows,
                                columns, kind, bound);
    };
    Value x = llamac::adapterInput(b, loc, f, layer, name, dropout);
    Value a = factor("lora_A", initR, in, llm::InitKind::Normal, kInitStd);
    Value e = factor("lora_E", initR, 1, llm::InitKind::Zero, 0.0);
    Value scaled = llm::ScaleRowsOp::create(b, loc, a.getType(), a, e);
    auto tType = RankedTensorType::get({xType.getDimSize(0), initR}, element);
    Value t = llm::LinearOp::create(b, loc, tType, x,
                                    llamac::roundedTo(b, loc, element, scaled),
                                    b.getF64FloatAttr(1.0));
    Value up = factor("lora_B", out, initR, llm::InitKind::Normal, kInitStd);
    double scale = alpha / (static_cast<float>(initR.getValue()) + kRankGuard);
    Value u = llm::LinearOp::create(b, loc, yType, t,
                                    llamac::roundedTo(b, loc, element, up),
                                    b.getF64FloatAttr(scale));
    auto sum = llm::AddOp::create(b, loc, layer.getResult(), u);
    layer.getResult().replaceAllUsesExcept(sum, sum);
  }

  /// Writes down in PEFT's terms what was attached.
  void record(const llamac::TargetMatcher &matcher,
              ArrayRef<StringRef> modules) {
    OpBuilder b(&getContext());
    bool isPlaced = getOperation()->hasAttr(llm::LlmDialect::kPlacementAttr);
    auto none = b.getDictionaryAttr({});
    getOperation()->setAttr(
        llm::LlmDialect::kAdapterAttr,
        llm::AdapterAttr::get(
            &getContext(), "adalora", initR, b.getF64FloatAttr(alpha),
            b.getF64FloatAttr(dropout), /*use_rslora=*/false,
            llamac::recordedTargets(getOperation(), matcher, modules),
            matcher.isRegex() && !isPlaced, b.getStrArrayAttr(modules), none,
            none,
            llm::AdaLoraAttr::get(
                &getContext(), targetR, tinit, tfinal, deltaT,
                b.getF64FloatAttr(beta1), b.getF64FloatAttr(beta2),
                b.getF64FloatAttr(orthRegWeight), totalStep)));
  }
};

} // namespace
