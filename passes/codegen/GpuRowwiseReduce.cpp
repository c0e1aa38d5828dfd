//===- GpuRowwiseReduce.cpp - Reductions over a row -----------------------===//
#include "passes/codegen/GpuRowwiseEmitter.h"
#include "passes/codegen/GpuRowwiseMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <limits>

using namespace mlir;
using namespace llamac;

using llm::ReduceKind;
using llm::RowReduceOp;

using Values = KernelBuilder::Values;

static constexpr int64_t kWarp = 32;

int64_t GpuRowwiseEmitter::warps() const {
  return shape.threads > kWarp ? shape.threads / kWarp : 1;
}

/// Of all warps of the block, in whole 16 bytes for each tile.
int64_t GpuRowwiseEmitter::slotBytes(RowReduceOp reduce) const {
  int64_t element = reduce.getType().getIntOrFloatBitWidth() / 8;
  return llvm::alignTo(warps() * element, 16) * shape.tiles;
}

int64_t GpuRowwiseEmitter::sharedBytes() {
  int64_t bytes = 0;
  if (warps() > 1)
    for (auto &level : body.levels)
      for (RowReduceOp reduce : level)
        bytes += slotBytes(reduce);
  return bytes;
}

/// A maximum starts low enough for any float, but finite where sums of
/// exponentials below it are taken: inf - inf is no number.
Value GpuRowwiseEmitter::identity(RowReduceOp reduce, Type type) {
  if (reduce.getKind() == ReduceKind::Add)
    return k.real(type, 0.0);
  return k.real(type, -std::numeric_limits<double>::infinity());
}

Value GpuRowwiseEmitter::combine(RowReduceOp reduce, Value x, Value y) {
  if (reduce.getKind() == ReduceKind::Add)
    return k.addf(x, y);
  return arith::MaxNumFOp::create(k.b, k.loc, x, y);
}

//===----------------------------------------------------------------------===//
// In a thread
//===----------------------------------------------------------------------===//

/// Adds `pieces` to the totals of every reduction: vectors of lanes. Of an
/// online pair the maximum is that of the thread, a scalar, and the sum is
/// relative to it. `first`: `carried` are identities.
Values GpuRowwiseEmitter::accumulate(MutableArrayRef<RowReduceOp> reduces,
                                     Pieces pieces, ValueRange carried,
                                     bool first) {
  unsigned lanes = shape.lanes;
  auto valuesOf = [&](RowReduceOp reduce) {
    Values values;
    for (Piece &piece : pieces) {
      Value x = varying(reduce.getValue(), piece);
      if (piece.valid)
        x = arith::SelectOp::create(k.b, k.loc, piece.valid, x,
                                    identity(reduce, x.getType()));
      values.push_back(x);
    }
    return values;
  };
  Values next(carried);
  // Maxima first: online sums need them.
  for (auto [i, reduce] : llvm::enumerate(reduces)) {
    if (body.onlineMax(reduce))
      continue;
    for (Value x : valuesOf(reduce)) {
      if (lanes > 1 && !isa<VectorType>(next[i].getType()))
        x = k.combineLanes(
            x, [&](Value a, Value b) { return combine(reduce, a, b); });
      next[i] = combine(reduce, next[i], x);
    }
  }
  for (auto [i, reduce] : llvm::enumerate(reduces)) {
    RowReduceOp max = body.onlineMax(reduce);
    if (!max)
      continue;
    unsigned m = llvm::find(reduces, max) - reduces.begin();
    Value sum = next[i];
    if (!first) {
      Value factor = emitGpuFastExp(k, k.subf(carried[m], next[m]));
      sum = k.mulf(sum, k.splat(factor, lanes));
    }
    for (Value z : valuesOf(max)) {
      Value below = k.subf(z, k.splat(next[m], lanes));
      sum = k.addf(sum, emitGpuFastExp(k, below));
    }
    next[i] = sum;
  }
  return next;
}

//===----------------------------------------------------------------------===//
// Between threads
//===----------------------------------------------------------------------===//

/// The value of lane (own lane xor `distance`).
Value GpuRowwiseEmitter::shuffle(Value x, int64_t distance) {
  OpBuilder &b = k.b;
  auto exchange = [&](Value word) {
    return gpu::ShuffleOp::create(b, k.loc, word, distance, kWarp,
                                  gpu::ShuffleMode::XOR)
        .getShuffleResult();
  };
  if (!x.getType().isF64())
    return exchange(x);
  // Lanes exchange 32 bits at a time.
  Type word = b.getI32Type(), pair = b.getI64Type();
  Value bits = arith::BitcastOp::create(b, k.loc, pair, x);
  Value high = arith::ShRUIOp::create(b, k.loc, bits, k.i64(32));
  Value low = exchange(arith::TruncIOp::create(b, k.loc, word, bits));
  high = exchange(arith::TruncIOp::create(b, k.loc, word, high));
  low = arith::ExtUIOp::create(b, k.loc, pair, low);
  high = arith::ExtUIOp::create(b, k.loc, pair, high);
  high = arith::ShLIOp::create(b, k.loc, high, k.i64(32));
  bits = arith::OrIOp::create(b, k.loc, high, low);
  return arith::BitcastOp::create(b, k.loc, b.getF64Type(), bits);
}

/// Over the threads of the tile that are in this warp. Both operands of every
/// step are the same pair in both lanes, so all lanes end with the same bits.
Value GpuRowwiseEmitter::acrossWarp(RowReduceOp reduce, Value x) {
  for (int64_t distance = std::min(shape.threads, kWarp) / 2; distance > 0;
       distance /= 2)
    x = combine(reduce, x, shuffle(x, distance));
  return x;
}

/// Combines the first `count` elements at every reduction's slot, by halving.
/// Sums of an online pair are relative to the maximum of the same number.
Values GpuRowwiseEmitter::combineParts(MutableArrayRef<RowReduceOp> reduces,
                                       ArrayRef<Value> slots, int64_t count) {
  llvm::SmallVector<Values> parts;
  for (auto [reduce, slot] : llvm::zip(reduces, slots)) {
    int64_t size = reduce.getType().getIntOrFloatBitWidth() / 8;
    Values &of = parts.emplace_back();
    for (int64_t i = 0; i < count; ++i) {
      int64_t offset = (i * size) | 16;
      of.push_back(k.loadAt(reduce.getType(), k.at(slot, i, reduce.getType()),
                            offset & -offset));
    }
  }
  auto tree = [&](RowReduceOp reduce, Values values) {
    while (values.size() > 1) {
      Values half;
      for (size_t i = 0; i + 1 < values.size(); i += 2)
        half.push_back(combine(reduce, values[i], values[i + 1]));
      if (values.size() % 2)
        half.push_back(values.back());
      values = std::move(half);
    }
    return values.front();
  };
  Values totals(reduces.size());
  for (auto [i, reduce] : llvm::enumerate(reduces))
    if (!body.onlineMax(reduce))
      totals[i] = tree(reduce, parts[i]);
  for (auto [i, reduce] : llvm::enumerate(reduces))
    if (RowReduceOp max = body.onlineMax(reduce)) {
      unsigned m = llvm::find(reduces, max) - reduces.begin();
      for (auto [sum, most] : llvm::zip(parts[i], parts[m]))
        sum = k.mulf(sum, emitGpuFastExp(k, k.subf(most, totals[m])));
      totals[i] = tree(reduce, parts[i]);
    }
  return totals;
}

/// Over the warps of the tile.
Values GpuRowwiseEmitter::acrossWarps(MutableArrayRef<RowReduceOp> reduces,
                                      Values totals) {
  Type word = k.b.getI32Type();
  auto i32 = [&](int64_t value) { return k.integer(word, value); };
  auto wide = [&](Value value) -> Value {
    return arith::ExtUIOp::create(k.b, k.loc, k.b.getI64Type(), value);
  };
  Values slots;
  for (RowReduceOp reduce : reduces) {
    Value slot = k.at(shared, sharedUsed, k.b.getI8Type());
    if (tile)
      slot = k.at(slot, k.mul(wide(tile), slotBytes(reduce) / shape.tiles),
                  k.b.getI8Type());
    slots.push_back(slot);
    sharedUsed += slotBytes(reduce);
  }
  Value lane = arith::RemUIOp::create(k.b, k.loc, thread, i32(kWarp));
  Value warp = wide(arith::DivUIOp::create(k.b, k.loc, thread, i32(kWarp)));
  Value first =
      arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::eq, lane, i32(0));
  k.when(first, [&] {
    for (auto [total, slot] : llvm::zip(totals, slots))
      k.store(total, slot, warp);
  });
  gpu::BarrierOp::create(k.b, k.loc);
  return combineParts(reduces, slots, warps());
}

void GpuRowwiseEmitter::emitReductions(MutableArrayRef<RowReduceOp> reduces) {
  llvm::DenseSet<Value> seen;
  Values totals;
  // An online maximum may be needed by a sum of this level.
  auto isOnline = [&](RowReduceOp reduce) {
    return llvm::any_of(reduces, [&](RowReduceOp other) {
      return body.onlineMax(other) == reduce;
    });
  };
  for (RowReduceOp reduce : reduces) {
    RowReduceOp max = body.onlineMax(reduce);
    prepare(max ? max.getValue() : reduce.getValue(), seen);
    if (isOnline(reduce))
      totals.push_back(
          k.real(reduce.getType(), -std::numeric_limits<float>::max()));
    else
      totals.push_back(identity(reduce, k.vec(reduce.getType(), shape.lanes)));
  }
  totals = sweep(totals, [&](Pieces pieces, ValueRange carried) {
    // All loads of the pieces before the first use.
    for (Piece &piece : pieces)
      for (RowReduceOp reduce : reduces) {
        RowReduceOp max = body.onlineMax(reduce);
        loadInputs(max ? max.getValue() : reduce.getValue(), piece);
      }
    return accumulate(reduces, pieces, carried, shape.resident);
  });

  // Threads, warps: the maximum of an online pair first, then the sum relative
  // to it, scaled once.
  Values threadTotals;
  for (auto [reduce, total] : llvm::zip(reduces, totals))
    threadTotals.push_back(k.combineLanes(
        total, [&, r = reduce](Value a, Value b) { return combine(r, a, b); }));
  totals = threadTotals;
  for (auto [i, reduce] : llvm::enumerate(reduces))
    if (!body.onlineMax(reduce))
      totals[i] = acrossWarp(reduce, threadTotals[i]);
  for (auto [i, reduce] : llvm::enumerate(reduces))
    if (RowReduceOp max = body.onlineMax(reduce)) {
      unsigned m = llvm::find(reduces, max) - reduces.begin();
      Value factor = emitGpuFastExp(k, k.subf(threadTotals[m], totals[m]));
      totals[i] = acrossWarp(reduce, k.mulf(threadTotals[i], factor));
    }
  if (warps() > 1)
    totals = acrossWarps(reduces, totals);
  for (auto [reduce, total] : llvm::zip(reduces, totals))
    scalars[reduce->getResult(0)] = total;
}
