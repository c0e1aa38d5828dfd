//===- GpuRowwiseMath.cpp - exp and division on an NVIDIA GPU -------------===//
#include "passes/codegen/GpuRowwiseMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace llamac;

static constexpr double kLog2E = 1.44269504088896341;

/// Calls an intrinsic on f32 for every lane.
static Value callPerLane(KernelBuilder &k, StringRef intrinsic, Value x) {
  auto call = [&](Value scalar) -> Value {
    return LLVM::CallIntrinsicOp::create(k.b, k.loc, k.f32(),
                                         k.b.getStringAttr(intrinsic), scalar)
        .getResult(0);
  };
  unsigned lanes = KernelBuilder::lanesOf(x.getType());
  if (lanes == 1)
    return call(x);
  KernelBuilder::Values results;
  for (unsigned lane = 0; lane < lanes; ++lane)
    results.push_back(call(k.extract(x, lane)));
  return vector::FromElementsOp::create(k.b, k.loc,
                                        cast<VectorType>(x.getType()), results);
}

static Value power2(KernelBuilder &k, Value x) {
  return callPerLane(k, "llvm.nvvm.ex2.approx.ftz.f", x);
}

Value llamac::emitGpuExp(KernelBuilder &k, Value x) {
  OpBuilder &b = k.b;
  Location loc = k.loc;
  Type type = x.getType();
  Type ints = k.vec(b.getI32Type(), KernelBuilder::lanesOf(type));
  auto real = [&](double value) { return k.real(type, value); };

  // n = round(x / ln 2) within the exponents of normal numbers; a NaN becomes
  // the lower bound here and stays a NaN in the remainder.
  Value n = k.mulf(x, real(kLog2E));
  n = arith::MaxNumFOp::create(b, loc, n, real(-126.0));
  n = arith::MinNumFOp::create(b, loc, n, real(126.0));
  // Adding 1.5 * 2^23 leaves n in the low bits of the mantissa; 127 more make
  // it the exponent field of 2^n.
  Value magic = real(12582912.0 + 127.0);
  Value shifted = k.addf(n, magic);
  n = k.subf(shifted, magic);
  // x / ln 2 - n, with 1 / ln 2 in two parts.
  constexpr double kHigh = 1.44269502162933349609375; // float(log2(e))
  Value negated = arith::NegFOp::create(b, loc, n);
  Value rest = k.fma(x, real(kHigh), negated);
  rest = k.fma(x, real(kLog2E - kHigh), rest);
  Value bits = arith::BitcastOp::create(b, loc, ints, shifted);
  bits = arith::ShLIOp::create(b, loc, bits, k.integer(ints, 23));
  Value scale = arith::BitcastOp::create(b, loc, type, bits);
  return k.mulf(power2(k, rest), scale);
}

Value llamac::emitGpuFastExp(KernelBuilder &k, Value x) {
  return power2(k, k.mulf(x, k.real(x.getType(), kLog2E)));
}

Value llamac::emitGpuFastReciprocal(KernelBuilder &k, Value x) {
  return callPerLane(k, "llvm.nvvm.rcp.approx.ftz.f", x);
}
