//===- LlmPanels.cpp - Parts and stacks of matrices -----------------------===//
#include "dialects/llm/LlmDialect.h"

using namespace mlir;
using namespace llm;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

LogicalResult PanelOp::verify() {
  RankedTensorType from = typeOf(getX()), to = typeOf(getResult());
  if (from.getElementType() != to.getElementType())
    return emitOpError("x is of ")
           << from.getElementType() << " but the result of "
           << to.getElementType();
  if (!from.hasStaticShape() || !to.hasStaticShape())
    return emitOpError("needs static sizes");
  int64_t at[] = {static_cast<int64_t>(getRow()),
                  static_cast<int64_t>(getColumn())};
  for (unsigned d = 0; d < 2; ++d)
    if (at[d] < 0 || at[d] > from.getDimSize(d) ||
        to.getDimSize(d) > from.getDimSize(d) - at[d])
      return emitOpError() << (d ? "columns " : "rows ") << at[d] << " to "
                           << at[d] + to.getDimSize(d) << " are not in "
                           << from;
  return success();
}

LogicalResult ConcatOp::verify() {
  if (getParts().empty())
    return emitOpError("has no parts");
  RankedTensorType to = typeOf(getResult());
  int64_t columns = 0;
  for (Value part : getParts()) {
    RankedTensorType type = typeOf(part);
    if (!type.hasStaticShape() || type.getDimSize(0) != to.getDimSize(0) ||
        type.getElementType() != to.getElementType())
      return emitOpError("part ") << type << " does not suit " << to;
    columns += type.getDimSize(1);
  }
  if (columns != to.getDimSize(1))
    return emitOpError("parts have ")
           << columns << " columns but the result has " << to.getDimSize(1);
  return success();
}

int64_t FoldedWeightOp::getK() {
  return typeOf(getResult()).getDimSize(1) - static_cast<int64_t>(getPad());
}
int64_t FoldedWeightOp::getN() {
  return typeOf(getResult()).getDimSize(0) - static_cast<int64_t>(getPad());
}
int64_t FoldedWeightOp::rowOf(unsigned j) {
  int64_t row = 0;
  for (int64_t rows : getRows().take_front(j))
    row += rows;
  return row;
}
int64_t FoldedWeightOp::rankOf(unsigned j) {
  int64_t rank = 0;
  for (int64_t ranks : getRanks().take_front(j))
    rank += ranks;
  return rank;
}

LogicalResult FoldedWeightOp::verify() {
  RankedTensorType type = typeOf(getResult());
  size_t count = getWeights().size();
  if (count == 0 || getRows().size() != count || getA().size() != count ||
      getB().size() != count || getRanks().size() != count ||
      getScales().size() != count || (getE() && getE()->size() != count))
    return emitOpError(
        "needs rows, factors, a rank and a scale for each weight");
  auto pad = static_cast<int64_t>(getPad());
  if (!type.hasStaticShape() || pad < 0 || getK() < 1)
    return emitOpError("padding ") << pad << " does not suit " << type;
  for (unsigned j = 0; j < count; ++j) {
    if (getRows()[j] < 1 || getRanks()[j] < 0 || getRanks()[j] > pad)
      return emitOpError("layer ") << j << " has " << getRows()[j]
                                   << " rows and rank " << getRanks()[j];
    bool adapted = getRanks()[j] > 0;
    for (ArrayAttr factors : {getA(), getB()})
      if (cast<StringAttr>(factors[j]).empty() == adapted)
        return emitOpError("layer ")
               << j << " of rank " << getRanks()[j]
               << (adapted ? " lacks a factor's name" : " names a factor");
  }
  if (rowOf(count) != getN() || rankOf(count) > pad)
    return emitOpError("has ")
           << rowOf(count) << " rows of weights and ranks of " << rankOf(count)
           << " in all, which does not suit " << type << " padded by " << pad;
  return success();
}
