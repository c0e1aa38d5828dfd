//===- CpuAttention.cpp - llm.attention on the CPU ------------------------===//
#include "passes/codegen/CpuAttention.h"

#include "passes/codegen/AttentionBlocks.h"
#include "passes/codegen/CpuMath.h"
#include "passes/codegen/KernelBuffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
using namespace llamac;

using Values = KernelBuilder::Values;

FailureOr<LLVM::LLVMFuncOp>
llamac::emitCpuAttention(OpBuilder &builder, ModuleOp target, StringRef symbol,
                         llm::AttentionOp op, const CpuTarget &cpu) {
  auto type = cast<RankedTensorType>(op.getQ().getType());
  if (!type.getElementType().isF32())
    return op.emitOpError("CPU kernels compute in f32");
  OpBuilder::InsertionGuard guard(builder);
  KernelBuilder k(builder, op.getLoc());
  int64_t heads = op.getHeads(), headDim = type.getDimSize(1) / heads;
  AttentionBlocks blocks(k, heads, op.getKvHeads(), headDim, cpu.keyBlock());
  constexpr int64_t lanes = AttentionBlocks::kLanes;

  LLVM::LLVMFuncOp function = k.function(target, symbol);
  KernelBuffers buffers = KernelBuffers::of(op);
  auto input = [&](unsigned i) {
    return k.buffer(function, buffers.operands[i]);
  };
  Value q = input(0), key = input(1), v = input(2), cu = input(3);
  Value out = k.buffer(function, buffers.firstResult);
  Value lse = k.buffer(function, buffers.firstResult + 1);
  Type cuElement = getElementTypeOrSelf(op.getCuSeqlens().getType());
  Type vector = k.vec(k.f32(), lanes);
  Value queries = k.stackArray(k.f32(), headDim * lanes);
  Value sums = k.stackArray(k.f32(), headDim * lanes);
  Value slots = k.stackArray(builder.getI64Type(), lanes);
  Value lowest = k.real(vector, -std::numeric_limits<double>::infinity());

  blocks.items(function, cu, cuElement, [&](AttentionBlocks::Item &item) {
    auto at = [&](Value base, Value offset) {
      return k.at(base, offset, k.f32());
    };
    blocks.padding(function, cu, cuElement, item, [&](Value first, Value end) {
      Value head = k.mul(item.kvHead, blocks.group);
      blocks.clearRows(at(out, k.mul(head, headDim)), first, end,
                       heads * headDim, blocks.group * headDim);
      blocks.clearRows(at(lse, head), first, end, heads, blocks.group);
    });
    Value qItem = at(q, item.query), outItem = at(out, item.query);
    Value keyItem = at(key, item.key), vItem = at(v, item.key);
    Value lseItem = at(lse, item.lse);
    k.loop(k.i64(0), item.pairs, lanes, [&](Value firstPair) {
      AttentionBlocks::Block block = blocks.block(item, firstPair, slots);
      blocks.loadTransposed(qItem, slots, queries,
                            op.getScale().convertToDouble());
      blocks.clearTransposed(sums);
      Values state = k.loop(
          k.i64(0), block.keys, blocks.keyBlock, {lowest, k.real(vector, 0.0)},
          [&](Value first, ValueRange carried) {
            Value max = carried[0], total = carried[1];
            Values scores =
                blocks.dots(queries, blocks.keyRows(keyItem, first, block));
            Value newMax = max;
            for (auto [j, score] : llvm::enumerate(scores)) {
              score = arith::SelectOp::create(
                  builder, k.loc, blocks.sees(block, first, j), score, lowest);
              newMax = k.maxf(score, newMax);
            }
            // Every lane sees key 0: from the first block on the maximum is
            // finite, and exp(-inf) of what is masked is 0.
            Value decay = emitExp(k, k.subf(max, newMax));
            total = k.mulf(total, decay);
            for (Value &score : scores) {
              score = emitExp(k, k.subf(score, newMax));
              total = k.addf(total, score);
            }
            blocks.accumulate(sums, decay, scores,
                              blocks.keyRows(vItem, first, block));
            return Values{newMax, total};
          });
      Value one = k.real(vector, 1.0);
      blocks.storeTransposed(sums, slots, outItem, k.divf(one, state[1]));
      Value logs = k.addf(state[0], emitLog(k, state[1]));
      for (int64_t lane = 0; lane < lanes; ++lane)
        k.store(k.extract(logs, lane), lseItem,
                k.load(builder.getI64Type(), slots, k.i64(lane)));
    });
  });
  return function;
}
