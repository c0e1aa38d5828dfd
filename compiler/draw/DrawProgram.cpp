#include "compiler/draw/DrawProgram.h"

#include "compiler/draw/DrawInternal.h"
#include "dialects/llm/LlmDialect.h"

#include "llvm/ADT/StringExtras.h"

using namespace llamac;
using namespace mlir;

std::string llamac::shapeText(Type type) {
  std::string text;
  llvm::raw_string_ostream out(text);
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor) {
    out << type;
    return text;
  }
  for (int64_t size : tensor.getShape())
    if (ShapedType::isDynamic(size))
      out << "?x";
    else
      out << size << "x";
  out << tensor.getElementType();
  return text;
}

std::optional<unsigned> llamac::layerIn(StringRef text) {
  constexpr StringLiteral kBefore = "layers.";
  size_t at = text.find(kBefore);
  if (at == StringRef::npos)
    return std::nullopt;
  text = text.drop_front(at + kBefore.size());
  unsigned layer = 0;
  if (text.consumeInteger(10, layer))
    return std::nullopt;
  return layer;
}

Phase llamac::phaseAt(StringRef name, Phase before) {
  for (StringRef part : {"grad_norm", "optimizer", "adamw", "reduce_gradients",
                         "allocate_ranks", "triplet_scores"})
    if (name.contains(part))
      return Phase::Optimizer;
  if (name.contains("grad") && before == Phase::Forward)
    return Phase::Backward;
  return before;
}

std::string llamac::frameOf(std::optional<unsigned> layer, Phase phase) {
  if (phase == Phase::Optimizer)
    return "optimizer";
  if (!layer)
    return "";
  std::string text = "layer " + std::to_string(*layer);
  return phase == Phase::Backward ? text + ", backward" : text;
}

NodeKind llamac::kindOf(StringRef name) {
  auto has = [&](std::initializer_list<StringRef> parts) {
    return llvm::any_of(parts, [&](StringRef p) { return name.contains(p); });
  };
  if (has({"all_reduce", "all_gather", "reduce_scatter", "broadcast",
           "reduce_gradients", "all_to_all", "all_slice"}))
    return NodeKind::Collective;
  if (has({"grad_norm", "adamw", "optimizer", "allocate_ranks", "schedule",
           "triplet_scores", "triplet_mask"}))
    return NodeKind::Optimizer;
  if (has({"attention"}))
    return NodeKind::Attention;
  if (has({"parameter", "triplet", "fold", "gradient", "orthogonality",
           "scale_rows", "factor"}))
    return NodeKind::Adapter;
  if (name == "weight" || name == "constant")
    return NodeKind::Weight;
  if (name == "output")
    return NodeKind::Output;
  if (name == "linear" || name == "matmul" || has({"gemm"}))
    return NodeKind::Gemm;
  if (has({"norm", "swiglu", "rope", "rows", "add", "embedding",
           "cross_entropy", "cast", "local_ids", "dropout", "rowwise", "silu",
           "mul"}))
    return NodeKind::RowKernel;
  return NodeKind::Other;
}

llvm::Expected<Drawing> llamac::drawProgram(ModuleOp module, StringRef name) {
  SmallVector<Operation *> programs;
  Operation *chosen = nullptr;
  uint64_t most = 0;
  for (Operation &op : *module.getBody()) {
    auto function = dyn_cast<func::FuncOp>(op);
    auto program = dyn_cast<plan::ProgramOp>(op);
    if (!program && (!function || function.isExternal()))
      continue;
    programs.push_back(&op);
    StringRef symbol = SymbolTable::getSymbolName(&op).getValue();
    if (!name.empty()) {
      if (symbol == name)
        chosen = &op;
      continue;
    }
    // @train_128: the level's names say the bucket, too.
    uint64_t tokens = 0;
    StringRef rest = symbol;
    if (rest.consume_front("train_") && !rest.getAsInteger(10, tokens) &&
        tokens > most) {
      most = tokens;
      chosen = &op;
    }
  }
  if (!chosen && name.empty() && !programs.empty())
    chosen = programs.front();
  if (!chosen) {
    std::string names;
    for (Operation *op : programs)
      names +=
          (names.empty() ? "" : ", ") + SymbolTable::getSymbolName(op).str();
    return llvm::createStringError(
        programs.empty() ? "the module has no program to draw"
                         : "--emit-program: no program '" + name.str() +
                               "'; there are " + names);
  }
  if (auto program = dyn_cast<plan::ProgramOp>(chosen))
    return drawSteps(program);
  return drawFunction(cast<func::FuncOp>(chosen));
}
