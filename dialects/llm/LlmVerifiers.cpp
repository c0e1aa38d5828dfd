//===- LlmVerifiers.cpp - What makes an llm op well formed ----------------===//
//
// Only the token dimension (rows of an activation) may be dynamic, and only in
// model files; a dynamic size matches any other. Everything else is static from
// the start, so a model file with a wrong size fails here and names the sizes,
// not in a pass. llm.rowwise and llm.layers have files of their own.
//
//===----------------------------------------------------------------------===//
#include "dialects/llm/LlmDialect.h"

#include <cmath>

using namespace mlir;
using namespace llm;

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}
static int64_t rows(Value value) { return typeOf(value).getDimSize(0); }
static int64_t columns(Value value) { return typeOf(value).getDimSize(1); }
static Type element(Value value) { return typeOf(value).getElementType(); }

// A thousand times the largest matrix of any Llama. Passes may multiply sizes
// by bytes and layers without overflow.
static constexpr int64_t kMaxElements = int64_t(1) << 41;

/// Sizes agree as far as they are known.
static bool matches(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

using NamedValue = std::pair<StringRef, Value>;

/// The second dimension of each matrix (the only one of each vector) is known.
static LogicalResult staticColumns(Operation *op,
                                   std::initializer_list<NamedValue> values) {
  for (auto [name, value] : values)
    if (typeOf(value).isDynamicDim(typeOf(value).getRank() - 1))
      return op->emitOpError() << name << " is " << value.getType()
                               << ": only the token dimension may be dynamic";
  return success();
}

/// All have as many rows as the first.
static LogicalResult sameRows(Operation *op,
                              std::initializer_list<NamedValue> values) {
  const NamedValue &first = *values.begin();
  for (const NamedValue &other : values)
    if (!matches(rows(first.second), rows(other.second)))
      return op->emitOpError()
             << first.first << " has " << rows(first.second) << " rows but "
             << other.first << " has " << rows(other.second);
  return success();
}

static LogicalResult sameElements(Operation *op,
                                  std::initializer_list<NamedValue> values) {
  const NamedValue &first = *values.begin();
  for (const NamedValue &other : values)
    if (element(first.second) != element(other.second))
      return op->emitOpError()
             << first.first << " is of " << element(first.second) << " but "
             << other.first << " of " << element(other.second);
  return success();
}

/// A GEMM accumulates in float32 and may store what it accumulated.
static LogicalResult productElement(Operation *op, Value operand,
                                    Value result) {
  if (element(result) == element(operand) || element(result).isF32())
    return success();
  return op->emitOpError() << "multiplies " << element(operand)
                           << " but its result is of " << element(result);
}

static LogicalResult oneElement(Operation *op, StringRef name, Value value) {
  if (typeOf(value).getDimSize(0) == 1)
    return success();
  return op->emitOpError() << name << " is " << value.getType()
                           << ", must have one element";
}

static LogicalResult positive(Operation *op, StringRef name, double value) {
  if (value > 0 && std::isfinite(value))
    return success();
  return op->emitOpError() << name << " must be positive";
}

/// A tensor that lives in a file: named, of known size, of real numbers.
static LogicalResult persistent(Operation *op, StringRef name, Value value) {
  if (name.empty())
    return op->emitOpError("has an empty name");
  if (name.contains("{layer}") && !op->getParentOfType<LayersOp>())
    return op->emitOpError() << '"' << name
                             << "\": {layer} stands for nothing outside "
                                "llm.layers";
  RankedTensorType type = typeOf(value);
  Type elements = type.getElementType();
  if (!type.hasStaticShape() || llvm::is_contained(type.getShape(), 0))
    return op->emitOpError() << '"' << name << "\" is " << type
                             << ", must have static sizes of at least 1";
  int64_t limit = kMaxElements;
  for (int64_t size : type.getShape())
    limit /= size;
  if (limit == 0)
    return op->emitOpError() << '"' << name << "\" is " << type
                             << ", more than " << kMaxElements << " elements";
  if (!elements.isF32() && !elements.isBF16())
    return op->emitOpError() << '"' << name << "\" is of " << elements
                             << ", must be of f32 or bf16";
  return success();
}

//===----------------------------------------------------------------------===//
// Persistent tensors
//===----------------------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  return persistent(*this, getName(), getResult());
}

LogicalResult ParameterOp::verify() {
  if (!std::isfinite(getInit().getA().getValueAsDouble()))
    return emitOpError() << '"' << getName()
                         << "\" starts from a value that is not finite";
  return persistent(*this, getName(), getResult());
}

LogicalResult ConstantOp::verify() {
  if (getValue().getType() == getResult().getType())
    return success();
  return emitOpError("value is ")
         << getValue().getType() << " but the result is "
         << getResult().getType();
}

//===----------------------------------------------------------------------===//
// The decoder
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::verify() {
  if (failed(staticColumns(*this,
                           {{"table", getTable()}, {"result", getResult()}})) ||
      failed(sameRows(*this, {{"ids", getIds()}, {"result", getResult()}})))
    return failure();
  if (columns(getTable()) != columns(getResult()))
    return emitOpError("table has ")
           << columns(getTable()) << " columns but the result has "
           << columns(getResult());
  return success();
}

LogicalResult RopeTableOp::verify() {
  if (failed(staticColumns(*this, {{"cos", getCos()}})) ||
      failed(positive(*this, "theta", getTheta().convertToDouble())) ||
      failed(
          sameRows(*this, {{"positions", getPositions()}, {"cos", getCos()}})))
    return failure();
  // int32 positions must be able to hold the last one.
  if (int64_t max = getMaxPositions(); max < 1 || max > INT32_MAX)
    return emitOpError("max_positions is ")
           << max << ", must be 1 to " << INT32_MAX;
  if (!element(getCos()).isF32())
    return emitOpError("tables are of ")
           << element(getCos()) << ", must be of f32";
  if (RopeScalingAttr scaling = getScalingAttr()) {
    double factor = scaling.getFactor().getValueAsDouble();
    double low = scaling.getLowFreqFactor().getValueAsDouble();
    double high = scaling.getHighFreqFactor().getValueAsDouble();
    if (failed(positive(*this, "scaling factor", factor)) ||
        failed(positive(*this, "scaling low_freq_factor", low)) ||
        failed(positive(*this, "scaling high_freq_factor", high)))
      return failure();
    if (low >= high)
      return emitOpError("scaling low_freq_factor ")
             << low << " must be less than high_freq_factor " << high;
    if (scaling.getOriginalMaxPositions() < 1)
      return emitOpError("scaling original_max_positions is ")
             << scaling.getOriginalMaxPositions() << ", must be positive";
  }
  return success();
}

static LogicalResult verifyNorm(Operation *op, Value x, Value weight,
                                double eps) {
  if (failed(staticColumns(op, {{"x", x}, {"weight", weight}})) ||
      failed(positive(op, "eps", eps)))
    return failure();
  if (columns(x) != rows(weight))
    return op->emitOpError("x has ") << columns(x) << " columns but weight has "
                                     << rows(weight) << " elements";
  return success();
}

LogicalResult RmsNormOp::verify() {
  return verifyNorm(*this, getX(), getWeight(), getEps().convertToDouble());
}

LogicalResult RmsNormGradOp::verify() {
  return verifyNorm(*this, getX(), getWeight(), getEps().convertToDouble());
}

LogicalResult LinearOp::verify() {
  if (failed(staticColumns(
          *this,
          {{"x", getX()}, {"weight", getWeight()}, {"result", getResult()}})) ||
      failed(sameRows(*this, {{"x", getX()}, {"result", getResult()}})) ||
      failed(sameElements(*this, {{"x", getX()}, {"weight", getWeight()}})) ||
      failed(productElement(*this, getX(), getResult())))
    return failure();
  if (!typeOf(getWeight()).hasStaticShape())
    return emitOpError("weight is ")
           << getWeight().getType() << ": its sizes must be static";
  if (columns(getX()) != columns(getWeight()))
    return emitOpError("x has ")
           << columns(getX()) << " columns but weight takes "
           << columns(getWeight());
  if (rows(getWeight()) != columns(getResult()))
    return emitOpError("weight gives ")
           << rows(getWeight()) << " columns but the result has "
           << columns(getResult());
  return success();
}

LogicalResult RopeOp::verify() {
  if (failed(staticColumns(*this, {{"x", getX()}, {"cos", getCos()}})) ||
      failed(sameRows(*this, {{"x", getX()}, {"cos", getCos()}})))
    return failure();
  // In halves, because a hostile size times two may overflow.
  int64_t half = columns(getCos());
  if (half == 0 || columns(getX()) % 2 != 0 || columns(getX()) / 2 % half != 0)
    return emitOpError("x has ")
           << columns(getX()) << " columns, not a multiple of twice the "
           << half << " angles of a head";
  return success();
}

/// q `[T, heads*d]`, k and v `[T, kv_heads*d]`, lse f32 `[T, heads]`.
static LogicalResult verifyHeads(Operation *op, Value q, Value k, Value v,
                                 Value lse, int64_t heads, int64_t kvHeads,
                                 double scale) {
  if (failed(staticColumns(op, {{"q", q}, {"k", k}, {"v", v}, {"lse", lse}})) ||
      failed(sameRows(op, {{"q", q}, {"k", k}, {"v", v}, {"lse", lse}})) ||
      failed(sameElements(op, {{"q", q}, {"k", k}, {"v", v}})) ||
      failed(positive(op, "scale", scale)))
    return failure();
  if (heads < 1 || kvHeads < 1 || heads % kvHeads != 0)
    return op->emitOpError()
           << heads << " heads do not share " << kvHeads << " kv_heads evenly";
  if (columns(q) == 0 || columns(q) % heads != 0)
    return op->emitOpError("q has ")
           << columns(q) << " columns, not a multiple of " << heads << " heads";
  int64_t wanted = columns(q) / heads * kvHeads;
  for (auto [name, value] : {NamedValue{"k", k}, NamedValue{"v", v}})
    if (columns(value) != wanted)
      return op->emitOpError()
             << name << " has " << columns(value) << " columns but " << kvHeads
             << " kv_heads of " << columns(q) / heads << " have " << wanted;
  if (columns(lse) != heads || !element(lse).isF32())
    return op->emitOpError("lse is ")
           << lse.getType() << ", must have " << heads << " columns of f32";
  return success();
}

LogicalResult AttentionOp::verify() {
  if (getQ().getType() != getResult().getType())
    return emitOpError("q is ") << getQ().getType() << " but the result is "
                                << getResult().getType();
  return verifyHeads(*this, getQ(), getK(), getV(), getLse(), getHeads(),
                     getKvHeads(), getScale().convertToDouble());
}

LogicalResult AttentionGradOp::verify() {
  return verifyHeads(*this, getQ(), getK(), getV(), getLse(), getHeads(),
                     getKvHeads(), getScale().convertToDouble());
}

LogicalResult CastOp::verify() {
  if (failed(staticColumns(*this, {{"x", getX()}, {"result", getResult()}})) ||
      failed(sameRows(*this, {{"x", getX()}, {"result", getResult()}})))
    return failure();
  if (columns(getX()) == columns(getResult()))
    return success();
  return emitOpError("x has ")
         << columns(getX()) << " columns but the result has "
         << columns(getResult());
}

LogicalResult GatherRowsOp::verify() {
  if (failed(sameElements(*this, {{"x", getX()}, {"result", getResult()}})) ||
      failed(
          sameRows(*this, {{"index", getIndex()}, {"result", getResult()}})) ||
      failed(sameRows(*this, {{"x", getX()}, {"inverse", getInverse()}})))
    return failure();
  if (!matches(columns(getX()), columns(getResult())))
    return emitOpError("x has ")
           << columns(getX()) << " columns but the result has "
           << columns(getResult());
  return success();
}

LogicalResult ScatterRowsOp::verify() {
  if (failed(sameElements(*this, {{"dy", getDy()}, {"result", getResult()}})) ||
      failed(sameRows(*this,
                      {{"inverse", getInverse()}, {"result", getResult()}})))
    return failure();
  if (!matches(columns(getDy()), columns(getResult())))
    return emitOpError("dy has ")
           << columns(getDy()) << " columns but the result has "
           << columns(getResult());
  return success();
}

LogicalResult DropoutOp::verify() {
  if (typeOf(getRandom()) !=
      RankedTensorType::get(2, IntegerType::get(getContext(), 64)))
    return emitOpError("random is ")
           << getRandom().getType()
           << ", must be tensor<2xi64>: seed, micro-batch";
  if (double p = getP().convertToDouble(); !(p >= 0 && p < 1))
    return emitOpError("p is ") << p << ", must be at least 0 and less than 1";
  int64_t axis = getAxis(), parts = getParts();
  if (!getPlace())
    return parts == 1 && axis == 0 && !getRows()
               ? success()
               : emitOpError("has an axis and parts but no place");
  if (!element(getPlace()).isInteger(getRows() ? 64 : 32) || axis < 0 ||
      axis >= rows(getPlace()) || parts < 1 || (getRows() && parts != 1))
    return emitOpError("is no part: axis ")
           << axis << " of " << getPlace().getType() << ", " << parts
           << " parts";
  return success();
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

/// One label a row; scale, loss and its gradient are one number each.
static LogicalResult verifyLoss(Operation *op, NamedValue prediction,
                                Value labels,
                                std::initializer_list<NamedValue> scalars) {
  for (auto [name, value] : scalars)
    if (failed(oneElement(op, name, value)))
      return failure();
  return sameRows(op, {prediction, {"labels", labels}});
}

/// Regression predicts one number a row.
static LogicalResult verifySingleColumn(Operation *op, Value prediction) {
  if (columns(prediction) == 1)
    return success();
  return op->emitOpError("prediction has ")
         << columns(prediction) << " columns, must have 1";
}

LogicalResult CrossEntropyOp::verify() {
  if (failed(staticColumns(*this, {{"logits", getLogits()}})))
    return failure();
  return verifyLoss(*this, {"logits", getLogits()}, getLabels(),
                    {{"scale", getScale()}, {"loss", getLoss()}});
}

LogicalResult CrossEntropyGradOp::verify() {
  if (failed(staticColumns(*this, {{"logits", getLogits()}})))
    return failure();
  return verifyLoss(*this, {"logits", getLogits()}, getLabels(),
                    {{"scale", getScale()}, {"dloss", getDloss()}});
}

LogicalResult MseOp::verify() {
  if (failed(verifySingleColumn(*this, getPrediction())))
    return failure();
  return verifyLoss(*this, {"prediction", getPrediction()}, getLabels(),
                    {{"scale", getScale()}, {"loss", getLoss()}});
}

LogicalResult MseGradOp::verify() {
  if (failed(verifySingleColumn(*this, getPrediction())))
    return failure();
  return verifyLoss(*this, {"prediction", getPrediction()}, getLabels(),
                    {{"scale", getScale()}, {"dloss", getDloss()}});
}

LogicalResult SumOp::verify() {
  if (failed(oneElement(*this, "scale", getScale())))
    return failure();
  return oneElement(*this, "loss", getLoss());
}

LogicalResult SumGradOp::verify() {
  if (failed(oneElement(*this, "scale", getScale())))
    return failure();
  return oneElement(*this, "dloss", getDloss());
}

//===----------------------------------------------------------------------===//
// Matrix product and optimizer
//===----------------------------------------------------------------------===//

int64_t MatmulOp::getM() {
  return typeOf(getA()).getDimSize(getTransposeA() ? 1 : 0);
}
int64_t MatmulOp::getN() {
  return typeOf(getB()).getDimSize(getTransposeB() ? 0 : 1);
}
int64_t MatmulOp::getK() {
  return typeOf(getA()).getDimSize(getTransposeA() ? 0 : 1);
}

LogicalResult MatmulOp::verify() {
  if (failed(sameElements(*this, {{"a", getA()}, {"b", getB()}})) ||
      failed(productElement(*this, getA(), getResult())))
    return failure();
  int64_t innerB = typeOf(getB()).getDimSize(getTransposeB() ? 1 : 0);
  if (!matches(getK(), innerB))
    return emitOpError("inner sizes differ: a has ")
           << getK() << " and b has " << innerB;
  if (!matches(getM(), rows(getResult())) ||
      !matches(getN(), columns(getResult())))
    return emitOpError("product is ")
           << getM() << "x" << getN() << " but the result is "
           << rows(getResult()) << "x" << columns(getResult());
  if (getAccumulate() && getAccumulate().getType() != getResult().getType())
    return emitOpError("accumulates into ")
           << getAccumulate().getType() << " but the result is "
           << getResult().getType();
  return success();
}

LogicalResult OptimizerStepOp::verify() {
  // learning_rate, warmup_steps, total_steps, beta1, beta2, eps, weight_decay,
  // max_grad_norm: docs/plan.md.
  if (typeOf(getHyper()).getDimSize(0) != 8)
    return emitOpError("hyper is ")
           << getHyper().getType() << ", must have 8 elements";
  if (failed(oneElement(*this, "grad_norm", getGradNorm())))
    return failure();
  return oneElement(*this, "learning_rate", getLearningRate());
}
