//===- LlmSharding.cpp - How llm ops may be split over a grid -------------===//
//
// Each op is a nest of loops, and each dimension of its operands and results
// belongs to one of them. Splitting a loop over axes of the grid splits every
// dimension that belongs to it, so an annotation on one value says how the
// others must lie. docs/sharding.md has the loops of all ops in one table.
//
//===----------------------------------------------------------------------===//
#include "dialects/llm/LlmSharding.h"
#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/Shard/Interfaces/ShardingInterface.h"

using namespace mlir;
using namespace llm;
using mlir::shard::GridAxis;
using mlir::shard::Sharding;
using mlir::shard::ShardingOption;
using mlir::utils::IteratorType;

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

namespace {

enum class LoopKind {
  Parallel, ///< Each device computes its part of the result.
  Sum,      ///< Each device computes one term of a sum over devices.
  Whole,    ///< Every device needs all of it.
};

struct Loop {
  LoopKind kind;
  /// Columns split only between heads; 0: between any two elements.
  int64_t heads = 0;
};

/// The loops of an op, and for each operand, then each result, the loop that
/// each of its dimensions belongs to.
struct LoopNest {
  SmallVector<Loop, 4> loops;
  SmallVector<SmallVector<unsigned, 2>> values;
};

constexpr Loop kParallel{LoopKind::Parallel};
constexpr Loop kSum{LoopKind::Sum};
constexpr Loop kWhole{LoopKind::Whole};
constexpr Loop parallelHeads(int64_t heads) {
  return {LoopKind::Parallel, heads};
}

} // namespace

/// Every element for itself: all values have the same shape, and one parallel
/// loop for each dimension of it.
static LoopNest elementwise(Operation *op) {
  Value any = op->getNumResults() ? op->getResult(0) : op->getOperand(0);
  int64_t rank = cast<RankedTensorType>(any.getType()).getRank();
  LoopNest nest;
  nest.loops.assign(rank, kParallel);
  nest.values.assign(op->getNumOperands() + op->getNumResults(),
                     llvm::to_vector<2>(llvm::seq<unsigned>(0, rank)));
  return nest;
}

static LoopNest loopsOf(WeightOp op) { return elementwise(op); }
static LoopNest loopsOf(ParameterOp op) { return elementwise(op); }
static LoopNest loopsOf(ConstantOp op) { return elementwise(op); }
static LoopNest loopsOf(GradientStoreOp op) { return elementwise(op); }
static LoopNest loopsOf(PendingGradientOp op) { return elementwise(op); }
static LoopNest loopsOf(SwigluOp op) { return elementwise(op); }
static LoopNest loopsOf(SwigluGradOp op) { return elementwise(op); }
static LoopNest loopsOf(AddOp op) { return elementwise(op); }
static LoopNest loopsOf(CastOp op) { return elementwise(op); }

static LoopNest loopsOf(ScaleRowsOp) {
  enum { Row, Column, One };
  return {{kParallel, kParallel, kWhole},
          {{Row, Column}, {Row, One}, {Row, Column}}};
}

// A device with some rows of the table gives 0 for the ids of other rows.
static LoopNest loopsOf(EmbeddingOp) {
  enum { Token, Vocab, Column };
  return {{kParallel, kSum, kParallel},
          {{Token}, {Vocab, Column}, {Token, Column}}};
}

// As for the embedding: rows that another device has count 0.
static LoopNest loopsOf(GatherRowsOp) {
  enum { Out, In, Column };
  return {{kParallel, kSum, kParallel},
          {{In, Column}, {Out}, {In}, {Out, Column}}};
}

static LoopNest loopsOf(ScatterRowsOp) {
  enum { Out, In, Column };
  return {{kParallel, kSum, kParallel}, {{In, Column}, {Out}, {Out, Column}}};
}

// The mask is a function of the global element index.
static LoopNest loopsOf(DropoutOp op) {
  enum { Token, Column, Random, Axis };
  LoopNest nest{{kParallel, kParallel, kWhole}, {{Token, Column}, {Random}}};
  if (op.getPlace()) {
    nest.loops.push_back(kWhole);
    nest.values.push_back({Axis});
  }
  nest.values.push_back({Token, Column});
  return nest;
}

// Ops that a partition has put in. Ids and labels belong to tokens; the
// vocabulary is a device's own part of it.
static LoopNest loopsOf(LocalIdsOp) {
  enum { Token, Axis };
  return {{kParallel, kWhole}, {{Token}, {Axis}, {Token}}};
}

static LoopNest loopsOf(FirstRowOp) {
  enum { Axis, One };
  return {{kWhole, kWhole}, {{Axis}, {One}}};
}

static LoopNest loopsOf(LocalRowsOp op) {
  enum { Token, One, Column };
  if (cast<RankedTensorType>(op.getType()).getRank() == 1)
    return {{kParallel, kWhole}, {{Token}, {One}, {Token}}};
  return {{kParallel, kWhole, kParallel},
          {{Token, Column}, {One}, {Token, Column}}};
}

static LoopNest loopsOf(SoftmaxStatsOp) {
  enum { Token, Column, Stat };
  return {{kParallel, kWhole, kWhole},
          {{Token, Column}, {Token}, {Token, Stat}}};
}

static LoopNest loopsOf(JoinSoftmaxStatsOp) {
  enum { Token, Part, Stat };
  return {{kParallel, kWhole, kWhole}, {{Token, Part}, {Token, Stat}}};
}

static LoopNest loopsOf(CrossEntropyPartsOp) {
  enum { Token, Stat, One };
  return {{kSum, kWhole, kWhole}, {{Token, Stat}, {Token}, {One}, {One}}};
}

static LoopNest loopsOf(CrossEntropyPartsGradOp) {
  enum { Token, Column, Stat, One };
  return {{kParallel, kWhole, kWhole, kWhole},
          {{Token, Column},
           {Token, Stat},
           {Token},
           {Token},
           {One},
           {One},
           {Token, Column}}};
}

// Every head turns by all angles.
static LoopNest loopsOf(RopeTableOp) {
  enum { Token, Angle };
  return {{kParallel, kWhole}, {{Token}, {Token, Angle}, {Token, Angle}}};
}

static LoopNest loopsOf(RopeOp op) {
  enum { Token, Head, Angle };
  int64_t columns = cast<RankedTensorType>(op.getX().getType()).getDimSize(1);
  int64_t half = cast<RankedTensorType>(op.getCos().getType()).getDimSize(1);
  // The verifier has checked that the columns are a multiple of 2 * half.
  return {{kParallel, parallelHeads(columns / 2 / half), kWhole},
          {{Token, Head}, {Token, Angle}, {Token, Angle}, {Token, Head}}};
}

// The mean of squares runs over the columns.
static LoopNest loopsOf(RmsNormOp) {
  enum { Token, Column };
  return {{kParallel, kWhole}, {{Token, Column}, {Column}, {Token, Column}}};
}

static LoopNest loopsOf(RmsNormGradOp) {
  enum { Token, Column };
  return {{kParallel, kWhole},
          {{Token, Column}, {Column}, {Token, Column}, {Token, Column}}};
}

static LoopNest loopsOf(LinearOp) {
  enum { Token, Out, In };
  return {{kParallel, kParallel, kSum}, {{Token, In}, {Out, In}, {Token, Out}}};
}

static LoopNest loopsOf(MatmulOp op) {
  enum { M, N, K };
  // `accumulate` would be counted once by every term of a split sum.
  LoopNest nest{{kParallel, kParallel, op.getAccumulate() ? kWhole : kSum}, {}};
  nest.values.push_back({M, K});
  nest.values.push_back({K, N});
  if (op.getTransposeA())
    nest.values[0] = {K, M};
  if (op.getTransposeB())
    nest.values[1] = {N, K};
  if (op.getAccumulate())
    nest.values.push_back({M, N});
  nest.values.push_back({M, N});
  return nest;
}

// Query heads split with the key and value heads that they share, so the
// number of the latter decides. A token sees all earlier ones of its sequence.
static LoopNest loopsOf(AttentionOp op) {
  enum { Token, Head, Bound };
  LoopNest nest{{kWhole, parallelHeads(op.getKvHeads()), kWhole}, {}};
  nest.values.assign(6, {Token, Head});
  nest.values[3] = {Bound}; // cu_seqlens
  return nest;
}

static LoopNest loopsOf(AttentionGradOp op) {
  enum { Token, Head, Bound };
  LoopNest nest{{kWhole, parallelHeads(op.getKvHeads()), kWhole}, {}};
  nest.values.assign(10, {Token, Head});
  nest.values[3] = {Bound}; // cu_seqlens
  return nest;
}

// The loss is a sum over rows; a row's softmax needs all its columns.
static LoopNest rowLoss() {
  enum { Row, Column, One };
  return {{kSum, kWhole, kWhole}, {{Row, Column}, {Row}, {One}, {One}}};
}

static LoopNest rowLossGrad() {
  enum { Row, Column, One };
  return {{kParallel, kWhole, kWhole},
          {{Row, Column}, {Row}, {One}, {One}, {Row, Column}}};
}

static LoopNest loopsOf(CrossEntropyOp) { return rowLoss(); }
static LoopNest loopsOf(CrossEntropyGradOp) { return rowLossGrad(); }
static LoopNest loopsOf(MseOp) { return rowLoss(); }
static LoopNest loopsOf(MseGradOp) { return rowLossGrad(); }

static LoopNest loopsOf(SumOp) {
  enum { Row, Column, One };
  return {{kSum, kSum, kWhole}, {{Row, Column}, {One}, {One}}};
}
static LoopNest loopsOf(SumGradOp) {
  enum { Row, Column, One };
  return {{kParallel, kParallel, kWhole},
          {{Row, Column}, {One}, {One}, {Row, Column}}};
}

// Each device has the statistics of its part of a row: shard-partition joins
// them where columns are split.
static LoopNest loopsOf(ProbeOp) {
  enum { Token, Column, Statistic };
  return {{kParallel, kWhole, kWhole}, {{Token, Column}, {Token, Statistic}}};
}

static LoopNest loopsOf(JoinProbeOp) {
  enum { Token, Part, Statistic };
  return {{kParallel, kWhole, kWhole}, {{Token, Part}, {Token, Statistic}}};
}

static LoopNest loopsOf(ProbeWeightOp) {
  enum { Out, In, Statistic };
  return {{kSum, kSum, kWhole}, {{Out, In}, {Out, In}, {Statistic}}};
}

// The parameters are names here: how they lie says llm.parameter.
static LoopNest loopsOf(OptimizerStepOp) {
  enum { Hyper, One };
  return {{kWhole, kWhole}, {{Hyper}, {One}, {One}}};
}

//===----------------------------------------------------------------------===//
// Choosing how to split the loops
//===----------------------------------------------------------------------===//

/// Number of devices along the axes; 0 if it is not known, or absurd.
static int64_t countDevices(ArrayRef<GridAxis> axes, shard::GridOp grid) {
  int64_t devices = 1;
  for (GridAxis axis : axes) {
    if (axis < 0 || static_cast<size_t>(axis) >= grid.getShape().size())
      return 0;
    int64_t size = grid.getShape()[axis];
    if (size < 1 || devices > INT32_MAX / size)
      return 0;
    devices *= size;
  }
  return devices;
}

/// The loop falls into equal parts over so many devices, in every value. Sizes
/// that are not yet known (tokens, in model files) are taken to.
static bool dividesEvenly(Operation *op, const LoopNest &nest, unsigned loop,
                          int64_t devices) {
  if (devices < 1 || nest.loops[loop].heads % devices != 0)
    return false;
  unsigned number = 0;
  auto divides = [&](Value value) {
    ArrayRef<unsigned> loopOf = nest.values[number++];
    auto type = cast<RankedTensorType>(value.getType());
    for (auto [size, index] : llvm::zip_equal(type.getShape(), loopOf))
      if (index == loop && !ShapedType::isDynamic(size) && size % devices != 0)
        return false;
    return true;
  };
  return llvm::all_of(op->getOperands(), divides) &&
         llvm::all_of(op->getResults(), divides);
}

/// Takes every annotation's axes for the loops they belong to, results before
/// operands and the first to claim a loop or an axis before the others. What
/// cannot be had is left out, so the value is resharded where it enters or
/// leaves the op: axes on a loop that must stay whole, that does not divide
/// evenly, or that an earlier annotation splits in another way. Fails if the
/// annotations name different grids.
///
/// Upstream's default is not used: it forgets all annotations if the last
/// annotated operand is replicated, and knows neither heads nor whole loops.
static FailureOr<ShardingOption>
chooseSplit(Operation *op, const LoopNest &nest,
            ArrayRef<Sharding> operandShardings,
            ArrayRef<Sharding> resultShardings) {
  ShardingOption option;
  option.shardingArray.resize(nest.loops.size());
  SymbolTableCollection symbols;
  shard::GridOp grid;
  llvm::SmallDenseSet<GridAxis> taken;

  auto take = [&](const Sharding &sharding, ArrayRef<unsigned> loopOf) {
    if (!sharding)
      return true;
    if (!option.grid) {
      option.grid = sharding.getGridAttr();
      grid = shard::getGridOrNull(op, option.grid, symbols);
    }
    if (!grid || sharding.getGridAttr() != option.grid)
      return false;
    // Not zip_equal: trailing dimensions without axes are not spelled out.
    for (auto [axes, loop] : llvm::zip(sharding.getSplitAxes(), loopOf)) {
      ArrayRef<GridAxis> wanted = axes.asArrayRef();
      if (wanted.empty() || !option.shardingArray[loop].empty() ||
          nest.loops[loop].kind == LoopKind::Whole ||
          llvm::any_of(wanted,
                       [&](GridAxis axis) { return taken.contains(axis); }) ||
          !dividesEvenly(op, nest, loop, countDevices(wanted, grid)))
        continue;
      option.shardingArray[loop].assign(wanted.begin(), wanted.end());
      taken.insert(wanted.begin(), wanted.end());
    }
    return true;
  };

  ArrayRef<SmallVector<unsigned, 2>> values = nest.values;
  size_t operands = operandShardings.size();
  for (auto [sharding, loopOf] :
       llvm::zip_equal(resultShardings, values.drop_front(operands)))
    if (!take(sharding, loopOf))
      return failure();
  for (auto [sharding, loopOf] :
       llvm::zip_equal(operandShardings, values.take_front(operands)))
    if (!take(sharding, loopOf))
      return failure();
  if (!option.grid)
    return ShardingOption::makeEmpty();
  shard::removeTrailingEmptySubArray(option.shardingArray);
  return option;
}

//===----------------------------------------------------------------------===//
// The interface
//===----------------------------------------------------------------------===//

namespace {

template <typename OpType>
struct ShardingModel
    : shard::ShardingInterface::ExternalModel<ShardingModel<OpType>, OpType> {
  SmallVector<IteratorType> getLoopIteratorTypes(Operation *op) const {
    SmallVector<IteratorType> types;
    for (const Loop &loop : loopsOf(cast<OpType>(op)).loops)
      types.push_back(loop.kind == LoopKind::Parallel
                          ? IteratorType::parallel
                          : IteratorType::reduction);
    return types;
  }

  SmallVector<shard::ReductionKind>
  getReductionLoopIteratorKinds(Operation *op) const {
    SmallVector<shard::ReductionKind> kinds;
    for (const Loop &loop : loopsOf(cast<OpType>(op)).loops)
      if (loop.kind != LoopKind::Parallel)
        kinds.push_back(loop.kind == LoopKind::Sum
                            ? shard::ReductionKind::Sum
                            : shard::ReductionKind::Generic);
    return kinds;
  }

  SmallVector<AffineMap> getIndexingMaps(Operation *op) const {
    LoopNest nest = loopsOf(cast<OpType>(op));
    SmallVector<AffineMap> maps;
    for (ArrayRef<unsigned> loopOf : nest.values)
      maps.push_back(AffineMap::getMultiDimMapWithTargets(
          nest.loops.size(), loopOf, op->getContext()));
    return maps;
  }

  FailureOr<ShardingOption>
  getShardingOption(Operation *op, ArrayRef<Sharding> operandShardings,
                    ArrayRef<Sharding> resultShardings) const {
    return chooseSplit(op, loopsOf(cast<OpType>(op)), operandShardings,
                       resultShardings);
  }

  /// Upstream's partitioner knows nothing of heads, of global indices or of
  /// sums over devices; its default would clone a split op with wrong types.
  LogicalResult partition(Operation *op, ArrayRef<Value> partitionedOperands,
                          ArrayRef<Sharding> operandShardings,
                          ArrayRef<Sharding> resultShardings,
                          IRMapping &partitionMap,
                          SymbolTableCollection &symbols,
                          OpBuilder &builder) const {
    for (const Sharding &sharding :
         llvm::concat<const Sharding>(operandShardings, resultShardings))
      if (!shard::isFullReplication(sharding))
        return op->emitOpError("is split over the grid: upstream's "
                               "partitioner takes it replicated only");
    shard::partitionFullyReplicatedOperation(*op, partitionedOperands,
                                             operandShardings, resultShardings,
                                             partitionMap, symbols, builder);
    return success();
  }
};

template <typename... Ops> void attachTo(MLIRContext &context) {
  (Ops::template attachInterface<ShardingModel<Ops>>(context), ...);
}

} // namespace

void llm::attachShardingInterface(MLIRContext &context) {
  attachTo<
      // graph
      WeightOp, ParameterOp, EmbeddingOp, RopeTableOp, RmsNormOp, LinearOp,
      RopeOp, AttentionOp, SwigluOp, AddOp, CastOp, GatherRowsOp, DropoutOp,
      ScaleRowsOp,
      // train
      CrossEntropyOp, CrossEntropyGradOp, MseOp, MseGradOp, SumOp, SumGradOp,
      RmsNormGradOp, SwigluGradOp, AttentionGradOp, ScatterRowsOp, MatmulOp,
      ConstantOp, GradientStoreOp, PendingGradientOp, OptimizerStepOp,
      // sharded
      LocalIdsOp, FirstRowOp, LocalRowsOp, SoftmaxStatsOp, JoinSoftmaxStatsOp,
      CrossEntropyPartsOp, CrossEntropyPartsGradOp, ProbeOp, JoinProbeOp,
      ProbeWeightOp>(context);
}
