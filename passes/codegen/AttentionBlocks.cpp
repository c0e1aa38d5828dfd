//===- AttentionBlocks.cpp - What both attention kernels are made of ------===//
#include "passes/codegen/AttentionBlocks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace llamac;

using Values = KernelBuilder::Values;

static Value loadInteger(KernelBuilder &k, Value base, Value index,
                         Type element) {
  Value value = k.load(element, base, index);
  if (element.isInteger(64))
    return value;
  return arith::ExtSIOp::create(k.b, k.loc, k.b.getI64Type(), value);
}

void AttentionBlocks::items(LLVM::LLVMFuncOp function, Value cuSeqlens,
                            Type cuElement,
                            llvm::function_ref<void(Item &)> body) {
  k.loop(function.getArgument(2), function.getArgument(3), 1, [&](Value i) {
    Item item;
    item.sequence = k.div(i, kvHeads);
    item.kvHead = k.sub(i, k.mul(item.sequence, kvHeads));
    item.start = loadInteger(k, cuSeqlens, item.sequence, cuElement);
    Value stop =
        loadInteger(k, cuSeqlens, k.add(item.sequence, k.i64(1)), cuElement);
    item.length = k.sub(stop, item.start);
    item.pairs = k.mul(item.length, group);
    item.lse = k.add(k.mul(item.start, heads), k.mul(item.kvHead, group));
    item.query = k.mul(item.lse, headDim);
    item.key = k.mul(k.add(k.mul(item.start, kvHeads), item.kvHead), headDim);
    body(item);
  });
}

void AttentionBlocks::padding(LLVM::LLVMFuncOp function, Value cuSeqlens,
                              Type cuElement, Item &item,
                              llvm::function_ref<void(Value, Value)> body) {
  Type number = k.b.getI64Type();
  Value tokens = k.load(number, function.getArgument(1), k.i64(0));
  Value sequences = k.load(number, function.getArgument(1), k.i64(1));
  Value isLast =
      arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::eq,
                            k.add(item.sequence, k.i64(1)), sequences);
  k.when(isLast, [&] {
    body(loadInteger(k, cuSeqlens, sequences, cuElement), tokens);
  });
}

void AttentionBlocks::clearRows(Value base, Value first, Value end,
                                int64_t stride, int64_t columns) {
  k.loop(first, end, 1, [&](Value row) {
    Value address = k.at(base, k.mul(row, stride), k.f32());
    k.columns(columns, [&](Value column, unsigned lanes) {
      k.store(k.real(k.vec(k.f32(), lanes), 0.0), address, column);
    });
  });
}

AttentionBlocks::Block AttentionBlocks::block(Item &item, Value firstPair,
                                              Value slots) {
  Type i32 = k.b.getI32Type();
  auto narrow = [&](Value v) -> Value {
    return arith::TruncIOp::create(k.b, k.loc, i32, v);
  };
  auto all = [&](int64_t v) { return k.integer(k.vec(i32, kLanes), v); };
  Value lastPair = k.sub(item.pairs, k.i64(1));
  Value pair = k.min(k.iota(narrow(firstPair), kLanes),
                     k.splat(narrow(lastPair), kLanes));
  Block block;
  block.count = k.min(k.i64(kLanes), k.sub(item.pairs, firstPair));
  block.rows = arith::DivUIOp::create(k.b, k.loc, pair, all(group));
  // row * heads + (pair - row * group)
  Value slot = k.add(pair, k.mul(block.rows, all(heads - group)));
  Value wide =
      arith::ExtUIOp::create(k.b, k.loc, k.vec(k.b.getI64Type(), kLanes), slot);
  k.store(wide, slots, k.i64(0));
  Value lastUsed = k.min(k.add(firstPair, k.i64(kLanes - 1)), lastPair);
  block.keys = k.add(k.div(lastUsed, group), k.i64(1));
  return block;
}

/// Address of lane's row in a q-like tensor.
static Value laneRow(KernelBuilder &k, Value base, Value slots, Value lane,
                     int64_t headDim) {
  Value slot = k.load(k.b.getI64Type(), slots, lane);
  return k.at(base, k.mul(slot, headDim), k.f32());
}

void AttentionBlocks::loadTransposed(Value base, Value slots, Value into,
                                     double factor) {
  int64_t whole = headDim - headDim % kLanes;
  Type vector = k.vec(k.f32(), kLanes);
  auto scaled = [&](Value v) {
    return factor == 1.0 ? v : k.mulf(v, k.real(v.getType(), factor));
  };
  if (whole > 0)
    k.loop(k.i64(0), k.i64(whole), kLanes, [&](Value d) {
      Values rows;
      for (int64_t lane = 0; lane < kLanes; ++lane)
        rows.push_back(
            k.load(vector, laneRow(k, base, slots, k.i64(lane), headDim), d));
      rows = k.transpose(rows);
      Value target = k.at(into, k.mul(d, kLanes), k.f32());
      for (int64_t i = 0; i < kLanes; ++i)
        k.store(scaled(rows[i]), target, k.i64(i * kLanes));
    });
  if (whole < headDim)
    k.loop(k.i64(0), k.i64(kLanes), 1, [&](Value lane) {
      Value row = laneRow(k, base, slots, lane, headDim);
      k.loop(k.i64(whole), k.i64(headDim), 1, [&](Value d) {
        Value x = scaled(k.load(k.f32(), row, d));
        k.store(x, into, k.add(k.mul(d, kLanes), lane));
      });
    });
}

void AttentionBlocks::storeTransposed(Value from, Value slots, Value base,
                                      Value factor) {
  int64_t whole = headDim - headDim % kLanes;
  Type vector = k.vec(k.f32(), kLanes);
  auto scaled = [&](Value v) { return factor ? k.mulf(v, factor) : v; };
  if (whole > 0)
    k.loop(k.i64(0), k.i64(whole), kLanes, [&](Value d) {
      Value source = k.at(from, k.mul(d, kLanes), k.f32());
      Values rows;
      for (int64_t i = 0; i < kLanes; ++i)
        rows.push_back(scaled(k.load(vector, source, k.i64(i * kLanes))));
      rows = k.transpose(rows);
      for (int64_t lane = 0; lane < kLanes; ++lane)
        k.store(rows[lane], laneRow(k, base, slots, k.i64(lane), headDim), d);
    });
  if (whole == headDim)
    return;
  k.loop(k.i64(whole), k.i64(headDim), 1, [&](Value d) {
    Value at = k.mul(d, kLanes);
    k.store(scaled(k.load(vector, from, at)), from, at);
  });
  k.loop(k.i64(0), k.i64(kLanes), 1, [&](Value lane) {
    Value row = laneRow(k, base, slots, lane, headDim);
    k.loop(k.i64(whole), k.i64(headDim), 1, [&](Value d) {
      k.store(k.load(k.f32(), from, k.add(k.mul(d, kLanes), lane)), row, d);
    });
  });
}

void AttentionBlocks::clearTransposed(Value array) {
  Value zero = k.real(k.vec(k.f32(), kLanes), 0.0);
  k.loop(k.i64(0), k.i64(headDim * kLanes), kLanes,
         [&](Value i) { k.store(zero, array, i); });
}

Values AttentionBlocks::keyRows(Value base, Value first, Block &block) {
  Values rows;
  Value last = k.sub(block.keys, k.i64(1));
  for (unsigned j = 0; j < keyBlock; ++j) {
    Value key = k.min(k.add(first, k.i64(j)), last);
    rows.push_back(k.at(base, k.mul(key, kvHeads * headDim), k.f32()));
  }
  return rows;
}

Value AttentionBlocks::sees(Block &block, Value first, unsigned j) {
  Value key = arith::TruncIOp::create(k.b, k.loc, k.b.getI32Type(),
                                      k.add(first, k.i64(j)));
  return arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::sle,
                               k.splat(key, kLanes), block.rows);
}

Values AttentionBlocks::dots(Value transposed, ValueRange rows) {
  Type vector = k.vec(k.f32(), kLanes);
  Values sums(rows.size(), k.real(vector, 0.0));
  return k.loop(
      k.i64(0), k.i64(headDim), 1, sums, [&](Value d, ValueRange carried) {
        Value x = k.load(vector, transposed, k.mul(d, kLanes));
        Values next;
        for (auto [row, sum] : llvm::zip(rows, carried))
          next.push_back(
              k.fma(k.splat(k.load(k.f32(), row, d), kLanes), x, sum));
        return next;
      });
}

void AttentionBlocks::accumulate(Value array, Value decay, ValueRange weights,
                                 ValueRange rows) {
  Type vector = k.vec(k.f32(), kLanes);
  k.loop(k.i64(0), k.i64(headDim), 1, [&](Value d) {
    Value at = k.mul(d, kLanes);
    Value sum = k.load(vector, array, at);
    if (decay)
      sum = k.mulf(sum, decay);
    for (auto [weight, row] : llvm::zip(weights, rows))
      sum = k.fma(weight, k.splat(k.load(k.f32(), row, d), kLanes), sum);
    k.store(sum, array, at);
  });
}
