//===- VerifyReshard.cpp - Proof that a layout change is one --------------===//
//
// Follows every byte of every copy: from the part it is read from to the
// element of the whole tensor that this is, and to the element that it is
// written as. It shares nothing with the pass that made the plan; what it knows
// of parts is what the plan says of them (global shape, sharding, part, grids).
//
//===----------------------------------------------------------------------===//
#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "passes/shard/Passes.h"
#include "passes/shard/TensorBox.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/MapVector.h"

#include <map>

namespace llamac {
#define GEN_PASS_DEF_VERIFYRESHARD
#include "passes/shard/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using llamac::TensorBox;

namespace {

/// A plan.tensor as a part of a whole.
struct Part {
  mutable plan::TensorOp op; // ops have no const methods
  TensorBox box, whole;
  int64_t parts; // that there are
  int64_t elementBytes;
  std::map<int64_t, int64_t> written; // begin to end, elements of the part

  explicit Part(plan::TensorOp op) : op(op), parts(1) {
    auto type = cast<RankedTensorType>(op.getType());
    elementBytes = plan::elementBytes(type.getElementType());
    box.shape.assign(type.getShape().begin(), type.getShape().end());
    ArrayRef<int64_t> global = op.getGlobalShapeOrLocal();
    whole.shape.assign(global.begin(), global.end());
    whole.first.resize(global.size());
    box.first.resize(global.size());
    // The last dimension's axes vary fastest.
    auto index = static_cast<int64_t>(op.getPart());
    for (unsigned d = global.size(); d-- > 0;) {
      int64_t cuts =
          *plan::devicesAlong(op, op.getAxes(d), op.getGridAttrName());
      box.first[d] = index % cuts * box.shape[d];
      index /= cuts;
      parts *= cuts;
    }
  }

  int64_t begin() const { return op.getOffset(); }
  int64_t end() const { return begin() + box.elements() * elementBytes; }

  /// "first_moment 'a', target part 2"
  std::string title() const {
    return (plan::stringifyRole(op.getRole()) + " '" + op.getName() + "', " +
            plan::stringifySide(op.getSide()) + " part " +
            Twine(static_cast<int64_t>(op.getPart())))
        .str();
  }
  /// "[3, 0]": element `at` of the part, by its place in the whole.
  std::string element(int64_t at) const {
    std::string text = "[";
    llvm::raw_string_ostream out(text);
    llvm::interleaveComma(box.index(at), out);
    return text + "]";
  }

  /// Notes that elements [at, at + count) are written; the first of them that
  /// was already.
  std::optional<int64_t> write(int64_t at, int64_t count) {
    auto next = written.upper_bound(at);
    if (next != written.begin() && std::prev(next)->second > at)
      return at;
    if (next != written.end() && next->first < at + count)
      return next->first;
    int64_t last = at + count;
    if (next != written.end() && next->first == last) {
      last = next->second;
      next = written.erase(next);
    }
    if (next != written.begin() && std::prev(next)->second == at)
      std::prev(next)->second = last;
    else
      written[at] = last;
    return std::nullopt;
  }
  /// The first element that nobody wrote.
  std::optional<int64_t> hole() const {
    int64_t reached = 0;
    auto it = written.find(0);
    if (it != written.end())
      reached = it->second;
    if (reached == box.elements())
      return std::nullopt;
    return reached;
  }
};

/// Bytes of one side of a copy: rows that lie `pitch` apart.
struct Place {
  StringAttr allocation;
  int64_t offset, rows, rowBytes, pitch;

  explicit Place(Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    rows = 1;
    rowBytes = pitch = *plan::placeBytes(type);
    auto view = value.getDefiningOp<plan::ViewOp>();
    auto buffer =
        (view ? view.getSource() : value).getDefiningOp<plan::BufferOp>();
    allocation = buffer.getAllocationAttr().getAttr();
    offset = buffer.getOffset().value_or(0);
    if (!view)
      return;
    int64_t size = plan::elementBytes(type.getElementType());
    rows = type.getDimSize(0);
    rowBytes = type.getDimSize(1) * size;
    pitch = static_cast<int64_t>(view.getPitch()) * size;
    offset += static_cast<int64_t>(view.getOffset()) * size;
  }
  /// Seen as that many rows; they have as many bytes in all.
  void cut(int64_t count) {
    if (rows == count)
      return;
    rowBytes = pitch = rowBytes / count;
    rows = count;
  }
};

class Checker {
public:
  explicit Checker(ModuleOp module) : module(module) {}

  LogicalResult run() {
    if (failed(collect()) || failed(matchSides()))
      return failure();
    auto programs = module.getOps<plan::ProgramOp>();
    if (!llvm::hasSingleElement(programs) ||
        (*programs.begin()).getKind() != plan::ProgramKind::Reshard)
      return module.emitError(
          "a plan that changes layouts has one program, of kind reshard");
    for (Operation &op : (*programs.begin()).getBlock()) {
      if (isa<plan::BufferOp, plan::ViewOp>(op))
        continue;
      auto copy = dyn_cast<plan::CopyOp>(op);
      if (!copy)
        return op.emitOpError("is no copy: a change of layout only copies");
      if (failed(follow(copy)))
        return failure();
    }
    for (Part &part : parts)
      if (part.op.getSide() == plan::Side::Target)
        if (auto at = part.hole())
          return part.op.emitError(part.title())
                 << ": element " << part.element(*at) << " is never written";
    return success();
  }

private:
  ModuleOp module;
  std::vector<Part> parts;
  /// By allocation: the parts in it by their first byte.
  llvm::DenseMap<StringAttr, std::map<int64_t, Part *>> byPlace;

  LogicalResult collect() {
    for (auto op : module.getOps<plan::TensorOp>()) {
      if (op.getSide() == plan::Side::Own)
        return op.emitOpError("'")
               << op.getName() << "' belongs to neither layout";
      if (op.getPitch())
        return op.emitOpError("'") << op.getName() << "' has a pitch";
      parts.emplace_back(op);
    }
    for (Part &part : parts) {
      auto &places = byPlace[part.op.getAllocationAttr().getAttr()];
      auto next = places.lower_bound(part.begin());
      if ((next != places.end() && next->first < part.end()) ||
          (next != places.begin() &&
           std::prev(next)->second->end() > part.begin()))
        return part.op.emitError(part.title())
               << " overlaps another tensor in memory";
      places[part.begin()] = &part;
    }
    return success();
  }

  /// Each side has every part of every tensor once, and both the same tensors.
  LogicalResult matchSides() {
    struct Sides {
      Part *first[2] = {nullptr, nullptr};
      llvm::DenseSet<int64_t> seen[2];
    };
    llvm::MapVector<std::pair<StringAttr, unsigned>, Sides> tensors;
    for (Part &part : parts) {
      unsigned side = part.op.getSide() == plan::Side::Target;
      Sides &sides = tensors[{part.op.getNameAttr(),
                              static_cast<unsigned>(part.op.getRole())}];
      Part *&first = sides.first[side];
      if (!first)
        first = &part;
      if (!sides.seen[side].insert(part.op.getPart()).second)
        return part.op.emitError(part.title()) << " is there twice";
      if (part.op.getShardingAttr() != first->op.getShardingAttr() ||
          part.whole != first->whole ||
          part.op.getType().getElementType() !=
              first->op.getType().getElementType())
        return part.op.emitError(part.title())
               << " is a part of another tensor than part "
               << static_cast<int64_t>(first->op.getPart());
    }
    for (auto &[key, sides] : tensors) {
      auto [from, to] = sides.first;
      if (!from || !to)
        return (from ? from : to)->op.emitError((from ? from : to)->title())
               << ": there is no such tensor in the other layout";
      if (from->whole != to->whole || from->op.getType().getElementType() !=
                                          to->op.getType().getElementType())
        return to->op.emitError(to->title())
               << " is of another shape or type than its source";
      for (Part *part : sides.first)
        if (int64_t have =
                sides.seen[part->op.getSide() == plan::Side::Target].size();
            have != part->parts)
          return part->op.emitError(part->title())
                 << ": only " << have << " of its " << part->parts
                 << " parts are there";
    }
    return success();
  }

  /// The part of `side` in which [offset, offset + bytes) lies, or null.
  Part *find(StringAttr allocation, int64_t offset, int64_t bytes,
             plan::Side side) {
    auto &places = byPlace[allocation];
    auto next = places.upper_bound(offset);
    if (next == places.begin())
      return nullptr;
    Part *part = std::prev(next)->second;
    bool inside = offset + bytes <= part->end() &&
                  (offset - part->begin()) % part->elementBytes == 0 &&
                  bytes % part->elementBytes == 0;
    return inside && part->op.getSide() == side ? part : nullptr;
  }

  LogicalResult follow(plan::CopyOp copy) {
    Place from(copy.getSource()), to(copy.getTarget());
    int64_t rows = std::max(from.rows, to.rows);
    from.cut(rows);
    to.cut(rows);
    for (int64_t i = 0; i < rows; ++i) {
      int64_t source = from.offset + i * from.pitch;
      int64_t target = to.offset + i * to.pitch;
      Part *read =
          find(from.allocation, source, from.rowBytes, plan::Side::Source);
      if (!read)
        return copy.emitOpError("reads bytes ")
               << source << " to " << source + from.rowBytes << " of @"
               << from.allocation.getValue()
               << ", which are not inside one source tensor";
      Part *written =
          find(to.allocation, target, to.rowBytes, plan::Side::Target);
      if (!written)
        return copy.emitOpError("writes bytes ")
               << target << " to " << target + to.rowBytes << " of @"
               << to.allocation.getValue()
               << ", which are not inside one target tensor";
      if (failed(
              followRow(copy, *read, source, *written, target, from.rowBytes)))
        return failure();
    }
    return success();
  }

  LogicalResult followRow(plan::CopyOp copy, Part &read, int64_t source,
                          Part &written, int64_t target, int64_t bytes) {
    if (read.op.getNameAttr() != written.op.getNameAttr() ||
        read.op.getRole() != written.op.getRole())
      return copy.emitOpError("copies ")
             << read.title() << " to " << written.title();
    int64_t at = (source - read.begin()) / read.elementBytes;
    int64_t to = (target - written.begin()) / written.elementBytes;
    int64_t left = bytes / read.elementBytes;
    while (left > 0) {
      ArrayRef<int64_t> whole = read.whole.shape;
      int64_t count = std::min(
          {left, read.box.runAt(at, whole), written.box.runAt(to, whole)});
      if (read.box.index(at) != written.box.index(to))
        return copy.emitOpError("copies element ")
               << read.element(at) << " of " << read.title() << " to element "
               << written.element(to) << " of " << written.title();
      if (auto twice = written.write(to, count))
        return copy.emitOpError("writes element ")
               << written.element(*twice) << " of " << written.title()
               << " again";
      at += count;
      to += count;
      left -= count;
    }
    return success();
  }
};

struct VerifyReshard : llamac::impl::VerifyReshardBase<VerifyReshard> {
  void runOnOperation() override {
    if (failed(Checker(getOperation()).run()))
      signalPassFailure();
  }
};

} // namespace
