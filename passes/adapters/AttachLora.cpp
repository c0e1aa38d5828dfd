//===- AttachLora.cpp - LoRA as graph surgery -----------------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/adapters/AdaptLayers.h"
#include "passes/adapters/Passes.h"
#include "passes/adapters/TargetMatcher.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <cmath>

namespace llamac {
#define GEN_PASS_DEF_ATTACHLORA
#include "passes/adapters/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct AttachLora : llamac::impl::AttachLoraBase<AttachLora> {
  using AttachLoraBase::AttachLoraBase;

  LogicalResult fail(llvm::Error error) {
    return getOperation().emitError("adapter: ")
           << llvm::toString(std::move(error));
  }

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

  LogicalResult run() {
    ModuleOp module = getOperation();
    if (rank <= 0)
      return module.emitError("adapter: r must be positive, not ")
             << rank.getValue();
    if (!(dropout >= 0 && dropout < 1))
      return module.emitError("adapter: dropout must be in [0, 1)");
    auto matcher = llamac::TargetMatcher::create(
        SmallVector<std::string>(targets.begin(), targets.end()));
    if (!matcher)
      return fail(matcher.takeError());
    auto ranks = llamac::NumberPattern::create(
        SmallVector<std::string>(rankPattern.begin(), rankPattern.end()));
    if (!ranks)
      return fail(ranks.takeError());
    for (auto &[key, number] : ranks->entries())
      if (number != std::trunc(number) || number > INT32_MAX)
        return module.emitError("adapter: rank of '")
               << key << "' must be an integer";
    auto alphas = llamac::NumberPattern::create(
        SmallVector<std::string>(alphaPattern.begin(), alphaPattern.end()));
    if (!alphas)
      return fail(alphas.takeError());

    placed = llamac::placedRanks(module);
    if (placed && (!ranks->entries().empty() || !alphas->entries().empty()))
      return module.emitError("adapter: a placement says the ranks: no "
                              "rank-pattern or alpha-pattern beside it");
    if (placed)
      for (auto &[name, r] : *placed)
        if (r < 0 || r > INT32_MAX)
          return module.emitError("adapter: a placement gives '")
                 << name << "' the rank " << r;

    auto matched = llamac::adaptLayers(
        module, *matcher,
        [&](func::FuncOp f, llm::LinearOp layer, StringRef n) {
          if (placed)
            adapt(f, layer, n, placed->lookup(n),
                  placedAlpha(placed->lookup(n)));
          else
            adapt(f, layer, n, std::llround(ranks->lookup(n, rank)),
                  alphas->lookup(n, alpha));
        });
    if (failed(matched))
      return failure();
    record(*matcher, *ranks, *alphas, *matched);
    return success();
  }

  std::optional<llvm::StringMap<int64_t>> placed;

  /// A module whose rank is not r has its own alpha, too, such that all have
  /// one scale: a larger rank adds directions, not a larger step.
  double placedAlpha(int64_t r) {
    double share = static_cast<double>(r) / static_cast<double>(rank);
    return r == rank ? alpha : alpha * (useRslora ? std::sqrt(share) : share);
  }

  void adapt(func::FuncOp f, llm::LinearOp layer, StringRef name, int64_t r,
             double a) {
    OpBuilder b(layer->getContext());
    b.setInsertionPointAfter(layer);
    Location loc =
        NameLoc::get(b.getStringAttr(name + ".lora"), layer.getLoc());
    auto xType = cast<RankedTensorType>(layer.getX().getType());
    auto yType = cast<RankedTensorType>(layer.getType());
    int64_t in = xType.getDimSize(1), out = yType.getDimSize(1);
    Type element = yType.getElementType();
    auto parameter = [&](StringRef factor, int64_t rows, int64_t cols,
                         llm::InitKind kind, double bound) -> Value {
      return llamac::roundedTo(
          b, loc, element,
          llamac::makeFactor(b, loc, (name + "." + factor + ".weight").str(),
                             rows, cols, kind, bound));
    };
    Value x = llamac::adapterInput(b, loc, f, layer, name, dropout);
    Value A = parameter("lora_A", r, in, llm::InitKind::Uniform,
                        1.0 / std::sqrt(static_cast<double>(in)));
    auto tType = RankedTensorType::get({xType.getDimSize(0), r}, element);
    Value t =
        llm::LinearOp::create(b, loc, tType, x, A, b.getF64FloatAttr(1.0));
    Value B = parameter("lora_B", out, r, llm::InitKind::Zero, 0.0);
    double scale = a / (useRslora ? std::sqrt(static_cast<double>(r))
                                  : static_cast<double>(r));
    Value u =
        llm::LinearOp::create(b, loc, yType, t, B, b.getF64FloatAttr(scale));
    auto sum = llm::AddOp::create(b, loc, layer.getResult(), u);
    layer.getResult().replaceAllUsesExcept(sum, sum);
  }

  /// Writes down in PEFT's terms what was attached.
  void record(const llamac::TargetMatcher &matcher,
              const llamac::NumberPattern &ranks,
              const llamac::NumberPattern &alphas,
              ArrayRef<StringRef> modules) {
    OpBuilder b(&getContext());
    auto numbers = [&](const llamac::NumberPattern &pattern, bool areRanks) {
      SmallVector<NamedAttribute> out;
      for (auto &[key, number] : pattern.entries())
        out.push_back(b.getNamedAttr(key, b.getF64FloatAttr(number)));
      for (StringRef name : modules)
        if (int64_t r = placed ? placed->lookup(name) : rank; r != rank)
          out.push_back(b.getNamedAttr(
              name, b.getF64FloatAttr(areRanks ? static_cast<double>(r)
                                               : placedAlpha(r))));
      return b.getDictionaryAttr(out);
    };
    getOperation()->setAttr(
        llm::LlmDialect::kAdapterAttr,
        llm::AdapterAttr::get(
            &getContext(), "lora", rank, b.getF64FloatAttr(alpha),
            b.getF64FloatAttr(dropout), useRslora,
            llamac::recordedTargets(getOperation(), matcher, modules),
            matcher.isRegex() && !placed, b.getStrArrayAttr(modules),
            numbers(ranks, true), numbers(alphas, false), llm::AdaLoraAttr()));
  }
};

} // namespace
