//===- RowwiseBuilder.cpp - Writing llm.rowwise ops by hand ---------------===//
#include "dialects/llm/RowwiseBuilder.h"

using namespace mlir;
using namespace llm;

RowwiseBuilder::RowwiseBuilder(OpBuilder &builder, Location loc, int64_t rows,
                               int64_t cols)
    : builder(builder), location(loc), rows(rows), cols(cols),
      bodyBuilder(builder.getContext()), region(std::make_unique<Region>()) {
  block = &region->emplaceBlock();
  bodyBuilder.setInsertionPointToEnd(block);
  bindDims(builder.getContext(), row, col);
  bindSymbols(builder.getContext(), index);
}

AffineMap RowwiseBuilder::map(ArrayRef<AffineExpr> results, unsigned symbols) {
  return AffineMap::get(2, symbols, results, builder.getContext());
}
AffineMap RowwiseBuilder::element() { return map({row, col}); }
AffineMap RowwiseBuilder::perRow() { return map({row}); }
AffineMap RowwiseBuilder::perColumn() { return map({col}); }
AffineMap RowwiseBuilder::at(int64_t i) {
  return map({builder.getAffineConstantExpr(i)});
}

Value RowwiseBuilder::input(Value tensor, AffineMap map, Value indexInput) {
  inputs.push_back(tensor);
  inputMaps.push_back(AffineMapAttr::get(map));
  indexInputs.push_back(
      indexInput
          ? static_cast<int64_t>(cast<BlockArgument>(indexInput).getArgNumber())
          : -1);
  Value scalar = block->addArgument(
      cast<RankedTensorType>(tensor.getType()).getElementType(), location);
  if (scalar.getType().isBF16())
    scalar = arith::ExtFOp::create(bodyBuilder, location,
                                   bodyBuilder.getF32Type(), scalar);
  return scalar;
}

void RowwiseBuilder::yield(Value value, Type type, AffineMap map,
                           unsigned result) {
  if (result == resultTypes.size())
    resultTypes.push_back(type);
  if (cast<RankedTensorType>(type).getElementType().isBF16() &&
      value.getType().isF32())
    value = arith::TruncFOp::create(bodyBuilder, location,
                                    bodyBuilder.getBF16Type(), value);
  yields.push_back(value);
  yieldMaps.push_back(AffineMapAttr::get(map));
  yieldResults.push_back(result);
}

llvm::SmallVector<Value> RowwiseBuilder::finish() {
  YieldOp::create(bodyBuilder, location, yields);
  auto op = RowwiseOp::create(
      builder, location, resultTypes, static_cast<uint64_t>(rows),
      static_cast<uint64_t>(cols), inputs, builder.getArrayAttr(inputMaps),
      indexInputs, yieldResults, builder.getArrayAttr(yieldMaps));
  op.getBody().takeBody(*region);
  return llvm::SmallVector<Value>(op.getResults());
}

Value RowwiseBuilder::constant(double value, Type type) {
  return arith::ConstantOp::create(
      bodyBuilder, location,
      bodyBuilder.getFloatAttr(type ? type : bodyBuilder.getF32Type(), value));
}
Value RowwiseBuilder::integer(int64_t value, Type type) {
  return arith::ConstantOp::create(
      bodyBuilder, location,
      bodyBuilder.getIntegerAttr(type ? type : bodyBuilder.getI64Type(),
                                 value));
}
Value RowwiseBuilder::add(Value a, Value b) {
  return arith::AddFOp::create(bodyBuilder, location, a, b);
}
Value RowwiseBuilder::sub(Value a, Value b) {
  return arith::SubFOp::create(bodyBuilder, location, a, b);
}
Value RowwiseBuilder::mul(Value a, Value b) {
  return arith::MulFOp::create(bodyBuilder, location, a, b);
}
Value RowwiseBuilder::div(Value a, Value b) {
  return arith::DivFOp::create(bodyBuilder, location, a, b);
}
Value RowwiseBuilder::reduce(ReduceKind kind, Value value) {
  return RowReduceOp::create(bodyBuilder, location, value.getType(), kind,
                             value);
}
Value RowwiseBuilder::sigmoid(Value x) {
  Value negated = arith::NegFOp::create(bodyBuilder, location, x);
  Value e = math::ExpOp::create(bodyBuilder, location, negated);
  Value one = constant(1.0, x.getType());
  return div(one, add(one, e));
}
