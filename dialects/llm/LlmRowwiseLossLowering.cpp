//===- LlmRowwiseLossLowering.cpp - Losses as rows and reductions ---------===//
#include "dialects/llm/RowwiseBuilder.h"

using namespace mlir;
using namespace llm;

using Lowered = FailureOr<llvm::SmallVector<Value>>;

static int64_t dim(Value v, unsigned i) {
  return cast<RankedTensorType>(v.getType()).getDimSize(i);
}

/// Sum of a vector, as one row.
static llvm::SmallVector<Value> sum(OpBuilder &b, Location loc, Value vector,
                                    Type type) {
  RowwiseBuilder k(b, loc, 1, dim(vector, 0));
  Value v = k.input(vector, k.perColumn());
  k.yield(k.reduce(ReduceKind::Add, v), type, k.at(0));
  return k.finish();
}

static Value isLabelled(RowwiseBuilder &k, Value label) {
  return arith::CmpIOp::create(k.body(), k.loc(), arith::CmpIPredicate::sge,
                               label, k.integer(0, label.getType()));
}

static Value orZero(RowwiseBuilder &k, Value condition, Value value) {
  return arith::SelectOp::create(k.body(), k.loc(), condition, value,
                                 k.constant(0.0));
}

/// exp(z - max) and its sum over the row.
static std::pair<Value, Value> softmaxParts(RowwiseBuilder &k, Value z,
                                            Value &max) {
  max = k.reduce(ReduceKind::Max, z);
  Value e = math::ExpOp::create(k.body(), k.loc(), k.sub(z, max));
  return {e, k.reduce(ReduceKind::Add, e)};
}

Lowered CrossEntropyOp::lowerToRowwise(OpBuilder &b) {
  int64_t rows = dim(getLogits(), 0);
  RowwiseBuilder k(b, getLoc(), rows, dim(getLogits(), 1));
  Value z = k.input(getLogits(), k.element());
  Value label = k.input(getLabels(), k.perRow());
  Value scale = k.input(getScale(), k.at(0));
  Value picked = k.input(getLogits(), k.map({k.row, k.index}, 1), label);
  Value max;
  auto [e, total] = softmaxParts(k, z, max);
  Value lse =
      k.add(max, math::LogOp::create(k.body(), k.loc(), total).getResult());
  Value loss = k.mul(k.sub(lse, picked), scale);
  auto type = RankedTensorType::get({rows}, b.getF32Type());
  k.yield(orZero(k, isLabelled(k, label), loss), type, k.perRow());
  return sum(b, getLoc(), k.finish().front(), getType());
}

Lowered CrossEntropyGradOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), dim(getLogits(), 0), dim(getLogits(), 1));
  Value z = k.input(getLogits(), k.element());
  Value label = k.input(getLabels(), k.perRow());
  Value scale = k.input(getScale(), k.at(0));
  Value dloss = k.input(getDloss(), k.at(0));
  Value max;
  auto [e, total] = softmaxParts(k, z, max);
  Value p = k.mul(e, k.div(k.constant(1.0), total));
  Value column = ColumnIndexOp::create(k.body(), getLoc(), b.getI64Type());
  Value wide = label;
  if (!wide.getType().isInteger(64))
    wide = arith::ExtSIOp::create(k.body(), getLoc(), b.getI64Type(), wide);
  Value hit = arith::CmpIOp::create(k.body(), getLoc(),
                                    arith::CmpIPredicate::eq, column, wide);
  Value g =
      k.mul(k.mul(dloss, scale), k.sub(p, orZero(k, hit, k.constant(1.0))));
  k.yield(orZero(k, isLabelled(k, label), g), getType(), k.element());
  return k.finish();
}

/// A label that is a number.
static Value isNumber(RowwiseBuilder &k, Value label) {
  return arith::CmpFOp::create(k.body(), k.loc(), arith::CmpFPredicate::ORD,
                               label, label);
}

Lowered MseOp::lowerToRowwise(OpBuilder &b) {
  int64_t rows = dim(getPrediction(), 0);
  RowwiseBuilder k(b, getLoc(), rows, 1);
  Value y = k.input(getPrediction(), k.element());
  Value label = k.input(getLabels(), k.perRow());
  Value scale = k.input(getScale(), k.at(0));
  Value d = k.sub(y, label);
  auto type = RankedTensorType::get({rows}, b.getF32Type());
  k.yield(orZero(k, isNumber(k, label), k.mul(k.mul(d, d), scale)), type,
          k.perRow());
  return sum(b, getLoc(), k.finish().front(), getType());
}

Lowered MseGradOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), dim(getPrediction(), 0), 1);
  Value y = k.input(getPrediction(), k.element());
  Value label = k.input(getLabels(), k.perRow());
  Value scale = k.input(getScale(), k.at(0));
  Value dloss = k.input(getDloss(), k.at(0));
  Value d = k.mul(k.sub(y, label), k.constant(2.0));
  k.yield(orZero(k, isNumber(k, label), k.mul(k.mul(dloss, scale), d)),
          getType(), k.element());
  return k.finish();
}

Lowered SumOp::lowerToRowwise(OpBuilder &b) {
  int64_t rows = dim(getX(), 0);
  RowwiseBuilder k(b, getLoc(), rows, dim(getX(), 1));
  Value x = k.input(getX(), k.element());
  Value scale = k.input(getScale(), k.at(0));
  k.yield(k.mul(k.reduce(ReduceKind::Add, x), scale),
          RankedTensorType::get({rows}, b.getF32Type()), k.perRow());
  return sum(b, getLoc(), k.finish().front(), getType());
}

Lowered SumGradOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), dim(getX(), 0), dim(getX(), 1));
  Value scale = k.input(getScale(), k.at(0));
  Value dloss = k.input(getDloss(), k.at(0));
  k.yield(k.mul(dloss, scale), getType(), k.element());
  return k.finish();
}
