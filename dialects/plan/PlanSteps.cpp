//===- PlanSteps.cpp - Steps: builders, effects, verifiers ----------------===//
//
// The rules are those of runtime/plan/VerifySteps.cpp, told at compile time
// with a location.
//
//===----------------------------------------------------------------------===//
#include "dialects/plan/PlanDialect.h"
#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;
using namespace plan;

static RankedTensorType placeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static constexpr int64_t kMaxItems = (int64_t(1) << 31) - 1;

//===----------------------------------------------------------------------===//
// Gemm
//===----------------------------------------------------------------------===//

void GemmOp::build(OpBuilder &builder, OperationState &state, Value a, Value b,
                   Value d, bool transposeA, bool transposeB, double alpha,
                   double beta) {
  auto columns = [](Value value) -> int64_t {
    if (auto view = value.getDefiningOp<ViewOp>())
      return view.getPitch();
    return placeOf(value).getShape().back();
  };
  ArrayRef<int64_t> target = placeOf(d).getShape();
  int64_t k = placeOf(a).getDimSize(transposeA ? 0 : 1);
  build(builder, state, a, b, d, transposeA, transposeB, target[0], target[1],
        k, columns(a), columns(b), columns(d), APFloat(alpha), APFloat(beta));
}

SmallVector<Value> GemmOp::getReads() {
  SmallVector<Value> reads{getA(), getB()};
  if (!getBeta().isZero())
    reads.push_back(getD());
  return reads;
}

SmallVector<Value> GemmOp::getWrites() { return {getD()}; }

/// A `rows` x `columns` matrix with leading dimension `leading` lies inside the
/// elements of `value`.
static LogicalResult verifyMatrix(GemmOp op, StringRef what, Value value,
                                  int64_t rows, int64_t columns,
                                  int64_t leading) {
  int64_t count = placeOf(value).getNumElements();
  if (auto view = value.getDefiningOp<ViewOp>()) {
    ArrayRef<int64_t> shape = placeOf(value).getShape();
    if (leading == static_cast<int64_t>(view.getPitch()) && rows <= shape[0] &&
        columns <= shape[1])
      return success();
    return op.emitOpError(what)
           << " takes " << rows << " x " << columns
           << " elements with leading dimension " << leading
           << ", which is not the view " << value.getType() << " of pitch "
           << static_cast<int64_t>(view.getPitch());
  }
  if (leading >= columns && leading <= kMaxItems &&
      (rows - 1) * leading + columns <= count)
    return success();
  return op.emitOpError(what) << " takes " << rows << " x " << columns
                              << " elements with leading dimension " << leading
                              << ", which is not inside " << value.getType();
}

LogicalResult GemmOp::verify() {
  auto m = static_cast<int64_t>(getM()), n = static_cast<int64_t>(getN()),
       k = static_cast<int64_t>(getK());
  for (int64_t extent : {m, n, k})
    if (extent < 1 || extent > kMaxItems)
      return emitOpError("m, n, k = ")
             << m << ", " << n << ", " << k << " are not 1 to 2^31 - 1";
  bool ta = getTransposeA(), tb = getTransposeB();
  if (failed(
          verifyMatrix(*this, "A", getA(), ta ? k : m, ta ? m : k, getLda())) ||
      failed(
          verifyMatrix(*this, "B", getB(), tb ? n : k, tb ? k : n, getLdb())) ||
      failed(verifyMatrix(*this, "D", getD(), m, n, getLdd())))
    return failure();
  Type a = placeOf(getA()).getElementType(),
       b = placeOf(getB()).getElementType(),
       d = placeOf(getD()).getElementType();
  if (!isa<FloatType>(a) || a != b || (d != a && !d.isF32()))
    return emitOpError("cannot multiply ") << a << " x " << b << " into " << d;
  if (getD() == getA() || getD() == getB())
    return emitOpError("D is also an operand");
  if (!getAlpha().isFinite() || !getBeta().isFinite())
    return emitOpError("alpha or beta is not finite");
  return success();
}

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

SmallVector<Value> LaunchOp::getReads() { return getInputs(); }
SmallVector<Value> LaunchOp::getWrites() { return getOutputs(); }

static LogicalResult verifyExtents(LaunchOp op, StringRef what,
                                   ArrayRef<int64_t> extents, int64_t most) {
  if (extents.size() != 3)
    return op.emitOpError(what) << " needs x, y and z";
  int64_t product = 1;
  for (int64_t extent : extents) {
    if (extent < 1 || extent > most / product)
      return op.emitOpError(what) << " is empty or above " << most;
    product *= extent;
  }
  return success();
}

LogicalResult LaunchOp::verify() {
  if (getOutputs().empty())
    return emitOpError("writes nothing");
  // 4 KB of CUDA kernel parameters.
  if (getNumOperands() + getScalars().size() > 500)
    return emitOpError("has more than 500 arguments");
  if (failed(verifyExtents(*this, "grid", getGrid(), kMaxItems)) ||
      failed(verifyExtents(*this, "block", getBlock(), 1024)))
    return failure();
  if (getGrain() < 1 || getGrain() > static_cast<uint64_t>(kMaxItems))
    return emitOpError("grain is not 1 to 2^31 - 1");
  if (getSharedBytes() > (1u << 20))
    return emitOpError("shared memory is not 0 to 2^20 bytes");
  if (auto sums = getSums(); sums && *sums >= getInputs().size())
    return emitOpError("sums input ")
           << static_cast<int64_t>(*sums) << " of " << getInputs().size();
  return success();
}

/// True if a kernel made for `its` can take `mine`: all but the first
/// dimension, which is no part of the kernel, agrees. To a kernel that knows
/// its strides (`llm.rowwise`) a view is a matrix as wide as its pitch.
static bool fitsKernel(Value mine, Type its, bool knowsStrides) {
  RankedTensorType a = placeOf(mine);
  if (auto view = mine.getDefiningOp<ViewOp>(); view && knowsStrides)
    a = RankedTensorType::get(
        {a.getDimSize(0), static_cast<int64_t>(view.getPitch())},
        a.getElementType());
  auto b = dyn_cast<RankedTensorType>(its);
  if (!b || a.getElementType() != b.getElementType() ||
      a.getRank() != b.getRank())
    return false;
  return a.getRank() == 0 ||
         a.getShape().drop_front() == b.getShape().drop_front();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel =
      symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError() << getKernelAttr() << " is not a plan.kernel";
  auto takes = kernel.getSums();
  if (takes.has_value() != getSums().has_value() ||
      (takes && (*takes)[0] != static_cast<int64_t>(*getSums())))
    return emitOpError("and ")
           << getKernelAttr() << " differ in what input is summed";
  Operation *source = kernel.getSource();
  if (!source)
    return success();
  // Library kernels take strides as scalars.
  bool knowsStrides = source->getName().getStringRef() == "llm.rowwise";
  auto verifySide = [&](StringRef what, ValueRange mine,
                        TypeRange its) -> LogicalResult {
    if (mine.size() != its.size())
      return emitOpError(what) << " " << mine.size() << " buffers, "
                               << getKernelAttr() << " " << its.size();
    for (auto [i, pair] : llvm::enumerate(llvm::zip(mine, its)))
      if (!fitsKernel(std::get<0>(pair), std::get<1>(pair), knowsStrides))
        return emitOpError(what)
               << " " << std::get<0>(pair).getType() << " as buffer " << i
               << ", " << getKernelAttr() << " " << std::get<1>(pair);
    return success();
  };
  if (failed(verifySide("reads", getInputs(),
                        kernel.getBody().getArgumentTypes())))
    return failure();
  return verifySide("writes", getOutputs(), source->getResultTypes());
}

//===----------------------------------------------------------------------===//
// Copy, fill, collective
//===----------------------------------------------------------------------===//

static bool liesTogether(Value value) {
  auto view = value.getDefiningOp<ViewOp>();
  return !view ||
         static_cast<int64_t>(view.getPitch()) == placeOf(value).getDimSize(1);
}

/// Fill and collective work on bytes that lie together.
static LogicalResult verifyTogether(Operation *op) {
  if (llvm::all_of(op->getOperands(), liesTogether))
    return success();
  return op->emitOpError("takes no view whose rows lie apart");
}

SmallVector<Value> CopyOp::getReads() { return {getSource()}; }
SmallVector<Value> CopyOp::getWrites() { return {getTarget()}; }

LogicalResult CopyOp::verify() {
  RankedTensorType from = placeOf(getSource()), to = placeOf(getTarget());
  if (from != to && !(liesTogether(getSource()) && liesTogether(getTarget())))
    return emitOpError("copies ")
           << from << " to " << to << ", of which one has rows that lie apart";
  auto source = placeBytes(from);
  auto target = placeBytes(to);
  if (source != target)
    return emitOpError("copies ")
           << source.value_or(0) << " to " << target.value_or(0) << " bytes";
  if (getSource() == getTarget())
    return emitOpError("copies a buffer to itself");
  return success();
}

SmallVector<Value> FillOp::getReads() { return {}; }
SmallVector<Value> FillOp::getWrites() { return {getTarget()}; }

LogicalResult FillOp::verify() {
  if (failed(verifyTogether(*this)))
    return failure();
  auto type = dyn_cast<IntegerType>(placeOf(getTarget()).getElementType());
  if (!type)
    return success();
  double value = getValue().convertToDouble();
  bool fits = std::isfinite(value) && std::trunc(value) == value;
  if (type.getWidth() == 8) // U8 in plan.fbs
    fits = fits && value >= 0 && value <= 255;
  else if (type.getWidth() == 32)
    fits = fits && value >= -2147483648.0 && value <= 2147483647.0;
  else
    fits = fits && std::fabs(value) <= 9007199254740992.0; // exact in a double
  if (!fits)
    return emitOpError() << value << " is no " << type;
  return success();
}

SmallVector<Value> CollectiveOp::getReads() { return {getSource()}; }
SmallVector<Value> CollectiveOp::getWrites() { return {getTarget()}; }

LogicalResult CollectiveOp::verify() {
  if (failed(verifyTogether(*this)))
    return failure();
  if (getAxes().empty())
    return emitOpError("has no grid axis");
  if (getInKernel() &&
      (getKind() != CollectiveKind::AllReduceSum || getSource() != getTarget()))
    return emitOpError("in_kernel is for all_reduce_sum in place");
  FailureOr<int64_t> devices = devicesAlong(*this, getAxes());
  if (failed(devices))
    return failure();
  RankedTensorType from = placeOf(getSource()), to = placeOf(getTarget());
  if (from.getElementType() != to.getElementType())
    return emitOpError("source and target differ in element type");
  int64_t source = from.getNumElements(), target = to.getNumElements();
  if (getKind() == CollectiveKind::AllGather)
    source *= *devices;
  if (getKind() == CollectiveKind::ReduceScatterSum)
    target *= *devices;
  if (source != target)
    return emitOpError() << stringifyCollectiveKind(getKind()) << " of "
                         << from.getNumElements() << " to "
                         << to.getNumElements() << " elements over " << *devices
                         << " devices";
  return success();
}
