//===- LlmShardOps.cpp - Parts of tensors: checks and rows ----------------===//
#include "dialects/llm/RowwiseBuilder.h"

using namespace mlir;
using namespace llm;

using Lowered = FailureOr<llvm::SmallVector<Value>>;

static RankedTensorType typeOf(Value v) {
  return cast<RankedTensorType>(v.getType());
}
static int64_t dim(Value v, unsigned i) { return typeOf(v).getDimSize(i); }

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

LogicalResult LocalIdsOp::verify() {
  if (!typeOf(getPlace()).getElementType().isInteger(32))
    return emitOpError("place is ") << getPlace().getType() << ", must be i32";
  if (static_cast<int64_t>(getAxis()) < 0 ||
      (!typeOf(getPlace()).isDynamicDim(0) &&
       static_cast<int64_t>(getAxis()) >= dim(getPlace(), 0)))
    return emitOpError("axis ") << static_cast<int64_t>(getAxis())
                                << " is outside of " << getPlace().getType();
  if (static_cast<int64_t>(getSize()) < 1)
    return emitOpError("size is ")
           << static_cast<int64_t>(getSize()) << ", must be positive";
  return success();
}

void FirstRowOp::build(OpBuilder &b, OperationState &state, Value place,
                       int64_t axis, int64_t rows) {
  build(b, state, RankedTensorType::get({1}, b.getI64Type()), place, axis,
        rows);
}

LogicalResult FirstRowOp::verify() {
  auto axis = static_cast<int64_t>(getAxis());
  auto place = typeOf(getPlace());
  if (!place.getElementType().isInteger(32) || axis < 0 ||
      axis >= place.getDimSize(0))
    return emitOpError("axis ") << axis << " is not in " << place;
  if (getType() !=
          RankedTensorType::get({1}, IntegerType::get(getContext(), 64)) ||
      static_cast<int64_t>(getRows()) < 1)
    return emitOpError("gives one i64, of parts of at least one row, not ")
           << getType() << " of " << static_cast<int64_t>(getRows());
  return success();
}

LogicalResult LocalRowsOp::verify() {
  auto x = typeOf(getX()), result = typeOf(getResult());
  if (x.getElementType() != result.getElementType() ||
      x.getRank() != result.getRank() || result.getDimSize(0) < 1 ||
      x.getDimSize(0) % result.getDimSize(0) != 0 ||
      x.getShape().drop_front() != result.getShape().drop_front())
    return emitOpError("takes an equal part of the rows of ")
           << x << ", not " << result;
  if (typeOf(getFirst()) !=
      RankedTensorType::get({1}, IntegerType::get(getContext(), 64)))
    return emitOpError("first is ")
           << getFirst().getType() << ", must be tensor<1xi64>";
  return success();
}

void SoftmaxStatsOp::build(OpBuilder &b, OperationState &state, Value logits,
                           Value labels) {
  build(b, state, RankedTensorType::get({dim(logits, 0), 3}, b.getF32Type()),
        logits, labels);
}

LogicalResult SoftmaxStatsOp::verify() {
  auto type = RankedTensorType::get({dim(getLogits(), 0), 3},
                                    Float32Type::get(getContext()));
  if (getType() != type || dim(getLocalLabels(), 0) != type.getDimSize(0))
    return emitOpError("of ")
           << getLogits().getType() << " has one label a row and the result "
           << type << ", not " << getType();
  return success();
}

LogicalResult JoinSoftmaxStatsOp::verify() {
  auto parts = typeOf(getParts()), result = typeOf(getResult());
  if (parts.getDimSize(1) != 3 || result.getDimSize(1) != 2 ||
      result.getDimSize(0) < 1 ||
      parts.getDimSize(0) % result.getDimSize(0) != 0)
    return emitOpError("makes [T, 2] of [P * T, 3], not ")
           << result << " of " << parts;
  return success();
}

LogicalResult JoinColumnsOp::verify() {
  auto x = typeOf(getX()), result = typeOf(getResult());
  if (x.getElementType() != result.getElementType() ||
      result.getDimSize(0) < 1 || x.getDimSize(1) < 1 ||
      x.getDimSize(0) % result.getDimSize(0) != 0 ||
      x.getNumElements() != result.getNumElements())
    return emitOpError("makes [R, P * W] of [P * R, W], not ")
           << result << " of " << x;
  return success();
}

//===----------------------------------------------------------------------===//
// Rows, columns, reductions
//===----------------------------------------------------------------------===//

static Value orZero(RowwiseBuilder &k, Value condition, Value value) {
  return arith::SelectOp::create(k.body(), k.loc(), condition, value,
                                 k.constant(0.0));
}
static Value notNegative(RowwiseBuilder &k, Value id) {
  return arith::CmpIOp::create(k.body(), k.loc(), arith::CmpIPredicate::sge, id,
                               k.integer(0, id.getType()));
}
static Value widen(RowwiseBuilder &k, Value id) {
  if (id.getType().isInteger(64))
    return id;
  return arith::ExtSIOp::create(k.body(), k.loc(), k.body().getI64Type(), id);
}

Lowered LocalIdsOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), dim(getIds(), 0), 1);
  OpBuilder &body = k.body();
  Value id = k.input(getIds(), k.perRow());
  Value place = k.input(getPlace(), k.at(getAxis()));
  int64_t size = getSize();
  Value first =
      arith::MulIOp::create(body, getLoc(), widen(k, place), k.integer(size));
  Value local = arith::SubIOp::create(body, getLoc(), widen(k, id), first);
  Value below = arith::CmpIOp::create(body, getLoc(), arith::CmpIPredicate::slt,
                                      local, k.integer(size));
  // Negative ids are nobody's, also where the part begins at 0.
  Value inside =
      arith::AndIOp::create(body, getLoc(), below, notNegative(k, local));
  inside = arith::AndIOp::create(body, getLoc(), inside, notNegative(k, id));
  Value result =
      arith::SelectOp::create(body, getLoc(), inside, local, k.integer(-1));
  Type element = typeOf(getResult()).getElementType();
  if (!element.isInteger(64))
    result = arith::TruncIOp::create(body, getLoc(), element, result);
  k.yield(result, getType(), k.perRow());
  return k.finish();
}

Lowered FirstRowOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), 1, 1);
  Value place = k.input(getPlace(), k.at(getAxis()));
  k.yield(arith::MulIOp::create(k.body(), getLoc(), widen(k, place),
                                k.integer(getRows())),
          getType(), k.at(0));
  return k.finish();
}

Lowered LocalRowsOp::lowerToRowwise(OpBuilder &b) {
  auto type = typeOf(getResult());
  bool isMatrix = type.getRank() == 2;
  RowwiseBuilder k(b, getLoc(), type.getDimSize(0),
                   isMatrix ? type.getDimSize(1) : 1);
  Value first = k.input(getFirst(), k.at(0));
  SmallVector<AffineExpr> from = {k.index + k.row};
  if (isMatrix)
    from.push_back(k.col);
  Value x = k.input(getX(), k.map(from, 1), first);
  k.yield(x, type, isMatrix ? k.element() : k.perRow());
  return k.finish();
}

Lowered SoftmaxStatsOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), dim(getLogits(), 0), dim(getLogits(), 1));
  Value z = k.input(getLogits(), k.element());
  Value label = k.input(getLocalLabels(), k.perRow());
  Value picked = k.input(getLogits(), k.map({k.row, k.index}, 1), label);
  Value max = k.reduce(ReduceKind::Max, z);
  Value e = math::ExpOp::create(k.body(), getLoc(), k.sub(z, max));
  Value total = k.reduce(ReduceKind::Add, e);
  Value hit = orZero(k, notNegative(k, label), picked);
  auto column = [&](int64_t c) {
    return k.map({k.row, getAffineConstantExpr(c, getContext())});
  };
  k.yield(max, getType(), column(0), 0);
  k.yield(total, getType(), column(1), 0);
  k.yield(hit, getType(), column(2), 0);
  return k.finish();
}

Lowered JoinSoftmaxStatsOp::lowerToRowwise(OpBuilder &b) {
  int64_t rows = dim(getResult(), 0), parts = dim(getParts(), 0) / rows;
  RowwiseBuilder k(b, getLoc(), rows, 1);
  auto part = [&](int64_t p, int64_t c) {
    return k.input(getParts(), k.map({k.row + p * rows,
                                      getAffineConstantExpr(c, getContext())}));
  };
  SmallVector<Value> maxima, totals;
  Value max, picked, total;
  for (int64_t p = 0; p < parts; ++p) {
    maxima.push_back(part(p, 0));
    totals.push_back(part(p, 1));
    Value hit = part(p, 2);
    max = p == 0 ? maxima[0]
                 : arith::MaximumFOp::create(k.body(), getLoc(), max, maxima[p])
                       .getResult();
    picked = p == 0 ? hit : k.add(picked, hit);
  }
  for (int64_t p = 0; p < parts; ++p) {
    Value factor =
        math::ExpOp::create(k.body(), getLoc(), k.sub(maxima[p], max));
    Value term = k.mul(totals[p], factor);
    total = p == 0 ? term : k.add(total, term);
  }
  Value lse =
      k.add(max, math::LogOp::create(k.body(), getLoc(), total).getResult());
  auto column = [&](int64_t c) {
    return k.map({k.row, getAffineConstantExpr(c, getContext())});
  };
  k.yield(lse, getType(), column(0), 0);
  k.yield(picked, getType(), column(1), 0);
  return k.finish();
}

Lowered CrossEntropyPartsOp::lowerToRowwise(OpBuilder &b) {
  int64_t rows = dim(getStats(), 0);
  RowwiseBuilder k(b, getLoc(), rows, 1);
  auto stat = [&](int64_t c) {
    return k.input(getStats(),
                   k.map({k.row, getAffineConstantExpr(c, getContext())}));
  };
  Value lse = stat(0), picked = stat(1);
  Value label = k.input(getLabels(), k.perRow());
  Value scale = k.input(getScale(), k.at(0));
  Value loss =
      orZero(k, notNegative(k, label), k.mul(k.sub(lse, picked), scale));
  auto type = RankedTensorType::get({rows}, b.getF32Type());
  k.yield(loss, type, k.perRow());
  Value terms = k.finish().front();
  RowwiseBuilder total(b, getLoc(), 1, rows);
  Value term = total.input(terms, total.perColumn());
  total.yield(total.reduce(ReduceKind::Add, term), getType(), total.at(0));
  return total.finish();
}

Lowered CrossEntropyPartsGradOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), dim(getLogits(), 0), dim(getLogits(), 1));
  Value z = k.input(getLogits(), k.element());
  Value lse = k.input(getStats(),
                      k.map({k.row, getAffineConstantExpr(0, getContext())}));
  Value label = k.input(getLabels(), k.perRow());
  Value local = k.input(getLocalLabels(), k.perRow());
  Value scale = k.input(getScale(), k.at(0));
  Value dloss = k.input(getDloss(), k.at(0));
  Value p = math::ExpOp::create(k.body(), getLoc(), k.sub(z, lse));
  Value column = ColumnIndexOp::create(k.body(), getLoc(), b.getI64Type());
  Value hit = arith::CmpIOp::create(
      k.body(), getLoc(), arith::CmpIPredicate::eq, column, widen(k, local));
  Value g =
      k.mul(k.mul(dloss, scale), k.sub(p, orZero(k, hit, k.constant(1.0))));
  k.yield(orZero(k, notNegative(k, label), g), getType(), k.element());
  return k.finish();
}

Lowered JoinColumnsOp::lowerToRowwise(OpBuilder &b) {
  int64_t rows = dim(getResult(), 0), width = dim(getX(), 1);
  RowwiseBuilder k(b, getLoc(), dim(getX(), 0), width);
  Value x = k.input(getX(), k.element());
  k.yield(x, getType(),
          k.map({k.row % rows, k.row.floorDiv(rows) * width + k.col}));
  return k.finish();
}
