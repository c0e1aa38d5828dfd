//===- AttentionBlocks.h - What both attention kernels are made of -*- C++
//-*-===//
//
// One vector lane is one (row, query head) pair of the item's group, counted
// flat = row * group + head, so short sequences still fill the vectors. A block
// is kLanes such pairs against `keyBlock` keys. Everything that belongs to a
// pair is kept transposed on the stack ([head_dim][kLanes]), so that scores,
// softmax and sums are vertical: no horizontal operation, no mask but the
// causal one. Lanes past the last pair repeat it; they compute and store the
// same.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "passes/codegen/CpuTarget.h"
#include "passes/codegen/KernelBuilder.h"

namespace llamac {

class AttentionBlocks {
public:
  using Value = mlir::Value;
  using Values = KernelBuilder::Values;
  static constexpr int64_t kLanes = CpuTarget::kLanes;

  AttentionBlocks(KernelBuilder &k, int64_t heads, int64_t kvHeads,
                  int64_t headDim, unsigned keyBlock)
      : k(k), heads(heads), kvHeads(kvHeads), headDim(headDim),
        group(heads / kvHeads), keyBlock(keyBlock) {}

  /// One (sequence, kv head).
  struct Item {
    Value sequence, kvHead;
    Value start, length; // rows of the sequence
    Value pairs;         // length * group
    Value query;         // element offset of its first row in q-like tensors
    Value key;           // ... in k-like tensors
    Value lse;           // ... in lse
  };
  /// Loops over the items of the function's range.
  void items(mlir::LLVM::LLVMFuncOp function, Value cuSeqlens,
             mlir::Type cuElement, llvm::function_ref<void(Item &)> body);
  /// For the last sequence's items: runs `body` with the rows past it.
  void padding(mlir::LLVM::LLVMFuncOp function, Value cuSeqlens,
               mlir::Type cuElement, Item &item,
               llvm::function_ref<void(Value first, Value end)> body);
  /// Clears `columns` floats at `base` + row * stride for rows [first, end).
  void clearRows(Value base, Value first, Value end, int64_t stride,
                 int64_t columns);

  /// kLanes pairs.
  struct Block {
    Value count; // lanes that are in use
    Value rows;  // vector<i32>: row of each lane within the sequence
    Value keys;  // number of keys that any lane sees
  };
  /// Also fills `slots` (i64[kLanes]): row * heads + head of each lane.
  Block block(Item &item, Value firstPair, Value slots);
  /// into[d][lane] = factor * base[slots[lane]][d].
  void loadTransposed(Value base, Value slots, Value into, double factor);
  /// base[slots[lane]][d] = factor[lane] * from[d][lane]; no factor if null.
  void storeTransposed(Value from, Value slots, Value base, Value factor);
  void clearTransposed(Value array);

  /// Addresses of rows `first` .. of k or v; past the last key, the last one.
  Values keyRows(Value base, Value first, Block &block);
  /// Lanes that see key `first + j`.
  Value sees(Block &block, Value first, unsigned j);
  /// result[j] = sum over d of transposed[d] * rows[j][d].
  Values dots(Value transposed, mlir::ValueRange rows);
  /// array[d] = decay * array[d] + sum over j of weights[j] * rows[j][d].
  void accumulate(Value array, Value decay, mlir::ValueRange weights,
                  mlir::ValueRange rows);

  KernelBuilder &k;
  const int64_t heads, kvHeads, headDim, group;
  const unsigned keyBlock;
};

} // namespace llamac
