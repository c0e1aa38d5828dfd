//===- VerifyBuffers.cpp - No two live buffers overlap --------------------===//
//
// Replays the program and keeps, for every byte range of the arena, the buffer
// that wrote it last: a step may only read what its own buffer last wrote. It
// shares nothing with the planner but plan.step's lists of reads and writes.
//
//===----------------------------------------------------------------------===//
#include "dialects/plan/PlanDialect.h"
#include "passes/memory/Passes.h"

#include <map>

namespace llamac {
#define GEN_PASS_DEF_VERIFYBUFFERS
#include "passes/memory/Passes.h.inc"
} // namespace llamac

using namespace mlir;

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

struct VerifyBuffers : llamac::impl::VerifyBuffersBase<VerifyBuffers> {
  void runOnOperation() override {
    llvm::DenseMap<StringAttr, bool> isArena;
    for (auto allocation : getOperation().getOps<plan::AllocationOp>())
      isArena[allocation.getSymNameAttr()] =
          allocation.getCategory() == plan::Category::Activations;
    for (auto program : getOperation().getOps<plan::ProgramOp>()) {
      llvm::DenseMap<StringAttr, Owners> arenas;
      auto arenaOf = [&](plan::BufferOp buffer) -> Owners * {
        StringAttr name = buffer.getAllocationAttr().getAttr();
        return isArena.lookup(name) ? &arenas[name] : nullptr;
      };
      for (Operation &op : program.getBlock()) {
        if (auto buffer = dyn_cast<plan::BufferOp>(op);
            buffer && !buffer.getOffset()) {
          buffer.emitOpError("has no offset");
          return signalPassFailure();
        }
        if (!check(op, arenaOf))
          return signalPassFailure();
      }
    }
  }

  template <typename ArenaOf> bool check(Operation &op, ArenaOf arenaOf) {
    SmallVector<Value> reads, writes;
    if (auto step = dyn_cast<plan::StepOpInterface>(op)) {
      reads = step.getReads();
      writes = step.getWrites();
    } else if (auto output = dyn_cast<plan::OutputOp>(op)) {
      reads = {output.getBuffer()};
    } else if (auto input = dyn_cast<plan::InputOp>(op)) {
      writes = {input.getBuffer()};
    }
    for (Value value : reads) {
      auto buffer = value.getDefiningOp<plan::BufferOp>();
      Owners *arena = arenaOf(buffer);
      if (!arena)
        continue;
      auto [begin, end] = extent(buffer);
      Operation *owner = arena->owner(begin, end);
      if (owner == buffer)
        continue;
      auto error =
          op.emitError("reads a buffer that ")
          << (owner ? "another has overwritten" : "is not wholly written");
      error.attachNote(buffer.getLoc())
          << "the buffer is at bytes " << begin << " to " << end;
      return false;
    }
    for (Value value : writes) {
      auto buffer = value.getDefiningOp<plan::BufferOp>();
      auto [begin, end] = extent(buffer);
      if (Owners *arena = arenaOf(buffer))
        arena->write(begin, end, buffer);
    }
    // A step must not write over what it reads, or over its other results.
    for (Value l : writes)
      for (Value r : llvm::concat<Value>(reads, writes)) {
        auto a = l.getDefiningOp<plan::BufferOp>();
        auto b = r.getDefiningOp<plan::BufferOp>();
        if (l == r || a.getAllocation() != b.getAllocation() || !arenaOf(a))
          continue;
        auto [aBegin, aEnd] = extent(a);
        auto [bBegin, bEnd] = extent(b);
        if (aBegin < bEnd && bBegin < aEnd) {
          op.emitError("uses two buffers that overlap, one of them to write");
          return false;
        }
      }
    return true;
  }

  static std::pair<int64_t, int64_t> extent(plan::BufferOp buffer) {
    int64_t begin = *buffer.getOffset();
    auto type = cast<RankedTensorType>(buffer.getType());
    return {begin, begin + plan::placeBytes(type).value_or(0)};
  }
};

} // namespace
