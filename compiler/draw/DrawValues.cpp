//===- DrawValues.cpp - The levels graph to fused -------------------------===//
#include "compiler/draw/DrawInternal.h"
#include "compiler/emit/LocationText.h"
#include "dialects/llm/LlmDialect.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"

using namespace llamac;
using namespace mlir;

namespace {

std::string listText(ArrayRef<int64_t> values) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "[";
  llvm::interleave(values, out, ",");
  out << "]";
  return text;
}

/// "split [[1],[]] of 128x128": which axes of the grid split what.
void addSharding(Operation *op, std::vector<std::string> &lines) {
  if (auto axes =
          op->getAttrOfType<ArrayAttr>(llm::LlmDialect::kSplitAxesAttr)) {
    std::string text;
    llvm::raw_string_ostream out(text);
    out << "split [";
    for (auto [i, axis] : llvm::enumerate(axes))
      if (auto list = dyn_cast<DenseI64ArrayAttr>(axis))
        out << (i ? "," : "") << listText(list.asArrayRef());
    out << "]";
    if (auto whole = op->getAttrOfType<DenseI64ArrayAttr>(
            llm::LlmDialect::kWholeShapeAttr))
      out << " of " << listText(whole.asArrayRef());
    lines.push_back(text);
  }
  for (StringRef name : {"grid_axes", "axes"})
    if (auto attr = op->getAttr(name)) {
      std::string text;
      llvm::raw_string_ostream out(text);
      out << "grid axes ";
      if (auto axes = dyn_cast<DenseI16ArrayAttr>(attr))
        llvm::interleaveComma(axes.asArrayRef(), out);
      else if (auto axes = dyn_cast<DenseI64ArrayAttr>(attr))
        llvm::interleaveComma(axes.asArrayRef(), out);
      else
        continue;
      lines.push_back(text);
    }
}

/// Draws the ops of one block in their order.
class Values {
public:
  explicit Values(func::FuncOp function) {
    drawing.title = function.getSymName().str();
    for (BlockArgument argument : function.getArguments()) {
      auto name = function.getArgAttrOfType<StringAttr>(
          argument.getArgNumber(), llm::LlmDialect::kInputAttr);
      Drawing::Node node;
      node.title = name ? name.str()
                        : "argument " + std::to_string(argument.getArgNumber());
      node.lines = {shapeText(argument.getType())};
      node.kind = NodeKind::Input;
      from[argument] = drawing.add(node);
    }
    for (Operation &op : function.getBody().front())
      draw(op);
  }

  Drawing drawing;

private:
  void draw(Operation &op) {
    bool isEnd = op.hasTrait<OpTrait::IsTerminator>();
    if (isEnd && op.getNumOperands() == 0)
      return;
    Drawing::Node node;
    node.title = op.getName().stripDialect().str();
    if (auto source =
            op.getAttrOfType<StringAttr>(llm::LlmDialect::kSourceAttr))
      node.title = source.str();
    phase = isa<llm::WeightOp, llm::ParameterOp>(op)
                ? phase
                : phaseAt(node.title, phase);
    node.kind = isEnd ? NodeKind::Output : kindOf(node.title);
    auto name = op.getAttrOfType<StringAttr>("name");
    if (name)
      node.lines.push_back(name.str());
    for (Type type : op.getResultTypes())
      node.lines.push_back(shapeText(type));
    addSharding(&op, node.lines);
    std::string location = locationText(op.getLoc());
    if (location != "unknown")
      node.lines.push_back(location);
    if (node.kind == NodeKind::Gemm &&
        llvm::any_of(op.getOperands(), readsParameter))
      node.kind = NodeKind::Adapter;
    std::optional<unsigned> layer =
        name ? layerIn(name.getValue()) : std::nullopt;
    if (!layer)
      layer = layerIn(location);
    // Sums between blocks have no name: they are where their inputs are.
    if (!layer && !isEnd)
      layer = layerOfOperands(op);
    std::string frame = isEnd ? "" : frameOf(layer, phase);
    if (!frame.empty())
      node.cluster = drawing.clusterOf(frame);
    std::size_t index = drawing.add(node);
    if (layer)
      layers[&op] = *layer;
    for (Value operand : op.getOperands()) {
      auto at = from.find(operand);
      if (at == from.end())
        continue;
      Operation *maker = operand.getDefiningOp();
      std::string which;
      if (maker && maker->getNumResults() > 1)
        which.append("#").append(
            std::to_string(cast<OpResult>(operand).getResultNumber()));
      drawing.connect({at->second, index, which});
    }
    for (Value result : op.getResults())
      from[result] = index;
  }

  static bool readsParameter(Value value) {
    return value.getDefiningOp<llm::ParameterOp>() != nullptr;
  }

  /// The last of them going forward, the first going backward.
  std::optional<unsigned> layerOfOperands(Operation &op) const {
    std::optional<unsigned> layer;
    for (Value operand : op.getOperands())
      if (auto at = layers.find(operand.getDefiningOp());
          at != layers.end() &&
          !isa<llm::WeightOp, llm::ParameterOp>(at->first))
        layer = !layer                    ? at->second
                : phase == Phase::Forward ? std::max(*layer, at->second)
                                          : std::min(*layer, at->second);
    return layer;
  }

  Phase phase = Phase::Forward;
  llvm::DenseMap<Value, std::size_t> from;
  llvm::DenseMap<Operation *, unsigned> layers;
};

} // namespace

Drawing llamac::drawFunction(func::FuncOp function) {
  return Values(function).drawing;
}
