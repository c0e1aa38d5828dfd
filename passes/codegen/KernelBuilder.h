//===- KernelBuilder.h - Shorthand for writing kernels ---------*- C++ -*-===//
//
// Kernels are written in scf, arith, math, vector and LLVM pointers. A value of
// `lanes` elements has a vector type, or the scalar type if `lanes` is 1, so
// that one piece of code emits vector loops and their tails.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {

class KernelBuilder {
public:
  using Values = llvm::SmallVector<mlir::Value>;

  KernelBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : b(builder), loc(loc) {}

  /// Appends `void symbol(ptr buffers, ptr scalars, i64 begin, i64 end)`
  /// (plan.fbs, table Kernel) to `module` and moves into its body; the return
  /// is there already.
  mlir::LLVM::LLVMFuncOp function(mlir::ModuleOp module,
                                  llvm::StringRef symbol);

  // Types.
  mlir::Type f32() { return b.getF32Type(); }
  mlir::Type vec(mlir::Type element, unsigned lanes);
  static mlir::Type elementOf(mlir::Type type);
  static unsigned lanesOf(mlir::Type type);

  // Constants; splat over vector types.
  mlir::Value i64(int64_t value);
  mlir::Value real(mlir::Type type, double value);
  mlir::Value integer(mlir::Type type, int64_t value);

  // i64 arithmetic.
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, int64_t y) { return mul(x, i64(y)); }
  /// Quotient and remainder of values that are not negative.
  mlir::Value div(mlir::Value x, int64_t y);
  mlir::Value rem(mlir::Value x, int64_t y);
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value max(mlir::Value x, mlir::Value y);

  // Float arithmetic on scalars or vectors.
  mlir::Value addf(mlir::Value x, mlir::Value y);
  mlir::Value subf(mlir::Value x, mlir::Value y);
  mlir::Value mulf(mlir::Value x, mlir::Value y);
  mlir::Value divf(mlir::Value x, mlir::Value y);
  /// x * y + z, rounded once.
  mlir::Value fma(mlir::Value x, mlir::Value y, mlir::Value z);
  /// The larger; y if either is NaN (one instruction on x86).
  mlir::Value maxf(mlir::Value x, mlir::Value y);

  // Vectors.
  /// `x` in all lanes; x itself if it has that many.
  mlir::Value splat(mlir::Value x, unsigned lanes);
  mlir::Value extract(mlir::Value vector, unsigned lane);
  /// first, first + 1, ... of the integer type of `first`.
  mlir::Value iota(mlir::Value first, unsigned lanes);
  /// Combines all lanes, halving the vector each time: a fixed order.
  mlir::Value combineLanes(
      mlir::Value x,
      llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine);
  /// Transposes n vectors of n lanes (n a power of two).
  Values transpose(Values rows);

  // Memory: element `index` of the array at `base`.
  mlir::Value at(mlir::Value base, mlir::Value index, mlir::Type element);
  mlir::Value at(mlir::Value base, int64_t index, mlir::Type element);
  mlir::Value load(mlir::Type type, mlir::Value base, mlir::Value index);
  void store(mlir::Value value, mlir::Value base, mlir::Value index);
  /// The elements at `address`, which is a multiple of `alignment` bytes.
  mlir::Value loadAt(mlir::Type type, mlir::Value address, unsigned alignment);
  void storeAt(mlir::Value value, mlir::Value address, unsigned alignment);
  /// Pointer i of the kernel's buffers.
  mlir::Value buffer(mlir::LLVM::LLVMFuncOp function, unsigned i);
  /// Array on the stack; call it at the start of a function.
  mlir::Value stackArray(mlir::Type element, int64_t count);

  // Control flow.
  /// for (iv = low; iv < high; iv += step) carried = body(iv, carried).
  Values loop(mlir::Value low, mlir::Value high, int64_t step, Values carried,
              llvm::function_ref<Values(mlir::Value, mlir::ValueRange)> body);
  void loop(mlir::Value low, mlir::Value high, int64_t step,
            llvm::function_ref<void(mlir::Value)> body);
  void when(mlir::Value condition, llvm::function_ref<void()> body);
  /// Covers [0, count) with pieces of kLanes columns, then of 8, 4, 2 and 1.
  /// `body` gets the first column and the number of lanes.
  void columns(int64_t count,
               llvm::function_ref<void(mlir::Value, unsigned)> body);

  mlir::OpBuilder &b;
  mlir::Location loc;
};

/// Lane counts that cover what is left of `count` columns after the pieces of
/// CpuTarget::kLanes: descending powers of two.
llvm::SmallVector<unsigned> tailLanes(int64_t count);

} // namespace llamac
