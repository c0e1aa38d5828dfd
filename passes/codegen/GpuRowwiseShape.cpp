//===- GpuRowwiseShape.cpp - How a GPU covers rows with threads -----------===//
//
// The constants were measured on an H200 (bench/results): a thread wants about
// four 16-byte loads in flight, a block 128 to 512 threads, and a row that is
// reduced stays in registers while that leaves room for a second block.
//
//===----------------------------------------------------------------------===//
#include "passes/codegen/GpuRowwiseShape.h"

using namespace mlir;
using namespace llamac;

static constexpr int64_t kWarp = 32;
static constexpr int64_t kAccess = 16;
static constexpr int64_t kLoads = 4;
static constexpr int64_t kBlock = 256;
static constexpr int64_t kFewestThreads = 128;
static constexpr int64_t kMostThreads = 512;
static constexpr int64_t kStreamThreads = 512;
static constexpr int64_t kLoneRowThreads = 1024;
/// Registers that hold a row, of each thread.
static constexpr int64_t kRegisters = 48;

namespace {

class Chooser {
public:
  Chooser(RowwiseBody &body, ArrayRef<int64_t> alignments)
      : body(body), alignments(alignments) {
    shape.cols = body.op.getCols();
  }

  GpuRowwiseShape run() {
    chooseLanes();
    bool wholeRow = !body.levels.empty();
    for (auto &write : body.writes)
      wholeRow |= write.index.column == 0;
    int64_t count = shape.cols / shape.lanes;
    if (shape.cols == 1)
      shape.tiles = kFewestThreads;
    else if (count <= kWarp)
      chooseNarrow(count);
    else if (wholeRow)
      chooseReduced(count);
    else
      chooseElementwise(count);
    chooseKept();
    return shape;
  }

private:
  RowwiseBody &body;
  ArrayRef<int64_t> alignments;
  GpuRowwiseShape shape;

  static int64_t size(const RowwiseBody::Access &access) {
    return access.element.getIntOrFloatBitWidth() / 8;
  }
  bool isVector(const RowwiseBody::Access &access) const {
    return shape.cols > 1 && access.index.column != 0;
  }
  /// Loaded for every row anew, from memory.
  bool isStreamed(const RowwiseBody::Access &access) const {
    return isVector(access) && !access.index.isRowInvariant();
  }

  int64_t accessBytes(const RowwiseBody::Access &access, unsigned buffer) {
    int64_t bytes = size(access);
    if (!isVector(access) || access.index.column != 1)
      return bytes;
    int64_t base = buffer < alignments.size() ? alignments[buffer] : kAccess;
    int64_t all = base | kAccess | (access.index.rowAlignment() * bytes);
    return std::max(all & -all, bytes);
  }

  void chooseLanes() {
    int64_t lanes = 1;
    auto add = [&](llvm::SmallVector<int64_t> &to,
                   const RowwiseBody::Access &access, unsigned buffer) {
      to.push_back(accessBytes(access, buffer));
      if (isVector(access) && access.index.column == 1)
        lanes = std::max(lanes, to.back() / size(access));
    };
    for (auto [i, access] : llvm::enumerate(body.reads))
      add(shape.readBytes, access, i);
    unsigned results = body.op.getInputs().size();
    for (auto [j, access] : llvm::enumerate(body.writes))
      add(shape.writeBytes, access, results + body.op.getYieldResults()[j]);
    while (shape.cols % lanes != 0)
      lanes /= 2;
    shape.lanes = lanes;
  }

  /// Vectors of kAccess bytes that a thread loads for one vector of columns.
  int64_t loads() const {
    int64_t bytes = 0;
    for (auto &access : body.reads)
      if (isStreamed(access))
        bytes += size(access) * shape.lanes;
    return llvm::divideCeil(bytes, kAccess);
  }

  /// A part of a warp per row, many rows per block.
  void chooseNarrow(int64_t count) {
    shape.threads = llvm::PowerOf2Ceil(count);
    shape.tiles = kBlock / shape.threads;
  }

  /// Blocks of any part of the row.
  void chooseElementwise(int64_t count) {
    shape.vectors =
        std::clamp<int64_t>(kLoads / std::max<int64_t>(1, loads()), 1, kLoads);
    for (; shape.vectors > 1 && count < kWarp * shape.vectors;
         shape.vectors /= 2) {
    }
    int64_t each = llvm::divideCeil(count, shape.vectors);
    // A number of threads that leaves none idle, if there is one.
    for (int64_t threads = kBlock; threads >= kFewestThreads; threads -= kWarp)
      if (count % (threads * shape.vectors) == 0) {
        shape.threads = threads;
        shape.chunks = count / (threads * shape.vectors);
        return;
      }
    shape.threads =
        std::min<int64_t>(kBlock, llvm::divideCeil(each, kWarp) * kWarp);
    shape.chunks = llvm::divideCeil(count, shape.threads * shape.vectors);
    shape.tiles = std::max<int64_t>(1, kFewestThreads / shape.threads);
  }

  /// Registers for one vector of every streamed input of a pass but the last.
  int64_t registers() const {
    int64_t words = 0;
    for (auto &access : body.reads)
      if (isStreamed(access))
        words += size(access) * shape.lanes / 4;
    return words;
  }

  /// One tile per row.
  void chooseReduced(int64_t count) {
    int64_t most =
        std::max<int64_t>(1, kRegisters / std::max<int64_t>(1, registers()));
    int64_t aim =
        std::clamp<int64_t>(kLoads / std::max<int64_t>(1, loads()), 1, kLoads);
    auto threadsFor = [&](int64_t vectors) {
      return llvm::divideCeil(count, vectors * kWarp) * kWarp;
    };
    if (threadsFor(most) > kLoneRowThreads || count > 8 * kLoneRowThreads) {
      shape.resident = false;
      shape.vectors = kLoads;
      // Few rows at a time, where they are read again: the L2 still has them.
      shape.threads =
          loads() == 0 || isReadAgain() ? kLoneRowThreads : kStreamThreads;
      return;
    }
    int64_t vectors = std::min(aim, most);
    while (vectors < most && threadsFor(vectors) > kMostThreads)
      ++vectors;
    // Rather a few more vectors than idle threads.
    for (int64_t v = vectors; v <= std::min(most, 2 * vectors); ++v)
      if (count % v == 0 && (count / v) % kWarp == 0) {
        vectors = v;
        break;
      }
    shape.vectors = vectors;
    shape.threads = threadsFor(vectors);
    shape.tiles = std::max<int64_t>(1, kFewestThreads / shape.threads);
  }

  /// Inputs that a sum or maximum of the first pass depends on.
  void markUsed(Value value, llvm::SmallVector<bool> &used,
                llvm::DenseSet<Value> &seen) {
    if (!seen.insert(value).second)
      return;
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      used[argument.getArgNumber()] = true;
      return;
    }
    if (!isa<llm::RowReduceOp>(value.getDefiningOp()))
      for (Value operand : value.getDefiningOp()->getOperands())
        markUsed(operand, used, seen);
  }

  /// Whether columns are needed after the first pass.
  bool isReadAgain() {
    unsigned inputs = body.reads.size();
    llvm::SmallVector<bool> first(inputs), later(inputs);
    llvm::DenseSet<Value> seenFirst, seenLater;
    for (auto [level, reduces] : llvm::enumerate(body.levels))
      for (llm::RowReduceOp reduce : reduces)
        if (!body.onlineMax(reduce))
          markUsed(reduce.getValue(), level == 0 ? first : later,
                   level == 0 ? seenFirst : seenLater);
    for (Value value : body.op.getYield().getValues())
      markUsed(value, later, seenLater);
    for (unsigned i = 0; i < inputs; ++i)
      if (first[i] && later[i] && isStreamed(body.reads[i]))
        return true;
    return false;
  }

  /// What passes after the first need again, or all if the row is short.
  void chooseKept() {
    int64_t words = 0;
    for (auto &access : body.reads)
      if (isVector(access))
        words += std::max<int64_t>(1, size(access) * shape.lanes / 4) *
                 shape.vectors;
    for (auto &access : body.reads)
      shape.kept.push_back(shape.resident && isVector(access) &&
                           (words <= kRegisters || isStreamed(access)));
  }
};

} // namespace

GpuRowwiseShape GpuRowwiseShape::choose(RowwiseBody &body,
                                        ArrayRef<int64_t> alignments) {
  return Chooser(body, alignments).run();
}
