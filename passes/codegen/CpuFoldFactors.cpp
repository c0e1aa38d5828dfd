//===- CpuFoldFactors.cpp - Factors into folded weights on the CPU --------===//
#include "passes/codegen/CpuFoldFactors.h"

#include "passes/codegen/KernelBuffers.h"
#include "passes/codegen/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace llamac;

FailureOr<LLVM::LLVMFuncOp> llamac::emitCpuFoldFactors(OpBuilder &builder,
                                                       ModuleOp target,
                                                       StringRef symbol,
                                                       llm::FoldIntoOp op) {
  auto result = cast<RankedTensorType>(op.getType());
  if (!result.getElementType().isF32())
    return op.emitOpError("CPU kernels compute in f32");
  int64_t width =
      cast<RankedTensorType>(op.getParams().getType()).getDimSize(1);
  OpBuilder::InsertionGuard guard(builder);
  KernelBuilder k(builder, op.getLoc());
  LLVM::LLVMFuncOp function = k.function(target, symbol);
  KernelBuffers buffers = KernelBuffers::of(op);
  Value params = k.buffer(function, buffers.operands[0]);
  Value segments = k.buffer(function, buffers.operands[1]);
  Value weights = k.buffer(function, buffers.firstResult);
  Type i64 = builder.getI64Type();
  Value count = k.load(i64, function.getArgument(1), k.i64(0));
  Value first = k.mul(function.getArgument(2), width);
  Value end = k.mul(function.getArgument(3), width);
  k.loop(k.i64(0), count, 1, [&](Value s) {
    // first element, elements, columns, target, pitch, scale, row scales
    Value field[7];
    for (int64_t i = 0; i < 7; ++i)
      field[i] = k.load(i64, segments, k.add(k.mul(s, 7), k.i64(i)));
    Value hasScales = arith::CmpIOp::create(
        builder, k.loc, arith::CmpIPredicate::sge, field[6], k.i64(0));
    Value bits =
        arith::TruncIOp::create(builder, k.loc, builder.getI32Type(), field[5]);
    Value scale = arith::BitcastOp::create(builder, k.loc, k.f32(), bits);
    Value low = k.max(first, field[0]);
    Value high = k.min(end, k.add(field[0], field[1]));
    k.loop(low, high, 1, [&](Value e) {
      Value inside = k.sub(e, field[0]);
      Value row = arith::DivUIOp::create(builder, k.loc, inside, field[2]);
      Value column =
          k.sub(inside, arith::MulIOp::create(builder, k.loc, row, field[2]));
      Value at = k.add(
          k.add(field[3], arith::MulIOp::create(builder, k.loc, row, field[4])),
          column);
      // Without scales of its own a row takes any number and drops it.
      Value other = arith::SelectOp::create(builder, k.loc, hasScales,
                                            k.add(field[6], row), e);
      Value ofRow = arith::SelectOp::create(builder, k.loc, hasScales,
                                            k.load(k.f32(), params, other),
                                            k.real(k.f32(), 1.0));
      Value x = k.mulf(k.load(k.f32(), params, e), ofRow);
      k.store(k.mulf(x, scale), weights, at);
    });
  });
  return function;
}
