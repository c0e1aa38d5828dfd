//===- LlmRowwiseLowering.cpp - Model ops as rows, columns, reductions ----===//
#include "dialects/llm/RowwiseBuilder.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/Support/xxhash.h"
#include <cmath>
#include <numbers>

using namespace mlir;
using namespace llm;

using Lowered = FailureOr<llvm::SmallVector<Value>>;

static int64_t dim(Value v, unsigned i) {
  return cast<RankedTensorType>(v.getType()).getDimSize(i);
}

//===----------------------------------------------------------------------===//
// Norm, activation, sum
//===----------------------------------------------------------------------===//

/// rsqrt(mean(x^2) + eps) of the row.
static Value inverseRms(RowwiseBuilder &k, Value x, int64_t cols,
                        FloatAttr eps) {
  Value sum = k.reduce(ReduceKind::Add, k.mul(x, x));
  Value mean = k.div(sum, k.constant(cols));
  return math::RsqrtOp::create(k.body(), k.loc(),
                               k.add(mean, k.constant(eps.getValueAsDouble())));
}

Lowered RmsNormOp::lowerToRowwise(OpBuilder &b) {
  int64_t cols = dim(getX(), 1);
  RowwiseBuilder k(b, getLoc(), dim(getX(), 0), cols);
  Value x = k.input(getX(), k.element());
  Value w = k.input(getWeight(), k.perColumn());
  Value r = inverseRms(k, x, cols, getEpsAttr());
  k.yield(k.mul(w, k.mul(x, r)), getType(), k.element());
  return k.finish();
}

Lowered RmsNormGradOp::lowerToRowwise(OpBuilder &b) {
  int64_t cols = dim(getX(), 1);
  RowwiseBuilder k(b, getLoc(), dim(getX(), 0), cols);
  Value x = k.input(getX(), k.element());
  Value w = k.input(getWeight(), k.perColumn());
  Value dy = k.input(getDy(), k.element());
  Value r = inverseRms(k, x, cols, getEpsAttr());
  Value g = k.mul(w, dy);
  Value dot = k.reduce(ReduceKind::Add, k.mul(g, x));
  // x * r^3 * dot / cols, the row-uniform factor first.
  Value factor = k.mul(k.div(dot, k.constant(cols)), k.mul(r, k.mul(r, r)));
  k.yield(k.sub(k.mul(r, g), k.mul(x, factor)), getType(), k.element());
  return k.finish();
}

Lowered SwigluOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), dim(getGate(), 0), dim(getGate(), 1));
  Value gate = k.input(getGate(), k.element());
  Value up = k.input(getUp(), k.element());
  Value silu = k.mul(gate, k.sigmoid(gate));
  k.yield(k.mul(silu, up), getType(), k.element());
  return k.finish();
}

Lowered SwigluGradOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), dim(getGate(), 0), dim(getGate(), 1));
  Value gate = k.input(getGate(), k.element());
  Value up = k.input(getUp(), k.element());
  Value dy = k.input(getDy(), k.element());
  Value s = k.sigmoid(gate);
  Value one = k.constant(1.0);
  Value slope = k.mul(s, k.add(one, k.mul(gate, k.sub(one, s))));
  k.yield(k.mul(k.mul(dy, up), slope), getDgate().getType(), k.element());
  k.yield(k.mul(dy, k.mul(gate, s)), getDup().getType(), k.element());
  return k.finish();
}

Lowered CastOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), dim(getX(), 0), dim(getX(), 1));
  k.yield(k.input(getX(), k.element()), getType(), k.element());
  return k.finish();
}

Lowered AddOp::lowerToRowwise(OpBuilder &b) {
  auto type = cast<RankedTensorType>(getType());
  bool matrix = type.getRank() == 2;
  if (!matrix && type.getRank() != 1)
    return emitOpError("can be lowered for vectors and matrices only");
  RowwiseBuilder k(b, getLoc(), matrix ? type.getDimSize(0) : 1,
                   type.getDimSize(matrix ? 1 : 0));
  AffineMap map = matrix ? k.element() : k.perColumn();
  Value l = k.input(getLhs(), map);
  Value r = k.input(getRhs(), map);
  k.yield(k.add(l, r), type, map);
  return k.finish();
}

//===----------------------------------------------------------------------===//
// Rows by index
//===----------------------------------------------------------------------===//

static Lowered gather(OpBuilder &b, Location loc, Value table, Value index,
                      Type type) {
  RowwiseBuilder k(b, loc, dim(index, 0), dim(table, 1));
  Value i = k.input(index, k.perRow());
  Value x = k.input(table, k.map({k.index, k.col}, 1), i);
  k.yield(x, type, k.element());
  return k.finish();
}

Lowered EmbeddingOp::lowerToRowwise(OpBuilder &b) {
  return gather(b, getLoc(), getTable(), getIds(), getType());
}

Lowered GatherRowsOp::lowerToRowwise(OpBuilder &b) {
  return gather(b, getLoc(), getX(), getIndex(), getType());
}

Lowered ScatterRowsOp::lowerToRowwise(OpBuilder &b) {
  RowwiseBuilder k(b, getLoc(), dim(getInverse(), 0), dim(getDy(), 1));
  Value i = k.input(getInverse(), k.perRow());
  Value dy = k.input(getDy(), k.map({k.index, k.col}, 1), i);
  Value read =
      arith::CmpIOp::create(k.body(), getLoc(), arith::CmpIPredicate::sge, i,
                            k.integer(0, i.getType()));
  Value value = arith::SelectOp::create(k.body(), getLoc(), read, dy,
                                        k.constant(0.0, dy.getType()));
  k.yield(value, getType(), k.element());
  return k.finish();
}

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

/// theta^(-2i/d) in float32 arithmetic as transformers computes it, then the
/// llama3 scaling by wavelength (modeling_rope_utils.py).
static float inverseFrequency(RopeTableOp op, int64_t i, int64_t headDim) {
  float exponent = static_cast<float>(2 * i) / static_cast<float>(headDim);
  float f = 1.0f / std::pow(static_cast<float>(op.getTheta().convertToDouble()),
                            exponent);
  RopeScalingAttr s = op.getScalingAttr();
  if (!s)
    return f;
  double length = s.getOriginalMaxPositions();
  double low = s.getLowFreqFactor().getValueAsDouble();
  double high = s.getHighFreqFactor().getValueAsDouble();
  float factor = s.getFactor().getValueAsDouble();
  double wavelength = 2.0 * std::numbers::pi / f;
  if (wavelength > length / low)
    return f / factor;
  if (wavelength < length / high)
    return f;
  float smooth = (length / wavelength - low) / (high - low);
  return (1 - smooth) * f / factor + smooth * f;
}

Lowered RopeTableOp::lowerToRowwise(OpBuilder &b) {
  int64_t half = dim(getCos(), 1), positions = getMaxPositions();
  std::vector<float> cosines(positions * half), sines(positions * half);
  for (int64_t i = 0; i < half; ++i) {
    float f = inverseFrequency(*this, i, 2 * half);
    for (int64_t p = 0; p < positions; ++p) {
      // The product is rounded to float32 first, as the reference does.
      float angle = static_cast<float>(p) * f;
      cosines[p * half + i] = std::cos(static_cast<double>(angle));
      sines[p * half + i] = std::sin(static_cast<double>(angle));
    }
  }
  auto type = RankedTensorType::get({positions, half}, b.getF32Type());
  RowwiseBuilder k(b, getLoc(), dim(getPositions(), 0), half);
  Value p = k.input(getPositions(), k.perRow());
  for (auto [data, result] :
       {std::pair(&cosines, getCos()), std::pair(&sines, getSin())}) {
    Value table = ConstantOp::create(
        b, getLoc(), DenseElementsAttr::get(type, ArrayRef<float>(*data)));
    Value v = k.input(table, k.map({k.index, k.col}, 1), p);
    k.yield(v, result.getType(), k.element());
  }
  return k.finish();
}

Lowered RopeOp::lowerToRowwise(OpBuilder &b) {
  int64_t tokens = dim(getX(), 0), half = dim(getCos(), 1);
  int64_t heads = dim(getX(), 1) / (2 * half);
  RowwiseBuilder k(b, getLoc(), tokens * heads, half);
  AffineExpr token = k.row.floorDiv(heads);
  AffineExpr first = (k.row % heads) * (2 * half) + k.col;
  AffineMap lowMap = k.map({token, first});
  AffineMap highMap = k.map({token, first + half});
  Value lo = k.input(getX(), lowMap);
  Value hi = k.input(getX(), highMap);
  Value cos = k.input(getCos(), k.map({token, k.col}));
  Value sin = k.input(getSin(), k.map({token, k.col}));
  if (getInverse())
    sin = arith::NegFOp::create(k.body(), getLoc(), sin);
  k.yield(k.sub(k.mul(lo, cos), k.mul(hi, sin)), getType(), lowMap, 0);
  k.yield(k.add(k.mul(hi, cos), k.mul(lo, sin)), getType(), highMap, 0);
  return k.finish();
}

//===----------------------------------------------------------------------===//
// Dropout
//===----------------------------------------------------------------------===//

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
static Value splitMix64(RowwiseBuilder &k, Value z) {
  auto shiftXor = [&](Value v, int64_t bits) -> Value {
    Value shifted =
        arith::ShRUIOp::create(k.body(), k.loc(), v, k.integer(bits));
    return arith::XOrIOp::create(k.body(), k.loc(), v, shifted);
  };
  auto times = [&](Value v, uint64_t factor) -> Value {
    return arith::MulIOp::create(k.body(), k.loc(), v,
                                 k.integer(static_cast<int64_t>(factor)));
  };
  z = times(shiftXor(z, 30), 0xBF58476D1CE4E5B9ull);
  z = times(shiftXor(z, 27), 0x94D049BB133111EBull);
  return shiftXor(z, 31);
}

void DropoutOp::build(OpBuilder &b, OperationState &state, Type type, Value x,
                      Value random, StringAttr key, FloatAttr p) {
  build(b, state, type, x, random, key, p, Value(), b.getI64IntegerAttr(0),
        b.getI64IntegerAttr(1), UnitAttr());
}

Lowered DropoutOp::lowerToRowwise(OpBuilder &b) {
  constexpr uint64_t kGamma = 0x9E3779B97F4A7C15ull;
  int64_t cols = dim(getX(), 1);
  RowwiseBuilder k(b, getLoc(), dim(getX(), 0), cols);
  OpBuilder &body = k.body();
  Value x = k.input(getX(), k.element());
  Value seed = k.input(getRandom(), k.at(0));
  Value batch = k.input(getRandom(), k.at(1));
  auto plus = [&](Value l, Value r) -> Value {
    return arith::AddIOp::create(body, getLoc(), l, r);
  };
  auto timesGamma = [&](Value v) -> Value {
    return arith::MulIOp::create(body, getLoc(), v,
                                 k.integer(static_cast<int64_t>(kGamma)));
  };
  // One stream per (seed, micro-batch, key); the element's index is its
  // counter.
  uint64_t name = llvm::xxh3_64bits(getKey());
  Value stream =
      splitMix64(k, plus(seed, k.integer(static_cast<int64_t>(name + kGamma))));
  stream = splitMix64(k, plus(stream, timesGamma(plus(batch, k.integer(1)))));
  Value row = RowIndexOp::create(body, getLoc(), b.getI64Type());
  Value col = ColumnIndexOp::create(body, getLoc(), b.getI64Type());
  int64_t wholeCols = cols * static_cast<int64_t>(getParts());
  if (getRows()) {
    row = plus(row, k.input(getPlace(), k.at(getAxis())));
  } else if (getPlace()) {
    Value place = arith::ExtSIOp::create(body, getLoc(), b.getI64Type(),
                                         k.input(getPlace(), k.at(getAxis())));
    col = plus(col,
               arith::MulIOp::create(body, getLoc(), place, k.integer(cols)));
  }
  Value element = plus(
      arith::MulIOp::create(body, getLoc(), row, k.integer(wholeCols)), col);
  Value draw =
      splitMix64(k, plus(stream, timesGamma(plus(element, k.integer(1)))));
  // The upper 24 bits against p * 2^24: exact for every p a float can tell.
  Value upper = arith::ShRUIOp::create(body, getLoc(), draw, k.integer(40));
  double p = getP().convertToDouble();
  Value keep = arith::CmpIOp::create(
      body, getLoc(), arith::CmpIPredicate::sge, upper,
      k.integer(static_cast<int64_t>(std::llround(p * 16777216.0))));
  Value kept = k.mul(x, k.constant(1.0 / (1.0 - p)));
  Value value =
      arith::SelectOp::create(body, getLoc(), keep, kept, k.constant(0.0));
  k.yield(value, getType(), k.element());
  return k.finish();
}
