//===- CpuAttentionGrad.cpp - llm.attention_grad on the CPU ---------------===//
#include "passes/codegen/CpuAttention.h"

#include "passes/codegen/AttentionBlocks.h"
#include "passes/codegen/CpuMath.h"
#include "passes/codegen/KernelBuffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace llamac;

using Values = KernelBuilder::Values;
using Blocks = AttentionBlocks;

/// targets[j][d] += sum over lanes of weights[j][lane] *
/// source[slots[lane]][d].
static void addOuter(Blocks &blocks, Value weights, Value source, Value slots,
                     Value lanes, ValueRange targets) {
  KernelBuilder &k = blocks.k;
  k.columns(blocks.headDim, [&](Value column, unsigned width) {
    Type vector = k.vec(k.f32(), width);
    Values sums;
    for (Value target : targets)
      sums.push_back(k.load(vector, target, column));
    sums =
        k.loop(k.i64(0), lanes, 1, sums, [&](Value lane, ValueRange carried) {
          Value slot = k.load(k.b.getI64Type(), slots, lane);
          Value row = k.load(vector, source,
                             k.add(k.mul(slot, blocks.headDim), column));
          Values next;
          for (auto [j, sum] : llvm::enumerate(carried)) {
            Value weight = k.load(k.f32(), weights,
                                  k.add(lane, k.i64(j * Blocks::kLanes)));
            next.push_back(k.fma(k.splat(weight, width), row, sum));
          }
          return next;
        });
    // Past the last key the targets repeat it, unchanged since they were
    // loaded: the key itself is stored last.
    for (int64_t j = targets.size() - 1; j >= 0; --j)
      k.store(sums[j], targets[j], column);
  });
}

FailureOr<LLVM::LLVMFuncOp>
llamac::emitCpuAttentionGrad(OpBuilder &builder, ModuleOp target,
                             StringRef symbol, llm::AttentionGradOp op,
                             const CpuTarget &cpu) {
  auto type = cast<RankedTensorType>(op.getQ().getType());
  if (!type.getElementType().isF32())
    return op.emitOpError("CPU kernels compute in f32");
  OpBuilder::InsertionGuard guard(builder);
  KernelBuilder k(builder, op.getLoc());
  int64_t heads = op.getHeads(), kvHeads = op.getKvHeads();
  int64_t headDim = type.getDimSize(1) / heads;
  Blocks blocks(k, heads, kvHeads, headDim, cpu.keyBlock());
  constexpr int64_t lanes = Blocks::kLanes;
  double scale = op.getScale().convertToDouble();

  LLVM::LLVMFuncOp function = k.function(target, symbol);
  KernelBuffers buffers = KernelBuffers::of(op);
  auto input = [&](unsigned i) {
    return k.buffer(function, buffers.operands[i]);
  };
  auto output = [&](unsigned i) {
    return k.buffer(function, buffers.firstResult + i);
  };
  Value q = input(0), key = input(1), v = input(2), cu = input(3);
  Value out = input(4), lse = input(5), dout = input(6);
  Value dq = output(0), dk = output(1), dv = output(2);
  Type cuElement = getElementTypeOrSelf(op.getCuSeqlens().getType());
  Type vector = k.vec(k.f32(), lanes);
  Value zero = k.real(vector, 0.0);
  Value queries = k.stackArray(k.f32(), headDim * lanes);
  Value douts = k.stackArray(k.f32(), headDim * lanes);
  Value sums = k.stackArray(k.f32(), headDim * lanes);
  Value slots = k.stackArray(builder.getI64Type(), lanes);
  Value lses = k.stackArray(k.f32(), lanes);
  Value weights = k.stackArray(k.f32(), blocks.keyBlock * lanes);
  Value slopes = k.stackArray(k.f32(), blocks.keyBlock * lanes);

  blocks.items(function, cu, cuElement, [&](Blocks::Item &item) {
    auto at = [&](Value base, Value offset) {
      return k.at(base, offset, k.f32());
    };
    Value keyColumn = k.mul(item.kvHead, headDim);
    auto clearKeys = [&](Value first, Value end) {
      for (Value result : {dk, dv})
        blocks.clearRows(at(result, keyColumn), first, end, kvHeads * headDim,
                         headDim);
    };
    clearKeys(item.start, k.add(item.start, item.length));
    blocks.padding(function, cu, cuElement, item, [&](Value first, Value end) {
      clearKeys(first, end);
      blocks.clearRows(at(dq, k.mul(keyColumn, blocks.group)), first, end,
                       heads * headDim, blocks.group * headDim);
    });
    Value qItem = at(q, item.query), doutItem = at(dout, item.query);
    Value outItem = at(out, item.query), dqItem = at(dq, item.query);
    Value keyItem = at(key, item.key), vItem = at(v, item.key);
    Value dkItem = at(dk, item.key), dvItem = at(dv, item.key);
    Value lseItem = at(lse, item.lse);

    k.loop(k.i64(0), item.pairs, lanes, [&](Value firstPair) {
      Blocks::Block block = blocks.block(item, firstPair, slots);
      blocks.loadTransposed(qItem, slots, queries, scale);
      blocks.loadTransposed(doutItem, slots, douts, 1.0);
      blocks.loadTransposed(outItem, slots, sums, 1.0);
      Value delta =
          k.loop(k.i64(0), k.i64(headDim * lanes), lanes, {zero},
                 [&](Value i, ValueRange carried) {
                   return Values{k.fma(k.load(vector, douts, i),
                                       k.load(vector, sums, i), carried[0])};
                 })[0];
      blocks.clearTransposed(sums);
      for (int64_t lane = 0; lane < lanes; ++lane) {
        Value slot = k.load(builder.getI64Type(), slots, k.i64(lane));
        k.store(k.load(k.f32(), lseItem, slot), lses, k.i64(lane));
      }
      Value logs = k.load(vector, lses, k.i64(0));

      k.loop(k.i64(0), block.keys, blocks.keyBlock, [&](Value first) {
        Values keys = blocks.keyRows(keyItem, first, block);
        Values p = blocks.dots(queries, keys);
        Values ds = blocks.dots(douts, blocks.keyRows(vItem, first, block));
        for (unsigned j = 0; j < blocks.keyBlock; ++j) {
          Value exact = emitExp(k, k.subf(p[j], logs));
          p[j] = arith::SelectOp::create(
              builder, k.loc, blocks.sees(block, first, j), exact, zero);
          ds[j] =
              k.mulf(p[j], k.mulf(k.subf(ds[j], delta), k.real(vector, scale)));
          k.store(p[j], weights, k.i64(j * lanes));
          k.store(ds[j], slopes, k.i64(j * lanes));
        }
        blocks.accumulate(sums, Value(), ds, keys);
        addOuter(blocks, weights, doutItem, slots, block.count,
                 blocks.keyRows(dvItem, first, block));
        addOuter(blocks, slopes, qItem, slots, block.count,
                 blocks.keyRows(dkItem, first, block));
      });
      blocks.storeTransposed(sums, slots, dqItem, Value());
    });
  });
  return function;
}
