//===- AdapterGroups.cpp - Linear layers that share an input --------------===//
#include "passes/fuse/AdapterGroups.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace llamac;

int64_t FoldableLayer::rows() {
  return cast<RankedTensorType>(weight.getType()).getDimSize(0);
}
int64_t FoldableLayer::rank() {
  return isAdapted()
             ? cast<RankedTensorType>(aParameter.getType()).getDimSize(0)
             : 0;
}
double FoldableLayer::scale() {
  return isAdapted() ? up.getAlpha().convertToDouble() : 0.0;
}
Value FoldableLayer::result() {
  return isAdapted() ? sum.getResult() : base.getResult();
}

Value FoldableLayer::t() {
  return gather ? gather.getResult() : down.getResult();
}

shard::AllGatherOp llamac::gatherOfRows(Value value) {
  auto gather = value.getDefiningOp<shard::AllGatherOp>();
  return gather && gather.getGatherAxis().isZero() ? gather
                                                   : shard::AllGatherOp();
}

bool LayerGroup::hasAdapters() {
  return llvm::any_of(layers, [](auto &l) { return l.isAdapted(); });
}
bool LayerGroup::hasDropout() {
  return llvm::any_of(
      layers, [&](auto &l) { return l.isAdapted() && l.adapterInput != x; });
}

bool LayerGroup::losesInput() {
  llvm::SmallPtrSet<Operation *, 8> forward;
  bool readsT = false;
  for (FoldableLayer &layer : layers) {
    forward.insert(layer.base);
    if (!layer.isAdapted())
      continue;
    forward.insert(layer.down);
    readsT |= !layer.t().hasOneUse();
  }
  return readsT && llvm::all_of(x.getUsers(), [&](Operation *user) {
           return forward.contains(user);
         });
}

/// a b^T without scaling or accumulation.
static bool isForward(llm::MatmulOp op) {
  return op && !op.getTransposeA() && op.getTransposeB() && !op.getAccumulate();
}
static bool isUnscaled(llm::MatmulOp op) {
  return op.getAlpha().isExactlyValue(1.0);
}

/// The parameter a product reads, directly or rounded.
static llm::ParameterOp parameterOf(Value v) {
  if (auto cast = v.getDefiningOp<llm::CastOp>())
    v = cast.getX();
  return v.getDefiningOp<llm::ParameterOp>();
}

/// AdaLoRA's E A, directly or rounded.
static llm::ScaleRowsOp scaledBy(Value v) {
  if (auto cast = v.getDefiningOp<llm::CastOp>())
    v = cast.getX();
  return v.getDefiningOp<llm::ScaleRowsOp>();
}

static void matchAdapter(FoldableLayer &layer) {
  Value y = layer.base.getResult();
  if (!y.hasOneUse())
    return;
  auto sum = dyn_cast<llm::AddOp>(*y.user_begin());
  if (!sum || sum.getLhs() == sum.getRhs())
    return;
  Value other = sum.getLhs() == y ? sum.getRhs() : sum.getLhs();
  auto up = other.getDefiningOp<llm::MatmulOp>();
  if (!isForward(up) || !other.hasOneUse())
    return;
  shard::AllGatherOp gather = gatherOfRows(up.getA());
  Value t = gather ? gather.getInput() : up.getA();
  auto down = t.getDefiningOp<llm::MatmulOp>();
  if (!isForward(down) || !isUnscaled(down))
    return;
  llm::ParameterOp a = parameterOf(down.getB()), b = parameterOf(up.getB()), e;
  if (auto scaled = scaledBy(down.getB())) {
    a = parameterOf(scaled.getX());
    e = parameterOf(scaled.getScale());
    if (!e)
      return;
  }
  if (!a || !b)
    return;
  Value input = down.getA();
  if (auto dropout = input.getDefiningOp<llm::DropoutOp>())
    input = dropout.getX();
  Value x = layer.base.getA();
  if (gather) {
    shard::AllGatherOp whole = gatherOfRows(x);
    if (!whole || !t.hasOneUse())
      return;
    x = whole.getInput();
  }
  if (input != x)
    return;
  layer.gather = gather;
  layer.sum = sum;
  layer.up = up;
  layer.down = down;
  layer.a = down.getB();
  layer.b = up.getB();
  layer.aParameter = a;
  layer.bParameter = b;
  layer.eParameter = e;
  layer.adapterInput = down.getA();
}

SmallVector<LayerGroup> llamac::findLayerGroups(func::FuncOp function) {
  llvm::MapVector<Value, LayerGroup> groups;
  llvm::DenseSet<Operation *> seen;
  for (auto op : function.getOps<llm::MatmulOp>()) {
    auto weight = op.getB().getDefiningOp<llm::WeightOp>();
    if (!weight || !isForward(op) || !isUnscaled(op) ||
        !llvm::all_of(weight->getUsers(), llvm::IsaPred<llm::MatmulOp>))
      continue;
    // A weight that is applied twice belongs to no one group.
    if (!seen.insert(weight).second)
      continue;
    if (llvm::count_if(weight->getUsers(), [](Operation *user) {
          return isForward(cast<llm::MatmulOp>(user));
        }) != 1)
      continue;
    FoldableLayer layer;
    layer.weight = weight;
    layer.base = op;
    matchAdapter(layer);
    LayerGroup &group = groups[op.getA()];
    group.x = op.getA();
    group.layers.push_back(layer);
  }
  SmallVector<LayerGroup> found;
  for (auto &[x, group] : groups)
    if (group.layers.size() > 1 || group.hasAdapters())
      found.push_back(std::move(group));
  return found;
}
