//===- CpuMath.cpp - exp, log and rsqrt without a math library ------------===//
#include "passes/codegen/CpuMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace llamac;

// ln 2 in two parts: multiples of the first by |n| < 2^9 are exact.
static constexpr double kLn2High = 0.693359375;
static constexpr double kLn2Low = -2.12194440e-4;

static Value polynomial(KernelBuilder &k, Value x,
                        std::initializer_list<double> coefficients) {
  Value result;
  for (double c : coefficients) {
    Value constant = k.real(x.getType(), c);
    result = result ? k.fma(result, x, constant) : constant;
  }
  return result;
}

Value llamac::emitExp(KernelBuilder &k, Value x) {
  OpBuilder &b = k.b;
  Location loc = k.loc;
  Type type = x.getType();
  Type ints = k.vec(b.getI32Type(), KernelBuilder::lanesOf(type));
  auto real = [&](double value) { return k.real(type, value); };
  auto integer = [&](int64_t value) { return k.integer(ints, value); };

  // Compared this way round a NaN stays.
  auto clamp = [&](Value bound, arith::CmpFPredicate beyond) {
    Value outside = arith::CmpFOp::create(b, loc, beyond, bound, x);
    x = arith::SelectOp::create(b, loc, outside, bound, x);
  };
  clamp(real(89.0), arith::CmpFPredicate::OLT);
  clamp(real(-104.0), arith::CmpFPredicate::OGT);

  // n = round(x / ln 2): adding 1.5 * 2^23 leaves n in the low mantissa bits.
  // No conversion to integer, because that of a NaN is undefined.
  Value magic = real(12582912.0);
  Value shifted = k.fma(x, real(1.44269504088896341), magic);
  Value n = k.subf(shifted, magic);
  Value r = k.fma(n, real(-kLn2High), x);
  r = k.fma(n, real(-kLn2Low), r);
  Value p = polynomial(k, r,
                       {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
                        4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
  p = k.fma(p, k.mulf(r, r), k.addf(r, real(1.0)));

  // p * 2^n in two factors: n runs from -150 to 128.
  Value bits = arith::BitcastOp::create(b, loc, ints, shifted);
  Value whole = arith::SubIOp::create(b, loc, bits, integer(0x4B400000));
  Value half = arith::ShRSIOp::create(b, loc, whole, integer(1));
  Value rest = arith::SubIOp::create(b, loc, whole, half);
  auto power = [&](Value exponent) -> Value {
    Value biased = arith::AddIOp::create(b, loc, exponent, integer(127));
    Value field = arith::ShLIOp::create(b, loc, biased, integer(23));
    return arith::BitcastOp::create(b, loc, type, field);
  };
  return k.mulf(k.mulf(p, power(half)), power(rest));
}

Value llamac::emitLog(KernelBuilder &k, Value x) {
  OpBuilder &b = k.b;
  Location loc = k.loc;
  Type type = x.getType();
  Type ints = k.vec(b.getI32Type(), KernelBuilder::lanesOf(type));
  auto real = [&](double value) { return k.real(type, value); };
  auto integer = [&](int64_t value) { return k.integer(ints, value); };
  auto select = [&](arith::CmpFPredicate predicate, double bound, Value yes,
                    Value no) -> Value {
    Value c = arith::CmpFOp::create(b, loc, predicate, x, real(bound));
    return arith::SelectOp::create(b, loc, c, yes, no);
  };

  // x = m * 2^e with m in [sqrt(1/2), sqrt(2)).
  constexpr double kLeastNormal = std::numeric_limits<float>::min();
  Value scaled = select(arith::CmpFPredicate::OLT, kLeastNormal,
                        k.mulf(x, real(8388608.0)), x);
  Value correction =
      select(arith::CmpFPredicate::OLT, kLeastNormal, real(-23.0), real(0.0));
  Value bits = arith::BitcastOp::create(b, loc, ints, scaled);
  Value root = integer(0x3F3504F3);
  Value above = arith::SubIOp::create(b, loc, bits, root);
  Value exponent = arith::ShRSIOp::create(b, loc, above, integer(23));
  Value e = arith::SIToFPOp::create(b, loc, type, exponent);
  e = k.addf(e, correction);
  Value fraction = arith::AndIOp::create(b, loc, above, integer(0x007FFFFF));
  fraction = arith::AddIOp::create(b, loc, fraction, root);
  Value m = arith::BitcastOp::create(b, loc, type, fraction);

  Value f = k.subf(m, real(1.0));
  Value square = k.mulf(f, f);
  Value p = polynomial(k, f,
                       {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1,
                        -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
                        2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
  Value y = k.mulf(k.mulf(p, square), f);
  y = k.fma(e, real(kLn2Low), y);
  y = k.fma(square, real(-0.5), y);
  Value result = k.fma(e, real(kLn2High), k.addf(f, y));

  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  result =
      select(arith::CmpFPredicate::OEQ, kInfinity, real(kInfinity), result);
  result = select(arith::CmpFPredicate::OEQ, 0.0, real(-kInfinity), result);
  return select(arith::CmpFPredicate::ULT, 0.0,
                real(std::numeric_limits<double>::quiet_NaN()), result);
}

Value llamac::emitRsqrt(KernelBuilder &k, Value x) {
  Value root = math::SqrtOp::create(k.b, k.loc, x);
  return k.divf(k.real(x.getType(), 1.0), root);
}
