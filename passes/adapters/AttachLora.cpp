//===- AttachLora.cpp - LoRA as graph surgery -----------------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/adapters/Passes.h"
#include "passes/adapters/TargetMatcher.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SetVector.h"

#include <cmath>

namespace llamac {
#define GEN_PASS_DEF_ATTACHLORA
#include "passes/adapters/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

/// The module a linear layer belongs to, or empty: the weight's name without
/// ".weight". The embedding, tied as LM head, is no module of its own.
StringRef moduleOf(llm::LinearOp op) {
  auto weight = op.getWeight().getDefiningOp<llm::WeightOp>();
  if (!weight)
    return {};
  StringRef name = weight.getName();
  if (!name.consume_back(".weight") || name == "lm_head" ||
      name.ends_with("embed_tokens"))
    return {};
  return name;
}

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

    llvm::SetVector<StringRef> matched, seen;
    for (auto f : module.getOps<func::FuncOp>()) {
      SmallVector<llm::LinearOp> layers(f.getOps<llm::LinearOp>());
      for (llm::LinearOp layer : layers) {
        StringRef name = moduleOf(layer);
        if (name.empty())
          continue;
        seen.insert(name);
        if (!matcher->matches(name))
          continue;
        matched.insert(name);
        adapt(f, layer, name, std::llround(ranks->lookup(name, rank)),
              alphas->lookup(name, alpha));
      }
    }
    if (matched.empty()) {
      InFlightDiagnostic error =
          module.emitError("adapter: targets match no linear layer: ");
      llvm::interleaveComma(matcher->names(), error,
                            [&](StringRef n) { error << "'" << n << "'"; });
      if (!seen.empty())
        error.attachNote() << "the first layer there is: '" << seen.front()
                           << "'";
      return error;
    }
    record(*matcher, *ranks, *alphas, matched.getArrayRef());
    return success();
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
    Type f32 = b.getF32Type();
    // Masters are float32 whatever the base computes in, as PEFT's are
    // (autocast_adapter_dtype).
    Type element = yType.getElementType();
    auto parameter = [&](StringRef factor, int64_t rows, int64_t cols,
                         llm::InitKind kind, double bound) -> Value {
      auto init =
          llm::InitAttr::get(b.getContext(), kind, b.getF64FloatAttr(bound));
      Value master = llm::ParameterOp::create(
          b, loc, RankedTensorType::get({rows, cols}, f32),
          (name + "." + factor + ".weight").str(), init);
      if (element.isF32())
        return master;
      return llm::CastOp::create(
          b, loc, RankedTensorType::get({rows, cols}, element), master);
    };
    Value x = layer.getX();
    if (dropout > 0 && isTraining(f))
      x = llm::DropoutOp::create(b, loc, xType, x, randomInput(f),
                                 b.getStringAttr(name),
                                 b.getF64FloatAttr(dropout));
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

  static bool isTraining(func::FuncOp f) {
    auto program =
        f->getAttrOfType<llm::ProgramAttr>(llm::LlmDialect::kProgramAttr);
    return !program || program.getKind() != llm::ProgramKind::Evaluate;
  }

  /// The argument `random`, added to the function on first use.
  Value randomInput(func::FuncOp f) {
    for (unsigned i = 0; i < f.getNumArguments(); ++i) {
      auto name =
          f.getArgAttrOfType<StringAttr>(i, llm::LlmDialect::kInputAttr);
      if (name && name.getValue() == "random")
        return f.getArgument(i);
    }
    OpBuilder b(f.getContext());
    unsigned i = f.getNumArguments();
    (void)f.insertArgument(
        i, RankedTensorType::get({2}, b.getI64Type()),
        b.getDictionaryAttr(b.getNamedAttr(llm::LlmDialect::kInputAttr,
                                           b.getStringAttr("random"))),
        f.getLoc());
    return f.getArgument(i);
  }

  /// Writes down in PEFT's terms what was attached.
  void record(const llamac::TargetMatcher &matcher,
              const llamac::NumberPattern &ranks,
              const llamac::NumberPattern &alphas,
              ArrayRef<StringRef> modules) {
    OpBuilder b(&getContext());
    auto numbers = [&](const llamac::NumberPattern &pattern) {
      SmallVector<NamedAttribute> out;
      for (auto &[key, number] : pattern.entries())
        out.push_back(b.getNamedAttr(key, b.getF64FloatAttr(number)));
      return b.getDictionaryAttr(out);
    };
    SmallVector<StringRef> names(matcher.names().begin(),
                                 matcher.names().end());
    getOperation()->setAttr(
        llm::LlmDialect::kAdapterAttr,
        llm::AdapterAttr::get(
            &getContext(), "lora", rank, b.getF64FloatAttr(alpha),
            b.getF64FloatAttr(dropout), useRslora, b.getStrArrayAttr(names),
            matcher.isRegex(), b.getStrArrayAttr(modules), numbers(ranks),
            numbers(alphas)));
  }
};

} // namespace
