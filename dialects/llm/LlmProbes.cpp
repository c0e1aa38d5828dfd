//===- LlmProbes.cpp - Probes: checks, gradients, rows --------------------===//
#include "dialects/llm/RowwiseBuilder.h"

#include <cmath>

using namespace mlir;
using namespace llm;

using Lowered = FailureOr<llvm::SmallVector<Value>>;

static RankedTensorType typeOf(Value v) {
  return cast<RankedTensorType>(v.getType());
}
static int64_t dim(Value v, unsigned i) { return typeOf(v).getDimSize(i); }

/// Mean, squared deviations, largest, zeros.
static constexpr int64_t kStatistics = 4;

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

void ProbeOp::build(OpBuilder &b, OperationState &state, Value x,
                    double threshold) {
  build(b, state,
        RankedTensorType::get({dim(x, 0), kStatistics}, b.getF32Type()), x,
        llvm::APFloat(threshold));
}

LogicalResult ProbeOp::verify() {
  auto type = RankedTensorType::get({dim(getX(), 0), kStatistics},
                                    Float32Type::get(getContext()));
  if (getType() != type)
    return emitOpError("of ") << getX().getType() << " has the result " << type
                              << ", not " << getType();
  double threshold = getThreshold().convertToDouble();
  if (!(threshold >= 0) || std::isinf(threshold))
    return emitOpError("threshold must not be negative");
  return success();
}

LogicalResult JoinProbeOp::verify() {
  auto parts = typeOf(getParts()), result = typeOf(getResult());
  if (parts.getDimSize(1) != kStatistics ||
      result.getDimSize(1) != kStatistics || result.getDimSize(0) < 1 ||
      parts.getDimSize(0) % result.getDimSize(0) != 0)
    return emitOpError("makes [T, 4] of [P * T, 4], not ")
           << result << " of " << parts;
  if (static_cast<int64_t>(getColumns()) < 1)
    return emitOpError("columns must be positive");
  return success();
}

void ProbeWeightOp::build(OpBuilder &b, OperationState &state, Value gradient,
                          Value weight) {
  build(b, state, RankedTensorType::get({3}, b.getF32Type()), gradient, weight);
}

LogicalResult ProbeWeightOp::verify() {
  if (typeOf(getGradient()).getShape() != typeOf(getWeight()).getShape())
    return emitOpError("has a gradient of ")
           << getGradient().getType() << " for a weight of "
           << getWeight().getType();
  if (getType() != RankedTensorType::get({3}, Float32Type::get(getContext())))
    return emitOpError("gives tensor<3xf32>, not ") << getType();
  return success();
}

LogicalResult WatchOp::verify() {
  if (getModule().empty())
    return emitOpError("names no module");
  auto y = typeOf(getY()), x = typeOf(getX()), w = typeOf(getWeight());
  if (w.getDimSize(0) != y.getDimSize(1) ||
      w.getDimSize(1) != x.getDimSize(1) || x.getDimSize(0) != y.getDimSize(0))
    return emitOpError("y is ")
           << y << ", which no weight of " << w << " makes of " << x;
  return success();
}

LogicalResult WatchOp::buildGradients(OpBuilder &, ValueRange dy,
                                      ArrayRef<bool> wanted,
                                      llvm::SmallVectorImpl<Value> &grads) {
  // x and the weight are there to be looked at.
  if (wanted[0])
    grads[0] = dy[0];
  return success();
}

//===----------------------------------------------------------------------===//
// Rows, columns, reductions
//===----------------------------------------------------------------------===//

static AffineMap columnOf(RowwiseBuilder &k, AffineExpr row, int64_t column) {
  return k.map({row, getAffineConstantExpr(column, row.getContext())});
}

/// Yields a row-uniform value to each column of result 0.
static void yieldColumns(RowwiseBuilder &k, Type type, AffineExpr row,
                         ArrayRef<Value> values) {
  for (auto [i, value] : llvm::enumerate(values))
    k.yield(value, type, columnOf(k, row, static_cast<int64_t>(i)), 0);
}

static Value absolute(RowwiseBuilder &k, Value x) {
  return math::AbsFOp::create(k.body(), k.loc(), x);
}

Lowered ProbeOp::lowerToRowwise(OpBuilder &b) {
  int64_t cols = dim(getX(), 1);
  RowwiseBuilder k(b, getLoc(), dim(getX(), 0), cols);
  Value x = k.input(getX(), k.element());
  Value mean = k.div(k.reduce(ReduceKind::Add, x), k.constant(cols));
  Value off = k.sub(x, mean);
  Value squares = k.reduce(ReduceKind::Add, k.mul(off, off));
  Value size = absolute(k, x);
  Value largest = k.reduce(ReduceKind::Max, size);
  Value isSmall =
      arith::CmpFOp::create(k.body(), getLoc(), arith::CmpFPredicate::OLE, size,
                            k.constant(getThreshold().convertToDouble()));
  Value counts = arith::SelectOp::create(k.body(), getLoc(), isSmall,
                                         k.constant(1.0), k.constant(0.0));
  Value small = k.reduce(ReduceKind::Add, counts);
  yieldColumns(k, getType(), k.row, {mean, squares, largest, small});
  return k.finish();
}

Lowered JoinProbeOp::lowerToRowwise(OpBuilder &b) {
  int64_t rows = dim(getResult(), 0), parts = dim(getParts(), 0) / rows;
  RowwiseBuilder k(b, getLoc(), rows, 1);
  auto part = [&](int64_t p, int64_t c) {
    return k.input(getParts(), columnOf(k, k.row + p * rows, c));
  };
  auto sum = [&](auto term) {
    Value total = term(0);
    for (int64_t p = 1; p < parts; ++p)
      total = k.add(total, term(p));
    return total;
  };
  Value mean =
      k.div(sum([&](int64_t p) { return part(p, 0); }), k.constant(parts));
  // Of parts of equal size: sum of M2 and size * sum of (mean_p - mean)^2.
  Value within = sum([&](int64_t p) { return part(p, 1); });
  Value between = sum([&](int64_t p) {
    Value off = k.sub(part(p, 0), mean);
    return k.mul(off, off);
  });
  Value squares = k.add(
      within, k.mul(between, k.constant(static_cast<double>(getColumns()))));
  Value largest = part(0, 2);
  for (int64_t p = 1; p < parts; ++p)
    largest =
        arith::MaximumFOp::create(k.body(), getLoc(), largest, part(p, 2));
  Value small = sum([&](int64_t p) { return part(p, 3); });
  yieldColumns(k, getType(), k.row, {mean, squares, largest, small});
  return k.finish();
}

Lowered ProbeWeightOp::lowerToRowwise(OpBuilder &b) {
  int64_t rows = dim(getWeight(), 0);
  RowwiseBuilder k(b, getLoc(), rows, dim(getWeight(), 1));
  Value g = k.input(getGradient(), k.element());
  Value w = k.input(getWeight(), k.element());
  // Transposed, so that each sum is a row of its own.
  auto perRow = RankedTensorType::get({3, rows}, b.getF32Type());
  Value sums[] = {k.reduce(ReduceKind::Add, k.mul(g, g)),
                  k.reduce(ReduceKind::Add, k.mul(w, w)),
                  k.reduce(ReduceKind::Add, absolute(k, k.mul(w, g)))};
  for (auto [i, sum] : llvm::enumerate(sums))
    k.yield(sum, perRow,
            k.map({getAffineConstantExpr(static_cast<int64_t>(i), getContext()),
                   k.row}),
            0);
  RowwiseBuilder total(b, getLoc(), 3, rows);
  Value term = total.input(k.finish().front(), total.element());
  total.yield(total.reduce(ReduceKind::Add, term), getType(), total.perRow());
  return total.finish();
}
