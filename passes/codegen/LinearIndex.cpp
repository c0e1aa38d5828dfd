//===- LinearIndex.cpp - An affine map as an element offset ---------------===//
#include "passes/codegen/LinearIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
using namespace llamac;

/// Whether the expression is built without negative constants, hence not
/// negative itself: rows and clamped indices are not.
static bool isNonNegative(AffineExpr expr) {
  bool result = true;
  expr.walk([&](AffineExpr e) {
    if (auto constant = dyn_cast<AffineConstantExpr>(e))
      result &= constant.getValue() >= 0;
  });
  return result;
}

static LogicalResult addTerms(LinearIndex &sum, AffineExpr expr,
                              int64_t factor) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    sum.constant += factor * constant.getValue();
    return success();
  }
  if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && dim.getPosition() == 1) {
    sum.column += factor;
    return success();
  }
  if (auto binary = dyn_cast<AffineBinaryOpExpr>(expr)) {
    if (expr.getKind() == AffineExprKind::Add)
      return success(succeeded(addTerms(sum, binary.getLHS(), factor)) &&
                     succeeded(addTerms(sum, binary.getRHS(), factor)));
    if (expr.getKind() == AffineExprKind::Mul) {
      auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
      if (!constant)
        return failure();
      return addTerms(sum, binary.getLHS(), factor * constant.getValue());
    }
    auto divisor = dyn_cast<AffineConstantExpr>(binary.getRHS());
    if (expr.getKind() == AffineExprKind::CeilDiv || !divisor ||
        divisor.getValue() <= 0 || expr.isFunctionOfDim(1) ||
        !isNonNegative(binary.getLHS()))
      return failure();
  }
  for (auto &[atom, multiple] : sum.terms)
    if (atom == expr) {
      multiple += factor;
      return success();
    }
  sum.terms.push_back({expr, factor});
  return success();
}

/// (e floordiv n) * (n * m) + (e mod n) * m = e * m: heads of a contiguous row.
static bool joinDivision(LinearIndex &sum) {
  for (auto &[quotient, quotientFactor] : sum.terms) {
    auto div = dyn_cast<AffineBinaryOpExpr>(quotient);
    if (!div || quotient.getKind() != AffineExprKind::FloorDiv)
      continue;
    int64_t n = cast<AffineConstantExpr>(div.getRHS()).getValue();
    AffineExpr remainder = div.getLHS() % n;
    for (auto &[other, factor] : sum.terms)
      if (other == remainder && quotientFactor == n * factor) {
        int64_t multiple = factor;
        AffineExpr whole = div.getLHS();
        AffineExpr q = quotient, r = other;
        llvm::erase_if(sum.terms, [&](auto &term) {
          return term.first == q || term.first == r;
        });
        // The terms of `whole` passed the check when it was divided.
        (void)addTerms(sum, whole, multiple);
        return true;
      }
  }
  return false;
}

FailureOr<LinearIndex> LinearIndex::get(AffineMap map,
                                        ArrayRef<int64_t> shape) {
  LinearIndex sum;
  int64_t stride = 1;
  for (int64_t d = map.getNumResults() - 1; d >= 0; --d) {
    AffineExpr expr = map.getResult(d);
    if (failed(addTerms(sum, expr, stride)))
      return failure();
    if (d > 0 && isa<AffineSymbolExpr>(expr))
      sum.indexBound = shape[d] - 1;
    stride *= shape[d];
  }
  while (joinDivision(sum)) {
  }
  return sum;
}

int64_t LinearIndex::rowAlignment() const {
  int64_t bits = constant | 64;
  for (const auto &[atom, multiple] : terms)
    bits |= multiple;
  return bits & -bits;
}

/// Quotients and remainders of the row itself, in its own width: a division of
/// 64 bits costs several of 32.
static Value emitNarrow(KernelBuilder &k, AffineExpr expr, Value row) {
  if (isa<AffineDimExpr>(expr))
    return row;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary || (expr.getKind() != AffineExprKind::FloorDiv &&
                  expr.getKind() != AffineExprKind::Mod))
    return {};
  Value l = emitNarrow(k, binary.getLHS(), row);
  int64_t divisor = cast<AffineConstantExpr>(binary.getRHS()).getValue();
  if (!l || divisor > std::numeric_limits<int32_t>::max())
    return {};
  Value d = k.integer(row.getType(), divisor);
  if (expr.getKind() == AffineExprKind::FloorDiv)
    return arith::DivUIOp::create(k.b, k.loc, l, d);
  return arith::RemUIOp::create(k.b, k.loc, l, d);
}

static Value emitExpr(KernelBuilder &k, AffineExpr expr, Value row,
                      Value index) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return k.i64(constant.getValue());
  if (isa<AffineSymbolExpr>(expr))
    return index;
  if (Value narrow = emitNarrow(k, expr, row))
    return row.getType().isInteger(64)
               ? narrow
               : arith::ExtUIOp::create(k.b, k.loc, k.b.getI64Type(), narrow);
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value l = emitExpr(k, binary.getLHS(), row, index);
  switch (expr.getKind()) {
  case AffineExprKind::FloorDiv:
    return k.div(l, cast<AffineConstantExpr>(binary.getRHS()).getValue());
  case AffineExprKind::Mod:
    return k.rem(l, cast<AffineConstantExpr>(binary.getRHS()).getValue());
  default: {
    Value r = emitExpr(k, binary.getRHS(), row, index);
    return expr.getKind() == AffineExprKind::Add ? k.add(l, r) : k.mul(l, r);
  }
  }
}

Value LinearIndex::emitRowPart(KernelBuilder &k, Value row, Value index) const {
  Value sum = k.i64(constant);
  for (const auto &[atom, multiple] : terms)
    sum = k.add(sum, k.mul(emitExpr(k, atom, row, index), multiple));
  return sum;
}
