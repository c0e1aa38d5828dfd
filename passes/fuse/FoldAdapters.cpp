//===- FoldAdapters.cpp - Adapters as rows and columns of their weights ---===//
//
// With the stored weight F = [[W, sB], [A, 0]]:
//   forward   t  = x A^T              y  = [x, t] [W, sB]^T
//   backward  dt = dy (sB)            dx = [dy, dt] [[W], [A]]
//             dA = dt^T x             dB = s dy^T t
// Layers of one input share F: their weights lie one below the other, so that
// q, k and v (gate and up) are one product each way. Dropout in the adapter's
// path makes x' of x: t = x' A^T, and dx gets dropout(dt A) in a product of its
// own.
//
//===----------------------------------------------------------------------===//
#include "passes/fuse/AdapterGradients.h"
#include "passes/fuse/AdapterGroups.h"
#include "passes/fuse/GraphSurgery.h"
#include "passes/fuse/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/MathExtras.h"

namespace llamac {
#define GEN_PASS_DEF_FOLDADAPTERS
#include "passes/fuse/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using namespace llamac;

namespace {

RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

/// Factors are padded so that leading dimensions suit 16-byte accesses, and
/// tiles of the tensor cores where matrices are large enough for it to be
/// free (measured: rank padded to 64 costs nothing at 4096 columns).
int64_t padding(int64_t ranks, int64_t rows, int64_t columns) {
  return llvm::alignTo(ranks, rows >= 1024 && columns >= 1024 ? 64 : 8);
}

class GroupFolder {
public:
  explicit GroupFolder(LayerGroup &group)
      : group(group), b(group.layers.front().base) {}

  void run() {
    makeWeight();
    keepTogether();
    forward();
    backward();
    replaceRest();
    for (FoldableLayer &layer : group.layers)
      if (layer.weight->use_empty())
        layer.weight->erase();
  }

private:
  LayerGroup &group;
  OpBuilder b;
  llm::FoldedWeightOp folded;
  int64_t n = 0, k = 0, pad = 0, ranks = 0, tokens = 0;
  Type element;

  Location loc() {
    return folded ? folded.getLoc() : group.layers[0].base.getLoc();
  }
  RankedTensorType matrix(int64_t rows, int64_t columns, Type type = {}) {
    return RankedTensorType::get({rows, columns}, type ? type : element);
  }
  Value panel(Value x, int64_t row, int64_t column, int64_t rows,
              int64_t columns) {
    RankedTensorType type = typeOf(x);
    if (row == 0 && column == 0 && type.getDimSize(0) == rows &&
        type.getDimSize(1) == columns)
      return x;
    if (auto outer = x.getDefiningOp<llm::PanelOp>())
      return panel(outer.getX(), outer.getRow() + row,
                   outer.getColumn() + column, rows, columns);
    return llm::PanelOp::create(
        b, loc(), matrix(rows, columns, type.getElementType()), x,
        static_cast<uint64_t>(row), static_cast<uint64_t>(column));
  }
  Value concat(ArrayRef<Value> parts) {
    if (parts.size() == 1)
      return parts[0];
    int64_t columns = 0;
    for (Value part : parts)
      columns += typeOf(part).getDimSize(1);
    return llm::ConcatOp::create(
        b, loc(), matrix(typeOf(parts[0]).getDimSize(0), columns), parts);
  }
  Value product(Value x, Value y, bool transposeA, bool transposeB,
                Type type = {}) {
    int64_t rows = typeOf(x).getDimSize(transposeA ? 1 : 0);
    int64_t columns = typeOf(y).getDimSize(transposeB ? 0 : 1);
    auto flag = [&](bool on) { return on ? b.getUnitAttr() : UnitAttr(); };
    return llm::MatmulOp::create(b, loc(), matrix(rows, columns, type), x, y,
                                 /*accumulate=*/Value(), flag(transposeA),
                                 flag(transposeB), b.getF64FloatAttr(1.0));
  }

  void makeWeight() {
    SmallVector<Attribute> names, as, bs, es;
    bool hasE = false;
    SmallVector<int64_t> rows, rankList;
    SmallVector<double> scales;
    for (FoldableLayer &layer : group.layers) {
      names.push_back(layer.weight.getNameAttr());
      as.push_back(layer.isAdapted() ? layer.aParameter.getNameAttr()
                                     : b.getStringAttr(""));
      bs.push_back(layer.isAdapted() ? layer.bParameter.getNameAttr()
                                     : b.getStringAttr(""));
      es.push_back(layer.eParameter ? layer.eParameter.getNameAttr()
                                    : b.getStringAttr(""));
      hasE |= static_cast<bool>(layer.eParameter);
      rows.push_back(layer.rows());
      rankList.push_back(layer.rank());
      scales.push_back(layer.scale());
      n += layer.rows();
      ranks += layer.rank();
    }
    k = typeOf(group.x).getDimSize(1);
    tokens = typeOf(group.x).getDimSize(0);
    element = typeOf(group.x).getElementType();
    pad = padding(ranks, n, k);
    SmallVector<Location> locs;
    for (FoldableLayer &layer : group.layers)
      locs.push_back(layer.base.getLoc());
    // What the adapter reads must be there where the group now is.
    for (FoldableLayer &layer : group.layers)
      if (layer.isAdapted() && layer.adapterInput != group.x)
        layer.adapterInput.getDefiningOp()->moveBefore(
            group.layers.front().base);
    b.setInsertionPoint(group.layers.front().base);
    folded = llm::FoldedWeightOp::create(
        b, b.getFusedLoc(locs), matrix(n + pad, k + pad), b.getArrayAttr(names),
        rows, b.getArrayAttr(as), b.getArrayAttr(bs), rankList, scales,
        static_cast<uint64_t>(pad), hasE ? b.getArrayAttr(es) : ArrayAttr());
    // Which parts of which wholes they are, in the same order.
    for (StringRef key :
         {llm::LlmDialect::kWholeShapeAttr, llm::LlmDialect::kSplitAxesAttr}) {
      SmallVector<Attribute> each;
      for (FoldableLayer &layer : group.layers) {
        Attribute part = layer.weight->getAttr(key);
        each.push_back(part ? part : b.getDenseI64ArrayAttr({}));
      }
      if (group.layers[0].weight->hasAttr(key))
        folded->setAttr(key, b.getArrayAttr(each));
    }
  }

  void forward() {
    std::vector<Value> ts(group.layers.size());
    Value input = group.x;
    if (ranks) {
      shard::AllGatherOp gather = gatherOfRows(group.x);
      bool together = !group.hasDropout(),
           wasGathered = static_cast<bool>(gather);
      Value t;
      if (together) {
        t = product(gather ? gather.getInput() : group.x,
                    panel(folded, n, 0, pad, k), false, true);
      } else {
        SmallVector<Value> parts;
        for (unsigned j = 0; j < ts.size(); ++j) {
          int64_t rank = group.layers[j].rank();
          if (!rank)
            continue;
          // The last one also computes the zeros of the padding.
          bool last = folded.rankOf(j) + rank == ranks;
          int64_t rows = last ? pad - folded.rankOf(j) : rank;
          parts.push_back(product(
              group.layers[j].adapterInput,
              panel(folded, n + folded.rankOf(j), 0, rows, k), false, true));
          if (!gather)
            ts[j] = panel(parts.back(), 0, 0, tokens, rank);
        }
        t = concat(parts);
      }
      input = gather ? gatherBoth(b, gather, t) : concat({group.x, t});
      if (gather) {
        t = panel(input, 0, k, tokens, pad);
        if (group.losesInput())
          t = copyOf(b, t);
        group.x = panel(input, 0, 0, tokens, k);
        for (FoldableLayer &layer : group.layers)
          if (layer.adapterInput == gather.getResult())
            layer.adapterInput = group.x;
        gather.getResult().replaceAllUsesWith(group.x);
        gather->erase();
      }
      if (wasGathered || together)
        for (unsigned j = 0; j < ts.size(); ++j)
          if (int64_t rank = group.layers[j].rank())
            ts[j] = panel(t, 0, folded.rankOf(j), tokens, rank);
    }
    Value y = product(input, panel(folded, 0, 0, n, k + pad), false, true);
    for (unsigned j = 0; j < ts.size(); ++j) {
      FoldableLayer &layer = group.layers[j];
      layer.result().replaceAllUsesWith(
          panel(y, 0, folded.rowOf(j), tokens, layer.rows()));
    }
    joinRotations(y);
    // The builder stands before the first of these.
    for (unsigned j = 0; j < ts.size(); ++j) {
      FoldableLayer &layer = group.layers[j];
      if (layer.isAdapted()) {
        layer.sum->erase();
        layer.up->erase();
        layer.t().replaceAllUsesWith(ts[j]);
        if (layer.gather)
          layer.gather->erase();
        layer.down->erase();
      }
      layer.base->erase();
    }
  }

  /// Queries and keys that lie side by side in `y` are rotated at once.
  void joinRotations(Value y) {
    auto rotationOf = [](llm::PanelOp p) {
      return p && p->hasOneUse() ? dyn_cast<llm::RopeOp>(*p->user_begin())
                                 : llm::RopeOp();
    };
    for (Operation *user : llvm::to_vector(y.getUsers())) {
      auto first = dyn_cast<llm::PanelOp>(user);
      llm::RopeOp rope = rotationOf(first);
      if (!rope)
        continue;
      int64_t width = typeOf(first).getDimSize(1);
      for (Operation *other : y.getUsers()) {
        auto second = dyn_cast<llm::PanelOp>(other);
        llm::RopeOp next = rotationOf(second);
        if (!sameRotation(rope, next) ||
            second.getColumn() != first.getColumn() + width)
          continue;
        b.setInsertionPoint(rope->isBeforeInBlock(next) ? rope : next);
        int64_t rest = typeOf(second).getDimSize(1);
        Value both = panel(y, 0, first.getColumn(), tokens, width + rest);
        auto rotated = llm::RopeOp::create(
            b, b.getFusedLoc({rope.getLoc(), next.getLoc()}), both.getType(),
            both, rope.getCos(), rope.getSin(), rope.getInverseAttr());
        rope.replaceAllUsesWith(panel(rotated, 0, 0, tokens, width));
        next.replaceAllUsesWith(panel(rotated, 0, width, tokens, rest));
        for (Operation *dead : {rope.getOperation(), next.getOperation(),
                                first.getOperation(), second.getOperation()})
          dead->erase();
        return;
      }
    }
  }

  //===--------------------------------------------------------------------===//
  // Backward
  //===--------------------------------------------------------------------===//

  /// The gradients `dys`, side by side; those of queries and keys are rotated
  /// back at once.
  Value concatGradients(SmallVector<Value> dys) {
    for (unsigned j = 0; j + 1 < dys.size(); ++j) {
      auto rope = dys[j].getDefiningOp<llm::RopeOp>();
      auto next = dys[j + 1].getDefiningOp<llm::RopeOp>();
      if (!sameRotation(rope, next) || rope == next)
        continue;
      Value parts = concat({rope.getX(), next.getX()});
      auto rotated = llm::RopeOp::create(
          b, b.getFusedLoc({rope.getLoc(), next.getLoc()}), parts.getType(),
          parts, rope.getCos(), rope.getSin(), rope.getInverseAttr());
      int64_t width = typeOf(dys[j]).getDimSize(1);
      int64_t rows = tokensOf(dys[j]);
      for (auto [old, column] :
           {std::pair(rope, int64_t(0)), std::pair(next, width)}) {
        b.setInsertionPointAfter(rotated);
        Value part = panel(rotated, 0, column, rows,
                           typeOf(old.getResult()).getDimSize(1));
        moveUsersAfter(old.getResult(), part.getDefiningOp());
        old->getResult(0).replaceAllUsesWith(part);
        old->erase();
      }
      b.setInsertionPointAfter(rotated);
      dys[j] = rotated;
      dys.erase(dys.begin() + j + 1);
    }
    return concat(dys);
  }

  void backward() {
    std::vector<LayerGradients> parts(group.layers.size());
    for (unsigned j = 0; j < parts.size(); ++j)
      if (!findGradients(group.layers[j], parts[j]))
        return;
    Operation *last = nullptr;
    for (LayerGradients &part : parts) {
      Operation *def = part.dy.getDefiningOp();
      if (!def || typeOf(part.dy).getElementType() != element)
        return;
      if (!last || last->isBeforeInBlock(def))
        last = def;
    }
    // All or none of the layers hand a gradient to x.
    bool wantsX = static_cast<bool>(parts[0].dxBase);
    for (auto [part, layer] : llvm::zip(parts, group.layers))
      if (static_cast<bool>(part.dxBase) != wantsX ||
          (layer.isAdapted() && static_cast<bool>(part.dxA) != wantsX))
        return;
    bool together = !group.hasDropout();
    llvm::SmallPtrSet<Operation *, 8> terms;
    if (wantsX)
      for (LayerGradients &part : parts) {
        terms.insert(part.dxBase);
        if (part.dxA && together)
          terms.insert(part.dxA);
      }
    Value root;
    SmallVector<Value> others;
    if (wantsX && !findSum(parts[0].dxBase.getResult(), terms, root, others))
      return;

    b.setInsertionPointAfter(last);
    SmallVector<Value> dys;
    for (LayerGradients &part : parts)
      dys.push_back(part.dy);
    Value dy = concatGradients(dys), both = dy;
    if (ranks) {
      Value dt;
      shard::AllGatherOp gather = gatherOfRows(dy);
      if (gather && together && wantsX) {
        dt = product(gather.getInput(), panel(folded, 0, k, n, pad), false,
                     false);
        both = gatherBoth(b, gather, dt);
        dt = panel(both, 0, n, tokensOf(dy), pad);
        dy.replaceAllUsesWith(panel(both, 0, 0, tokensOf(dy), n));
        gather->erase();
      } else {
        dt = product(dy, panel(folded, 0, k, n, pad), false, false);
        if (together && wantsX)
          both = concat({dy, dt});
      }
      factorGradients(parts, dt);
      b.setInsertionPointAfter(both == dy ? dt.getDefiningOp()
                                          : both.getDefiningOp());
    }
    auto eraseUnused = [&] {
      for (LayerGradients &part : parts)
        if (part.dt && part.dt->use_empty()) {
          part.dt->erase();
          part.dt = {};
        }
    };
    if (!wantsX)
      return eraseUnused();
    bool withA = ranks && together;
    Value dx = product(both, panel(folded, 0, 0, withA ? n + pad : n, k), false,
                       false);
    b.setInsertionPointAfter(root.getDefiningOp());
    for (Value other : others)
      dx = llm::AddOp::create(b, loc(), dx, other);
    root.replaceAllUsesWith(dx);
    eraseSum(root, terms);
    eraseUnused();
  }

  /// dt of each layer is a part of `dt`; A's gradients are one product if they
  /// lie one behind the other.
  void factorGradients(ArrayRef<LayerGradients> parts, Value dt) {
    Value x = group.x, ownDt = scatterTogether(parts, dt);
    bool stack = !group.hasDropout();
    for (auto [part, layer] : llvm::zip(parts, group.layers))
      if (layer.isAdapted()) {
        stack &= part.dA && part.dA->hasOneUse() &&
                 isa<llm::GradientStoreOp>(*part.dA->user_begin()) &&
                 static_cast<bool>(part.scatter) == (ownDt != dt) &&
                 layer.rank() * k * 4 % 64 == 0;
        if (part.dA && ownDt != dt)
          x = llm::MatmulOp(part.dA).getB();
      }
    Value all;
    b.setInsertionPointAfter(ownDt.getDefiningOp());
    if (stack) {
      all = product(panel(ownDt, 0, 0, tokensOf(ownDt), ranks), x, true, false,
                    b.getF32Type());
    }
    for (unsigned j = 0; j < parts.size(); ++j) {
      if (!group.layers[j].isAdapted())
        continue;
      int64_t rank = group.layers[j].rank(), at = folded.rankOf(j);
      llm::MatmulOp down = parts[j].dt, dA = parts[j].dA;
      // Moved users may have been where the builder was: say where again.
      if (all) {
        b.setInsertionPointAfter(all.getDefiningOp());
        Value part = panel(all, at, 0, rank, k);
        moveUsersAfter(dA.getResult(), part.getDefiningOp());
        dA.getResult().replaceAllUsesWith(part);
        dA->erase();
      }
      if (shard::ReduceScatterOp scatter = parts[j].scatter) {
        b.setInsertionPointAfter(ownDt.getDefiningOp());
        Value part = panel(ownDt, 0, at, tokensOf(ownDt), rank);
        moveUsersAfter(scatter.getResult(), part.getDefiningOp());
        scatter.getResult().replaceAllUsesWith(part);
        scatter->erase();
      }
      if (!down->use_empty()) {
        b.setInsertionPointAfter(dt.getDefiningOp());
        Value part = panel(dt, 0, at, tokensOf(dt), rank);
        moveUsersAfter(down.getResult(), part.getDefiningOp());
        down.getResult().replaceAllUsesWith(part);
      }
    }
  }
  /// One reduce-scatter of all layers' dt in place of one each.
  Value scatterTogether(ArrayRef<LayerGradients> parts, Value dt) {
    for (const LayerGradients &part : parts) {
      shard::ReduceScatterOp one = part.scatter;
      if (!one)
        continue;
      b.setInsertionPointAfter(dt.getDefiningOp());
      return shard::ReduceScatterOp::create(
          b, loc(), matrix(tokensOf(one.getResult()), pad), one.getGridAttr(),
          one.getGridAxesAttr(), dt, one.getReductionAttr(),
          one.getScatterAxisAttr());
    }
    return dt;
  }
  int64_t tokensOf(Value v) { return typeOf(v).getDimSize(0); }

  /// The parameters A of the group come one after another in the flat buffer:
  /// its layout is the order of the parameters in the program.
  void keepTogether() {
    Operation *previous = nullptr;
    for (FoldableLayer &layer : group.layers) {
      if (!layer.isAdapted())
        continue;
      if (previous)
        layer.aParameter->moveAfter(previous);
      previous = layer.aParameter;
    }
  }

  /// Whatever still reads a weight or factor reads it in the folded weight.
  void replaceRest() {
    b.setInsertionPointAfter(folded);
    for (unsigned j = 0; j < group.layers.size(); ++j) {
      FoldableLayer &layer = group.layers[j];
      int64_t row = folded.rowOf(j), rank = folded.rankOf(j);
      if (!layer.weight->use_empty())
        layer.weight.getResult().replaceAllUsesWith(
            panel(folded, row, 0, layer.rows(), k));
      if (!layer.isAdapted())
        continue;
      replaceProducts(layer.a, 1.0, [&] {
        return panel(folded, n + rank, 0, layer.rank(), k);
      });
      replaceProducts(layer.b, folded.getScales()[j], [&] {
        return panel(folded, row, k + rank, layer.rows(), layer.rank());
      });
    }
  }
  template <typename Make>
  void replaceProducts(Value factor, double scale, Make make) {
    Value replacement;
    for (OpOperand &use : llvm::make_early_inc_range(factor.getUses())) {
      auto op = dyn_cast<llm::MatmulOp>(use.getOwner());
      if (!op || op.getB() != factor || scale == 0)
        continue;
      if (!replacement)
        replacement = make();
      use.set(replacement);
      op.setAlphaAttr(
          b.getF64FloatAttr(op.getAlpha().convertToDouble() / scale));
    }
    // A rounded copy that nothing reads is not computed.
    while (factor.use_empty() && isa_and_nonnull<llm::CastOp, llm::ScaleRowsOp>(
                                     factor.getDefiningOp())) {
      Operation *op = factor.getDefiningOp();
      factor = op->getOperand(0);
      op->erase();
    }
  }
};

struct FoldAdapters : llamac::impl::FoldAdaptersBase<FoldAdapters> {
  void runOnOperation() override {
    for (auto f : getOperation().getOps<func::FuncOp>()) {
      bool adapters = false;
      for (LayerGroup &group : llamac::findLayerGroups(f)) {
        adapters |= group.hasAdapters();
        GroupFolder(group).run();
      }
      if (adapters) {
        OpBuilder b = OpBuilder::atBlockBegin(&f.getBody().front());
        llm::FoldFactorsOp::create(b, f.getLoc());
      }
    }
  }
};

} // namespace
