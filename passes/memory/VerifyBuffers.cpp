//===- VerifyBuffers.cpp - No two live buffers overlap --------------------===//
//
// Replays the program and keeps, for every byte range of the arena, the buffer
// that wrote it last: a step may only read what its own buffer last wrote. It
// shares nothing with the planner but plan.step's lists of reads and writes.
//
//===----------------------------------------------------------------------===//
#include "dialects/plan/PlanDialect.h"
#include "passes/memory/Passes.h"
#include "passes/memory/StreamOrder.h"

#include <map>

namespace llamac {
#define GEN_PASS_DEF_VERIFYBUFFERS
#include "passes/memory/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using llamac::StreamOrder;

namespace {

/// Owner of each byte range of one allocation.
class Owners {
public:
  void write(int64_t begin, int64_t end, Operation *owner) {
    split(begin);
    split(end);
    ranges.erase(ranges.lower_bound(begin), ranges.lower_bound(end));
    ranges[begin] = {end, owner};
  }
  /// The owner of all of [begin, end), or null.
  Operation *owner(int64_t begin, int64_t end) {
    auto it = ranges.upper_bound(begin);
    if (it == ranges.begin())
      return nullptr;
    --it;
    Operation *first = it->second.second;
    int64_t reached = it->first <= begin ? it->second.first : begin;
    while (reached < end) {
      ++it;
      if (it == ranges.end() || it->first != reached ||
          it->second.second != first)
        return nullptr;
      reached = it->second.first;
    }
    return first;
  }

private:
  std::map<int64_t, std::pair<int64_t, Operation *>> ranges;
  void split(int64_t at) {
    auto it = ranges.upper_bound(at);
    if (it == ranges.begin())
      return;
    --it;
    if (it->first < at && at < it->second.first) {
      ranges[at] = it->second;
      it->second.first = at;
    }
  }
};

/// Columns of a buffer that have been written since it last took over its
/// bytes. A matrix is written panel by panel; each covers all rows.
class Columns {
public:
  void clear() { written.clear(); }
  void add(int64_t begin, int64_t end) {
    written[begin] = std::max(written[begin], end);
  }
  bool has(int64_t begin, int64_t end) const {
    for (auto [first, last] : written)
      if (first <= begin && begin < last)
        begin = last;
    return begin >= end;
  }

private:
  std::map<int64_t, int64_t> written;
};

/// The part of a buffer that a step's operand is.
struct Part {
  plan::BufferOp buffer;
  int64_t first, last; // columns, of the buffer seen as a matrix
  int64_t offset, pitch;

  static Part of(Value value) {
    if (auto view = value.getDefiningOp<plan::ViewOp>()) {
      int64_t offset = view.getOffset(), pitch = view.getPitch();
      int64_t columns = cast<RankedTensorType>(value.getType()).getDimSize(1);
      auto buffer = view.getSource().getDefiningOp<plan::BufferOp>();
      auto type = cast<RankedTensorType>(buffer.getType());
      // Rows of a matrix of the same width: its columns. Else all of it.
      if (type.getRank() == 2 && type.getDimSize(1) == pitch &&
          offset + columns <= pitch)
        return {buffer, offset, offset + columns, offset, pitch};
      return {buffer, 0, columnsOf(buffer), offset, pitch};
    }
    auto buffer = value.getDefiningOp<plan::BufferOp>();
    return {buffer, 0, columnsOf(buffer), 0, columnsOf(buffer)};
  }
  static int64_t columnsOf(plan::BufferOp buffer) {
    auto type = cast<RankedTensorType>(buffer.getType());
    return type.getRank() == 2 ? type.getDimSize(1) : 1;
  }
  bool same(const Part &other) const {
    return buffer == other.buffer && offset == other.offset &&
           pitch == other.pitch && first == other.first && last == other.last;
  }
  bool overlaps(Part other) {
    if (buffer == other.buffer)
      return first < other.last && other.first < last;
    auto [aBegin, aEnd] = extent(buffer);
    auto [bBegin, bEnd] = extent(other.buffer);
    return buffer.getAllocation() == other.buffer.getAllocation() &&
           aBegin < bEnd && bBegin < aEnd;
  }
  static std::pair<int64_t, int64_t> extent(plan::BufferOp buffer) {
    int64_t begin = *buffer.getOffset();
    auto type = cast<RankedTensorType>(buffer.getType());
    return {begin, begin + plan::placeBytes(type).value_or(0)};
  }
};

struct VerifyBuffers : llamac::impl::VerifyBuffersBase<VerifyBuffers> {
  void runOnOperation() override {
    llvm::DenseMap<StringAttr, bool> isArena;
    for (auto allocation : getOperation().getOps<plan::AllocationOp>())
      isArena[allocation.getSymNameAttr()] =
          allocation.getCategory() == plan::Category::Activations;
    for (auto program : getOperation().getOps<plan::ProgramOp>()) {
      State state(static_cast<unsigned>(program.getStreams()));
      state.arenaOf = [&](plan::BufferOp buffer) -> Owners * {
        StringAttr name = buffer.getAllocationAttr().getAttr();
        return isArena.lookup(name) ? &state.arenas[name] : nullptr;
      };
      for (Operation &op : program.getBlock()) {
        if (auto buffer = dyn_cast<plan::BufferOp>(op);
            buffer && !buffer.getOffset()) {
          buffer.emitOpError("has no offset");
          return signalPassFailure();
        }
        if (!check(op, state))
          return signalPassFailure();
      }
    }
  }

  /// A step's use of bytes of an allocation.
  struct Access {
    int64_t step, begin, end;
    bool writes;
  };

  struct State {
    explicit State(unsigned streams) : streams(streams), order(streams) {}
    unsigned streams;
    StreamOrder order;
    /// By allocation; of programs with more than one stream.
    llvm::DenseMap<StringAttr, std::vector<Access>> accesses;
    llvm::DenseMap<StringAttr, Owners> arenas;
    llvm::DenseMap<Operation *, Columns> written;
    std::function<Owners *(plan::BufferOp)> arenaOf;
  };

  bool check(Operation &op, State &state) {
    SmallVector<Part> reads, writes;
    auto collect = [](SmallVector<Part> &parts, ArrayRef<Value> values) {
      for (Value value : values)
        parts.push_back(Part::of(value));
    };
    if (auto step = dyn_cast<plan::StepOpInterface>(op)) {
      collect(reads, step.getReads());
      collect(writes, step.getWrites());
    } else if (auto output = dyn_cast<plan::OutputOp>(op)) {
      collect(reads, {output.getBuffer()});
    } else if (auto input = dyn_cast<plan::InputOp>(op)) {
      collect(writes, {input.getBuffer()});
    }
    if (auto step = dyn_cast<plan::StepOpInterface>(op)) {
      state.order.enter(step);
      if (state.streams > 1 && !checkOrder(op, reads, writes, state))
        return false;
    }
    for (Part &part : reads) {
      Owners *arena = state.arenaOf(part.buffer);
      if (!arena)
        continue;
      auto [begin, end] = Part::extent(part.buffer);
      Operation *owner = arena->owner(begin, end);
      bool whole = state.written[part.buffer].has(part.first, part.last);
      if (owner == part.buffer && whole)
        continue;
      auto error = op.emitError("reads a buffer that ")
                   << (owner && owner != part.buffer ? "another has overwritten"
                                                     : "is not wholly written");
      error.attachNote(part.buffer.getLoc())
          << "the buffer is at bytes " << begin << " to " << end;
      return false;
    }
    for (Part &part : writes) {
      Owners *arena = state.arenaOf(part.buffer);
      if (!arena)
        continue;
      auto [begin, end] = Part::extent(part.buffer);
      Columns &columns = state.written[part.buffer];
      if (arena->owner(begin, end) != part.buffer)
        columns.clear();
      columns.add(part.first, part.last);
      arena->write(begin, end, part.buffer);
    }
    // A step must not write over what it reads, or over its other results.
    for (auto [i, part] : llvm::enumerate(writes)) {
      bool clash = llvm::any_of(reads, [&](Part other) {
        return !part.same(other) && part.overlaps(other);
      });
      for (size_t j = 0; j < i; ++j)
        clash |= part.overlaps(writes[j]);
      if (clash && state.arenaOf(part.buffer)) {
        op.emitError("uses two buffers that overlap, one of them to write");
        return false;
      }
    }
    return true;
  }

  /// Steps of two streams that use the same bytes, one of them to write, have
  /// an order.
  bool checkOrder(Operation &op, SmallVector<Part> &reads,
                  SmallVector<Part> &writes, State &state) {
    auto visit = [&](Part part, bool writing) {
      StringAttr name = part.buffer.getAllocationAttr().getAttr();
      auto [begin, end] = Part::extent(part.buffer);
      std::vector<Access> &list = state.accesses[name];
      for (const Access &other : list)
        if ((writing || other.writes) && begin < other.end &&
            other.begin < end && other.step != state.order.current() &&
            !state.order.isDone(other.step)) {
          op.emitError("uses bytes ")
              << begin << " to " << end << " of @" << name.getValue()
              << " while step " << other.step << " of another stream may "
              << (other.writes ? "write" : "read") << " them";
          return false;
        }
      // What all streams come after needs no watching.
      if (list.size() > 256)
        llvm::erase_if(list, [&](const Access &other) {
          return state.order.isDoneEverywhere(other.step);
        });
      list.push_back({state.order.current(), begin, end, writing});
      return true;
    };
    for (Part &part : reads)
      if (!visit(part, false))
        return false;
    for (Part &part : writes)
      if (!visit(part, true))
        return false;
    return true;
  }
};

} // namespace
