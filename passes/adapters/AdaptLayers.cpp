//===- AdaptLayers.cpp - What adapters of all kinds share -----------------===//
#include "passes/adapters/AdaptLayers.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace llamac;

StringRef llamac::moduleOf(llm::LinearOp op) {
  auto weight = op.getWeight().getDefiningOp<llm::WeightOp>();
  if (!weight)
    return {};
  StringRef name = weight.getName();
  if (!name.consume_back(".weight") || name == "lm_head" ||
      name.ends_with("embed_tokens"))
    return {};
  return name;
}

FailureOr<SmallVector<StringRef>> llamac::adaptLayers(
    ModuleOp module, const TargetMatcher &matcher,
    llvm::function_ref<void(func::FuncOp, llm::LinearOp, StringRef)> adapt,
    StringRef what) {
  llvm::SetVector<StringRef> matched, seen;
  auto placed = placedRanks(module);
  for (auto f : module.getOps<func::FuncOp>()) {
    SmallVector<llm::LinearOp> layers(f.getOps<llm::LinearOp>());
    for (llm::LinearOp layer : layers) {
      StringRef name = moduleOf(layer);
      if (name.empty())
        continue;
      seen.insert(name);
      if (!matcher.matches(name) || (placed && placed->lookup(name) == 0))
        continue;
      matched.insert(name);
      adapt(f, layer, name);
    }
  }
  if (matched.empty()) {
    InFlightDiagnostic error = module.emitError()
                               << what << " match no linear layer: ";
    llvm::interleaveComma(matcher.names(), error,
                          [&](StringRef n) { error << "'" << n << "'"; });
    if (!seen.empty())
      error.attachNote() << "the first layer there is: '" << seen.front()
                         << "'";
    return error;
  }
  return SmallVector<StringRef>(matched.getArrayRef());
}

std::optional<llvm::StringMap<int64_t>> llamac::placedRanks(ModuleOp module) {
  auto placement = module->getAttrOfType<llm::PlacementAttr>(
      llm::LlmDialect::kPlacementAttr);
  if (!placement)
    return std::nullopt;
  llvm::StringMap<int64_t> ranks;
  for (auto placed : placement.getModules().getAsRange<llm::PlacedModuleAttr>())
    ranks[placed.getModule()] = placed.getRank();
  return ranks;
}

ArrayAttr llamac::recordedTargets(ModuleOp module, const TargetMatcher &matcher,
                                  ArrayRef<StringRef> modules) {
  Builder b(module.getContext());
  if (module->hasAttr(llm::LlmDialect::kPlacementAttr))
    return b.getStrArrayAttr(modules);
  SmallVector<StringRef> names(matcher.names().begin(), matcher.names().end());
  return b.getStrArrayAttr(names);
}

Value llamac::makeFactor(OpBuilder &b, Location loc, StringRef name,
                         int64_t rows, int64_t columns, llm::InitKind init,
                         double bound) {
  return llm::ParameterOp::create(
      b, loc, RankedTensorType::get({rows, columns}, b.getF32Type()), name,
      llm::InitAttr::get(b.getContext(), init, b.getF64FloatAttr(bound)));
}

Value llamac::roundedTo(OpBuilder &b, Location loc, Type element,
                        Value matrix) {
  auto type = cast<RankedTensorType>(matrix.getType());
  if (type.getElementType() == element)
    return matrix;
  return llm::CastOp::create(
      b, loc, RankedTensorType::get(type.getShape(), element), matrix);
}

static bool isTraining(func::FuncOp f) {
  auto program =
      f->getAttrOfType<llm::ProgramAttr>(llm::LlmDialect::kProgramAttr);
  return !program || (program.getKind() != llm::ProgramKind::Evaluate &&
                      program.getKind() != llm::ProgramKind::Probe);
}

/// The argument `random`, added to the function on first use.
static Value randomInput(func::FuncOp f) {
  for (unsigned i = 0; i < f.getNumArguments(); ++i) {
    auto name = f.getArgAttrOfType<StringAttr>(i, llm::LlmDialect::kInputAttr);
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

Value llamac::adapterInput(OpBuilder &b, Location loc, func::FuncOp function,
                           llm::LinearOp layer, StringRef key, double dropout) {
  Value x = layer.getX();
  if (dropout > 0 && isTraining(function))
    return llm::DropoutOp::create(b, loc, x.getType(), x, randomInput(function),
                                  b.getStringAttr(key),
                                  b.getF64FloatAttr(dropout));
  return x;
}
