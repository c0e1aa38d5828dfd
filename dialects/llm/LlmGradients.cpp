//===- LlmGradients.cpp - Reverse-mode rules, op by op --------------------===//
//
// Each rule builds the gradients of the wanted operands from the gradients of
// the results. Formulas stand in the descriptions of the gradient ops.
//
//===----------------------------------------------------------------------===//
#include "dialects/llm/LlmDialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace llm;

using Gradients = llvm::SmallVectorImpl<Value>;

/// Weights that only ever are frozen have no gradient rule: asking for one is
/// the user's request for full fine-tuning, which is a diagnostic.
static LogicalResult noGradient(Operation *op, unsigned operand) {
  return op->emitOpError() << "has no gradient for operand " << operand
                           << ": only adapters and the task head train";
}

LogicalResult EmbeddingOp::buildGradients(OpBuilder &, ValueRange,
                                          ArrayRef<bool>, Gradients &) {
  return noGradient(*this, 1);
}

LogicalResult RmsNormOp::buildGradients(OpBuilder &b, ValueRange dy,
                                        ArrayRef<bool> wanted,
                                        Gradients &grads) {
  if (wanted[1])
    return noGradient(*this, 1);
  grads[0] = RmsNormGradOp::create(b, getLoc(), getX(), getWeight(), dy[0],
                                   getEpsAttr());
  return success();
}

LogicalResult LinearOp::buildGradients(OpBuilder &b, ValueRange dy,
                                       ArrayRef<bool> wanted,
                                       Gradients &grads) {
  if (wanted[0])
    grads[0] = MatmulOp::create(b, getLoc(), getX().getType(), dy[0],
                                getWeight(), /*accumulate=*/Value(),
                                /*transpose_a=*/nullptr,
                                /*transpose_b=*/nullptr, getAlphaAttr());
  if (wanted[1]) {
    // Sums over all tokens stay in the type they are summed in, but for a
    // parameter that is no wider itself.
    auto type = cast<RankedTensorType>(getWeight().getType());
    if (!getWeight().getDefiningOp<ParameterOp>())
      type = RankedTensorType::get(type.getShape(), b.getF32Type());
    grads[1] = MatmulOp::create(b, getLoc(), type, dy[0], getX(),
                                /*accumulate=*/Value(), b.getUnitAttr(),
                                /*transpose_b=*/nullptr, getAlphaAttr());
  }
  return success();
}

LogicalResult RopeOp::buildGradients(OpBuilder &b, ValueRange dy,
                                     ArrayRef<bool> wanted, Gradients &grads) {
  if (wanted[1] || wanted[2])
    return noGradient(*this, wanted[1] ? 1 : 2);
  grads[0] = RopeOp::create(b, getLoc(), getX().getType(), dy[0], getCos(),
                            getSin(), getInverse() ? nullptr : b.getUnitAttr());
  return success();
}

LogicalResult AttentionOp::buildGradients(OpBuilder &b, ValueRange dy,
                                          ArrayRef<bool> wanted,
                                          Gradients &grads) {
  if (dy[1])
    return emitOpError("has no gradient through lse");
  auto grad = AttentionGradOp::create(
      b, getLoc(),
      TypeRange{getQ().getType(), getK().getType(), getV().getType()},
      ValueRange{getQ(), getK(), getV(), getCuSeqlens(), getResult(), getLse(),
                 dy[0]},
      ArrayRef<NamedAttribute>{
          b.getNamedAttr(getHeadsAttrName(), getHeadsAttr()),
          b.getNamedAttr(getKvHeadsAttrName(), getKvHeadsAttr()),
          b.getNamedAttr(getScaleAttrName(), getScaleAttr())});
  for (unsigned i = 0; i < 3; ++i)
    if (wanted[i])
      grads[i] = grad.getResult(i);
  return success();
}

LogicalResult SwigluOp::buildGradients(OpBuilder &b, ValueRange dy,
                                       ArrayRef<bool> wanted,
                                       Gradients &grads) {
  Type type = getGate().getType();
  auto grad =
      SwigluGradOp::create(b, getLoc(), type, type, getGate(), getUp(), dy[0]);
  if (wanted[0])
    grads[0] = grad.getDgate();
  if (wanted[1])
    grads[1] = grad.getDup();
  return success();
}

LogicalResult AddOp::buildGradients(OpBuilder &, ValueRange dy,
                                    ArrayRef<bool> wanted, Gradients &grads) {
  for (unsigned i = 0; i < 2; ++i)
    if (wanted[i])
      grads[i] = dy[0];
  return success();
}

LogicalResult CastOp::buildGradients(OpBuilder &b, ValueRange dy,
                                     ArrayRef<bool>, Gradients &grads) {
  grads[0] = dy[0].getType() == getX().getType()
                 ? dy[0]
                 : CastOp::create(b, getLoc(), getX().getType(), dy[0]);
  return success();
}

LogicalResult GatherRowsOp::buildGradients(OpBuilder &b, ValueRange dy,
                                           ArrayRef<bool>, Gradients &grads) {
  grads[0] =
      ScatterRowsOp::create(b, getLoc(), getX().getType(), dy[0], getInverse());
  return success();
}

LogicalResult DropoutOp::buildGradients(OpBuilder &b, ValueRange dy,
                                        ArrayRef<bool>, Gradients &grads) {
  grads[0] = DropoutOp::create(b, getLoc(), getX().getType(), dy[0],
                               getRandom(), getKeyAttr(), getPAttr());
  return success();
}

LogicalResult CrossEntropyOp::buildGradients(OpBuilder &b, ValueRange dy,
                                             ArrayRef<bool> wanted,
                                             Gradients &grads) {
  if (wanted[2])
    return noGradient(*this, 2);
  grads[0] =
      CrossEntropyGradOp::create(b, getLoc(), getLogits().getType(),
                                 getLogits(), getLabels(), getScale(), dy[0]);
  return success();
}

LogicalResult MseOp::buildGradients(OpBuilder &b, ValueRange dy,
                                    ArrayRef<bool> wanted, Gradients &grads) {
  if (wanted[1] || wanted[2])
    return noGradient(*this, wanted[1] ? 1 : 2);
  grads[0] = MseGradOp::create(b, getLoc(), getPrediction().getType(),
                               getPrediction(), getLabels(), getScale(), dy[0]);
  return success();
}

LogicalResult SumOp::buildGradients(OpBuilder &b, ValueRange dy,
                                    ArrayRef<bool> wanted, Gradients &grads) {
  if (wanted[1])
    return noGradient(*this, 1);
  grads[0] = SumGradOp::create(b, getLoc(), getX().getType(), getX(),
                               getScale(), dy[0]);
  return success();
}
