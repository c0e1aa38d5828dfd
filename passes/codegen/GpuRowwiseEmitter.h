//===- GpuRowwiseEmitter.h - The code of one row kernel --------*- C++ -*-===//
#pragma once

#include "passes/codegen/GpuRowwise.h"

namespace llamac {

/// Writes the body of the kernel that GpuRowwise.h describes.
class GpuRowwiseEmitter {
public:
  GpuRowwiseEmitter(llm::RowwiseOp op, KernelBuilder &k)
      : op(op), k(k), body(op, {.bf16 = true, .online = true}) {}

  mlir::LogicalResult analyze(const GpuRowwiseOptions &options);
  const GpuRowwiseShape &getShape() const { return shape; }
  /// Bytes of shared memory. No slot is used twice, so one barrier per pass is
  /// enough.
  int64_t sharedBytes();
  /// `shared`: that memory, aligned to 16 bytes.
  void emit(mlir::gpu::GPUFuncOp function, mlir::Value shared,
            bool programmatic);
  /// After analyze: whether the kernel can take the sum of this input's terms.
  bool canSum(unsigned input);

private:
  using Value = mlir::Value;
  using Values = KernelBuilder::Values;
  using Memo = llvm::DenseMap<Value, Value>;

  /// One input or yield with its addresses.
  struct Access : RowwiseBody::Access {
    int64_t bytes; // moved at once
    Value base;    // of the buffer
    Value row;     // of this row's column 0
  };
  /// A vector of columns of this thread: the first is `base` + `offset`.
  struct Piece {
    Value base; // i64
    int64_t offset = 0;
    Value valid; // i1; null: always inside the row
    Memo memo;   // values of the body in these columns
  };
  using Pieces = llvm::MutableArrayRef<Piece>;

  // GpuRowwise.cpp: where this thread is.
  void emitPosition(mlir::gpu::GPUFuncOp function);
  Piece pieceAt(Value base, int64_t offset, int64_t certain);
  void makeResident();
  void forget(Piece &piece);
  Values sweep(Values carried,
               llvm::function_ref<Values(Pieces, mlir::ValueRange)> body);
  void emitWrites();
  bool mayAliasPerRow(unsigned yield);

  // GpuRowwiseValues.cpp: values and memory.
  Value readAddress(unsigned i);
  Value writeAddress(unsigned j);
  Value uniform(Value value);
  void prepare(Value value, llvm::DenseSet<Value> &seen);
  void loadInputs(Value value, Piece &piece);
  Value varying(Value value, Piece &piece);
  Value comparedColumn(mlir::Operation *bodyOp, Piece &piece);
  Value address(Access &access, Piece &piece, int64_t lane = 0);
  Value loadPiece(Access &access, Piece &piece);
  void storePiece(Value value, Access &access, Piece &piece);
  Value emitOp(mlir::Operation *bodyOp,
               llvm::function_ref<Value(Value)> operand, unsigned lanes);

  // GpuRowwiseSum.cpp
  /// The kernel's last arguments (GpuRowwise.h).
  struct SumCall {
    Value rank, bytes, slot, inboxes, state, abort;
  };
  void emitSum(mlir::gpu::GPUFuncOp function);
  Values exchange(const SumCall &call, mlir::ValueRange terms);

  // GpuRowwiseReduce.cpp
  void emitReductions(llvm::MutableArrayRef<llm::RowReduceOp> reduces);
  Values accumulate(llvm::MutableArrayRef<llm::RowReduceOp> reduces,
                    Pieces pieces, mlir::ValueRange carried, bool first);
  Value identity(llm::RowReduceOp reduce, mlir::Type type);
  Value combine(llm::RowReduceOp reduce, Value x, Value y);
  Value shuffle(Value x, int64_t distance);
  Value acrossWarp(llm::RowReduceOp reduce, Value x);
  Values acrossWarps(llvm::MutableArrayRef<llm::RowReduceOp> reduces,
                     Values totals);
  Values combineParts(llvm::MutableArrayRef<llm::RowReduceOp> reduces,
                      llvm::ArrayRef<Value> slots, int64_t count);
  int64_t slotBytes(llm::RowReduceOp reduce) const;
  int64_t warps() const;

  llm::RowwiseOp op;
  KernelBuilder &k;
  RowwiseBody body;
  GpuRowwiseShape shape;
  std::optional<GpuRowwiseOptions::Sum> sum;
  bool fast = false; // columns of bf16: exponentials and quotients need no more
  llvm::SmallVector<Access> reads, writes;
  llvm::SmallVector<Piece> resident;
  Value row;    // i32
  Value chunk;  // i32: of the row; null if there is one
  Value tile;   // i32: in the block; null if there is one
  Value thread; // i32: in the tile
  Value inside; // i1: the tile has a row; null: always
  Value shared;
  int64_t sharedUsed = 0;
  Memo scalars;
};

} // namespace llamac
