//===- DrawSteps.cpp - The level plan -------------------------------------===//
#include "compiler/draw/DrawInternal.h"
#include "compiler/emit/LocationText.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llamac;
using namespace mlir;

namespace {

/// Bytes of an allocation that a buffer or view lies in.
struct Extent {
  StringRef allocation;
  int64_t begin = 0, end = 0;
  bool overlaps(const Extent &other) const {
    return begin < other.end && other.begin < end;
  }
  bool covers(const Extent &other) const {
    return begin <= other.begin && other.end <= end;
  }
};

int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() * type.getElementTypeBitWidth() / 8;
}

/// A buffer that is not placed yet is a place of its own: its extent is given
/// by `unplaced`, which counts down.
Extent extentOf(Value value, llvm::DenseMap<Value, int64_t> &unplaced) {
  auto type = cast<RankedTensorType>(value.getType());
  if (auto view = value.getDefiningOp<plan::ViewOp>()) {
    Extent whole = extentOf(view.getSource(), unplaced);
    int64_t element = type.getElementTypeBitWidth() / 8;
    whole.begin += static_cast<int64_t>(view.getOffset()) * element;
    // Rows lie `pitch` apart: from the first byte to the last.
    int64_t columns = type.getRank() ? type.getShape().back() : 1;
    int64_t rows = columns ? type.getNumElements() / columns : 0;
    whole.end = whole.begin +
                ((rows - 1) * static_cast<int64_t>(view.getPitch()) + columns) *
                    element;
    return whole;
  }
  auto buffer = value.getDefiningOp<plan::BufferOp>();
  if (!buffer)
    return {};
  Extent extent{buffer.getAllocation()};
  if (auto offset = buffer.getOffset()) {
    extent.begin = static_cast<int64_t>(*offset);
  } else {
    int64_t &begin = unplaced[value];
    if (begin == 0)
      begin = -(int64_t(1) << 40) * static_cast<int64_t>(unplaced.size());
    extent.begin = begin;
  }
  extent.end = extent.begin + bytesOf(type);
  return extent;
}

std::string placeText(const Extent &extent, Type type) {
  std::string text = extent.allocation.str();
  if (extent.begin >= 0)
    text.append("+").append(std::to_string(extent.begin));
  return text.append(": ").append(shapeText(type));
}

NodeKind kindOfRole(plan::Role role) {
  switch (role) {
  case plan::Role::Weight:
  case plan::Role::Constant:
    return NodeKind::Weight;
  case plan::Role::Parameter:
    return NodeKind::Adapter;
  default:
    return NodeKind::Optimizer;
  }
}

class Steps {
public:
  explicit Steps(plan::ProgramOp program) {
    drawing.title = program.getSymName().str();
    for (auto tensor :
         program->getParentOfType<ModuleOp>().getOps<plan::TensorOp>()) {
      int64_t begin = static_cast<int64_t>(tensor.getOffset());
      auto type = cast<RankedTensorType>(tensor.getType());
      int64_t pitched = tensor.getPitch()
                            ? static_cast<int64_t>(*tensor.getPitch()) *
                                  type.getShape().front() *
                                  type.getElementTypeBitWidth() / 8
                            : bytesOf(type);
      tensors.push_back(
          {{tensor.getAllocation(), begin, begin + pitched}, tensor});
    }
    for (auto kernel :
         program->getParentOfType<ModuleOp>().getOps<plan::KernelOp>())
      kernels[kernel.getSymName()] = kernel.getDescription();
    for (Operation &op : program.getBlock())
      if (auto input = dyn_cast<plan::InputOp>(op))
        drawInput(input);
      else if (auto output = dyn_cast<plan::OutputOp>(op))
        drawOutput(output);
      else if (auto step = dyn_cast<plan::StepOpInterface>(op))
        drawStep(step);
    // Read when all steps are done, wherever they are declared.
    for (auto &[node, value] : outputs)
      read(value, node);
  }

  Drawing drawing;

private:
  void drawInput(plan::InputOp input) {
    Drawing::Node node;
    node.title = input.getName().str();
    Extent extent = extentOf(input.getBuffer(), unplaced);
    node.lines = {placeText(extent, input.getBuffer().getType())};
    node.kind = NodeKind::Input;
    writes.push_back({extent, drawing.add(node)});
  }

  void drawOutput(plan::OutputOp output) {
    Drawing::Node node;
    node.title = output.getName().str();
    node.kind = NodeKind::Output;
    outputs.push_back({drawing.add(node), output.getBuffer()});
  }

  void drawStep(plan::StepOpInterface step) {
    Operation *op = step.getOperation();
    Drawing::Node node;
    describe(op, node);
    phase = phaseAt(node.title, phase);
    bool trains = llvm::any_of(step.getReads(),
                               [&](Value value) {
                                 return extentOf(value, unplaced).allocation ==
                                        "parameters";
                               }) ||
                  llvm::any_of(step.getWrites(), [&](Value value) {
                    return extentOf(value, unplaced).allocation == "gradients";
                  });
    if (node.kind == NodeKind::Gemm && trains)
      node.kind = NodeKind::Adapter;
    for (Value value : step.getWrites())
      node.lines.push_back(
          "writes " + placeText(extentOf(value, unplaced), value.getType()));
    std::string location = locationText(op->getLoc());
    if (location != "unknown")
      node.lines.push_back(location);
    node.stream = static_cast<unsigned>(step.getStepStream());
    std::optional<unsigned> layer = layerIn(location);
    if (!layer)
      layer = layerOfTensors(step);
    std::string frame = frameOf(layer, phase);
    if (!frame.empty())
      node.cluster = drawing.clusterOf(frame);
    std::size_t index = drawing.add(node);
    for (Value value : step.getReads())
      read(value, index);
    for (int64_t wait : step.getStepWaits())
      if (wait >= 0 && static_cast<std::size_t>(wait) < steps.size())
        drawing.connect(
            {steps[static_cast<std::size_t>(wait)], index, "", true});
    for (Value value : step.getWrites())
      writes.push_back({extentOf(value, unplaced), index});
    steps.push_back(index);
  }

  void describe(Operation *op, Drawing::Node &node) {
    node.title = op->getName().stripDialect().str();
    if (auto gemm = dyn_cast<plan::GemmOp>(op)) {
      node.kind = NodeKind::Gemm;
      node.lines.push_back(
          llvm::formatv("m {0}, n {1}, k {2}{3}", gemm.getM(), gemm.getN(),
                        gemm.getK(), gemm.getBeta().isZero() ? "" : ", added")
              .str());
    } else if (auto launch = dyn_cast<plan::LaunchOp>(op)) {
      node.title = launch.getKernel().str();
      StringRef description = kernels.lookup(launch.getKernel());
      if (!description.empty())
        node.lines.push_back(description.str());
      node.kind = kindOf(node.title);
      if (node.kind == NodeKind::Other)
        node.kind = NodeKind::RowKernel;
    } else if (auto collective = dyn_cast<plan::CollectiveOp>(op)) {
      node.title = plan::stringifyCollectiveKind(collective.getKind()).str();
      node.kind = NodeKind::Collective;
      std::string axes;
      for (int64_t axis : collective.getAxes())
        axes += (axes.empty() ? "grid axes " : ", ") + std::to_string(axis);
      node.lines.push_back(
          axes + (collective.getInKernel() ? ", in the next kernel" : ""));
    }
  }

  /// Connects `reader` with all that wrote what `value` holds: of several the
  /// latest, unless that wrote only a part.
  void read(Value value, std::size_t reader) {
    Extent extent = extentOf(value, unplaced);
    bool covered = false;
    for (auto at = writes.rbegin(); at != writes.rend() && !covered; ++at)
      if (at->first.allocation == extent.allocation &&
          at->first.overlaps(extent)) {
        if (at->second != reader)
          drawing.connect(
              {at->second, reader, placeText(extent, value.getType())});
        covered = at->first.covers(extent);
      }
    if (covered)
      return;
    for (auto &[where, tensor] : tensors)
      if (where.allocation == extent.allocation && where.overlaps(extent))
        drawing.connect({nodeOf(tensor, where), reader, ""});
  }

  std::size_t nodeOf(plan::TensorOp tensor, const Extent &where) {
    auto [at, isNew] = tensorNodes.try_emplace(tensor.getOperation(), 0);
    if (!isNew)
      return at->second;
    Drawing::Node node;
    node.title = tensor.getName().str();
    node.kind = kindOfRole(tensor.getRole());
    node.lines = {plan::stringifyRole(tensor.getRole()).str(),
                  placeText(where, tensor.getType())};
    if (node.kind == NodeKind::Weight || node.kind == NodeKind::Adapter)
      if (auto layer = layerIn(node.title))
        node.cluster = drawing.clusterOf(frameOf(layer, Phase::Forward));
    return at->second = drawing.add(node);
  }

  std::optional<unsigned> layerOfTensors(plan::StepOpInterface step) {
    SmallVector<Value> values = step.getReads();
    values.append(step.getWrites());
    for (Value value : values) {
      Extent extent = extentOf(value, unplaced);
      std::optional<unsigned> only;
      unsigned found = 0;
      for (auto &[where, tensor] : tensors)
        if (where.allocation == extent.allocation && where.overlaps(extent)) {
          ++found;
          only = layerIn(plan::TensorOp(tensor).getName());
        }
      // Flat buffers of all parameters belong to no layer.
      if (found == 1 && only)
        return only;
    }
    return std::nullopt;
  }

  Phase phase = Phase::Forward;
  std::vector<std::pair<Extent, plan::TensorOp>> tensors;
  llvm::StringMap<StringRef> kernels;
  llvm::DenseMap<Operation *, std::size_t> tensorNodes;
  llvm::DenseMap<Value, int64_t> unplaced;
  std::vector<std::pair<Extent, std::size_t>> writes; ///< in order
  std::vector<std::pair<std::size_t, Value>> outputs;
  std::vector<std::size_t> steps;
};

} // namespace

Drawing llamac::drawSteps(plan::ProgramOp program) {
  return Steps(program).drawing;
}
