//===- LlmTriplets.cpp - AdaLoRA's ops ------------------------------------===//
#include "dialects/llm/LlmDialect.h"
#include "dialects/llm/RowwiseBuilder.h"
#include "dialects/llm/TripletTable.h"

using namespace mlir;
using namespace llm;

static RankedTensorType typeOf(Value v) {
  return cast<RankedTensorType>(v.getType());
}

//===----------------------------------------------------------------------===//
// llm.scale_rows
//===----------------------------------------------------------------------===//

LogicalResult ScaleRowsOp::verify() {
  RankedTensorType x = typeOf(getX()), scale = typeOf(getScale());
  if (scale.getDimSize(0) != x.getDimSize(0) || scale.getDimSize(1) != 1 ||
      scale.getElementType() != x.getElementType())
    return emitOpError("scales the rows of ")
           << x << " by " << scale << ": one number for each is needed";
  return success();
}

LogicalResult ScaleRowsOp::buildGradients(OpBuilder &, ValueRange dy,
                                          ArrayRef<bool>,
                                          SmallVectorImpl<Value> &grads) {
  // llm.triplet_gradients does the rest.
  grads[0] = dy[0];
  return success();
}

FailureOr<SmallVector<Value>> ScaleRowsOp::lowerToRowwise(OpBuilder &b) {
  RankedTensorType type = typeOf(getX());
  RowwiseBuilder k(b, getLoc(), type.getDimSize(0), type.getDimSize(1));
  Value x = k.input(getX(), k.element());
  Value scale = k.input(
      getScale(), k.map({k.row, getAffineConstantExpr(0, b.getContext())}));
  k.yield(k.mul(x, scale), type, k.element());
  return k.finish();
}

//===----------------------------------------------------------------------===//
// Ops of level train
//===----------------------------------------------------------------------===//

static LogicalResult verifyWeight(Operation *op, ArrayAttr modules,
                                  const APFloat &weight) {
  if (modules.empty())
    return op->emitOpError("needs a module");
  if (!weight.isFinite() || weight.isNegative())
    return op->emitOpError("weight must be a number that is not negative");
  return success();
}

LogicalResult OrthogonalityOp::verify() {
  return verifyWeight(*this, getModules(), getWeight());
}

LogicalResult TripletGradientsOp::verify() {
  return verifyWeight(*this, getModules(), getWeight());
}

LogicalResult AllocateRanksOp::verify() {
  if (getModules().empty())
    return emitOpError("needs a module");
  if (typeOf(getKept()).getDimSize(0) !=
      static_cast<int64_t>(getModules().size()))
    return emitOpError("has a row of what is kept for each module, not ")
           << typeOf(getKept());
  if (typeOf(getAllocation()).getDimSize(0) != 2)
    return emitOpError("allocation is {mode, k}, not ")
           << typeOf(getAllocation());
  for (const APFloat &beta : {getBeta1(), getBeta2()})
    if (!(beta.convertToDouble() > 0 && beta.convertToDouble() < 1))
      return emitOpError("beta must be in (0, 1)");
  return success();
}

//===----------------------------------------------------------------------===//
// Ops of level fused
//===----------------------------------------------------------------------===//

/// r of rows of r*r + r elements; 0 if there is none.
static int64_t rankOfGrams(Value grams) {
  int64_t width = typeOf(grams).getDimSize(1), r = 0;
  while (r * r + r < width)
    ++r;
  return r * r + r == width ? r : 0;
}

int64_t TripletGramsOp::getRank() { return rankOfGrams(getResult()); }
int64_t TripletFinishOp::getRank() { return rankOfGrams(getGrams()); }
int64_t TripletScoresOp::getRank() { return typeOf(getResult()).getDimSize(1); }

/// `matrices` rows for each module of the table.
static LogicalResult verifyRows(Operation *op, Value table, Value rows,
                                int64_t matrices) {
  if (typeOf(table).getDimSize(1) != kTripletFields)
    return op->emitOpError("the table has ")
           << int64_t(kTripletFields) << " columns, not " << typeOf(table);
  if (typeOf(rows).getDimSize(0) != matrices * typeOf(table).getDimSize(0))
    return op->emitOpError("needs ")
           << matrices << " rows for each of the table's, not " << typeOf(rows);
  return success();
}

LogicalResult TripletGramsOp::verify() {
  if (getGradients() && getGradients().getType() != getParams().getType())
    return emitOpError("gradients lie as the parameters do");
  if (!getRank())
    return emitOpError("rows have r*r + r elements, not those of ")
           << getResult().getType();
  return verifyRows(*this, getTable(), getResult(), 2);
}

LogicalResult TripletFinishOp::verify() {
  if (getGradients().getType() != getParams().getType() ||
      getGradients().getType() != getResult().getType())
    return emitOpError("gradients lie as the parameters do");
  if (!getRank())
    return emitOpError("rows have r*r + r elements, not those of ")
           << getGrams().getType();
  if (typeOf(getNorms()).getDimSize(0) != typeOf(getGrams()).getDimSize(0))
    return emitOpError("needs a norm for each matrix");
  return verifyRows(*this, getTable(), getGrams(), 2);
}

LogicalResult TripletScoresOp::verify() {
  if (getSensitivity().getType() != getUncertainty().getType())
    return emitOpError("both averages lie as the parameters do");
  return verifyRows(*this, getTable(), getResult(), 3);
}

LogicalResult TripletMaskOp::verify() {
  if (getParams().getType() != getNewParams().getType() ||
      getKept().getType() != getNewKept().getType() ||
      getKept().getType() != getScores().getType())
    return emitOpError("results take the place of params and kept, and scores "
                       "are one for each kept");
  return verifyRows(*this, getTable(), getKept(), 1);
}
