//===- LowerTriplets.cpp - AdaLoRA over all modules at once ---------------===//
#include "dialects/llm/RowwiseBuilder.h"
#include "passes/fuse/Passes.h"
#include "passes/fuse/TripletLayout.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "llvm/ADT/TypeSwitch.h"

namespace llamac {
#define GEN_PASS_DEF_LOWERTRIPLETS
#include "passes/fuse/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using llm::RowwiseBuilder;

namespace {

constexpr shard::GridAxis kTensorAxis = 1;

class TripletLowering {
public:
  TripletLowering(Operation *op, const llamac::ParameterLayout &parameters,
                  const llamac::TripletLayout &triplets, shard::GridOp grid)
      : op(op), b(op), loc(op->getLoc()), triplets(triplets), grid(grid),
        flat(parameters.flatType(op->getContext())) {
    table = llm::ConstantOp::create(b, loc, triplets.table);
  }

  void lower(llm::OrthogonalityOp orthogonality) {
    Value norms = normsOf(gramsOf(Value()));
    finish(penaltyOf(norms, orthogonality.getWeight().convertToDouble()));
  }

  void lower(llm::TripletGradientsOp gradients) {
    double weight = gradients.getWeight().convertToDouble();
    Value g = load(llm::Flat::Gradients);
    Value grams = gramsOf(g), norms = normsOf(grams);
    Value penalty = penaltyOf(norms, weight);
    double factor = weight / static_cast<double>(triplets.modules);
    Value params = load(llm::Flat::Parameters);
    Value fresh =
        llm::TripletFinishOp::create(b, loc, flat, g, params, grams, norms,
                                     table, b.getF64FloatAttr(factor));
    llm::FlatStoreOp::create(b, loc, llm::Flat::Gradients, fresh);
    finish(penalty);
  }

  void lower(llm::AllocateRanksOp allocate) {
    int64_t m = triplets.modules, r = triplets.rank;
    Value sensitivity = load(llm::Flat::Sensitivity);
    Value uncertainty = load(llm::Flat::Uncertainty);
    Value terms = sum(llm::TripletScoresOp::create(
        b, loc, matrix(3 * m, r), sensitivity, uncertainty,
        allocate.getAllocation(), table));
    // As PEFT adds them: E to the sum of A and B.
    RowwiseBuilder k(b, loc, m, r);
    auto rows = [&](int64_t first) {
      return k.input(panel(terms, first, m, r), k.element());
    };
    Value a = rows(0), second = rows(m), e = rows(2 * m);
    k.yield(k.add(e, k.add(a, second)), matrix(m, r), k.element());
    Value scores = named(k.finish().front(), "triplet_scores_sum");
    auto kept = matrix(m, r);
    Value params = load(llm::Flat::Parameters);
    Value before = llm::FlatLoadOp::create(b, loc, kept, llm::Flat::Kept);
    auto masked =
        llm::TripletMaskOp::create(b, loc, flat, kept, params, before, scores,
                                   allocate.getAllocation(), table);
    llm::FlatStoreOp::create(b, loc, llm::Flat::Parameters,
                             masked.getNewParams());
    llm::FlatStoreOp::create(b, loc, llm::Flat::Kept, masked.getNewKept());
    finish(masked.getNewKept());
  }

private:
  Operation *op;
  OpBuilder b;
  Location loc;
  const llamac::TripletLayout &triplets;
  shard::GridOp grid; // null: one device
  RankedTensorType flat;
  Value table;

  RankedTensorType matrix(int64_t rows, int64_t columns) {
    return RankedTensorType::get({rows, columns}, b.getF32Type());
  }
  Value load(llm::Flat kind) {
    return llm::FlatLoadOp::create(b, loc, flat, kind);
  }
  Value panel(Value x, int64_t row, int64_t rows, int64_t columns) {
    return llm::PanelOp::create(b, loc, matrix(rows, columns), x,
                                static_cast<uint64_t>(row), uint64_t(0));
  }
  Value named(Value value, StringRef source) {
    value.getDefiningOp()->setAttr(llm::LlmDialect::kSourceAttr,
                                   b.getStringAttr(source));
    return value;
  }
  /// The terms of all tp devices, where these share factors.
  Value sum(Value term) {
    if (!triplets.hasParts)
      return term;
    return shard::AllReduceOp::create(b, loc, term, grid.getSymName(),
                                      {kTensorAxis}, shard::ReductionKind::Sum);
  }
  void finish(Value result) {
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  }

  Value gramsOf(Value gradients) {
    return sum(llm::TripletGramsOp::create(
        b, loc, matrix(2 * triplets.modules, triplets.gramWidth()),
        load(llm::Flat::Parameters), table, gradients));
  }

  /// |G - I|_F of each row; the r columns behind G do not count.
  Value normsOf(Value grams) {
    int64_t rows = 2 * triplets.modules, width = triplets.gramWidth();
    SmallVector<float> identity(width), counts(width);
    for (int64_t i = 0; i < triplets.rank; ++i) {
      identity[i * triplets.rank + i] = 1;
      for (int64_t j = 0; j < triplets.rank; ++j)
        counts[i * triplets.rank + j] = 1;
    }
    auto vector = RankedTensorType::get({width}, b.getF32Type());
    auto constant = [&](ArrayRef<float> values) {
      return llm::ConstantOp::create(b, loc,
                                     DenseElementsAttr::get(vector, values));
    };
    Value identities = constant(identity), mask = constant(counts);
    RowwiseBuilder k(b, loc, rows, width);
    Value g = k.input(grams, k.element());
    Value one = k.input(identities, k.perColumn());
    Value d = k.mul(k.sub(g, one), k.input(mask, k.perColumn()));
    Value squares = k.reduce(llm::ReduceKind::Add, k.mul(d, d));
    k.yield(math::SqrtOp::create(k.body(), loc, squares),
            RankedTensorType::get({rows}, b.getF32Type()), k.perRow());
    return named(k.finish().front(), "orthogonality_norms");
  }

  Value penaltyOf(Value norms, double weight) {
    int64_t count = 2 * triplets.modules;
    RowwiseBuilder k(b, loc, 1, count);
    Value all = k.reduce(llm::ReduceKind::Add, k.input(norms, k.perColumn()));
    Value mean = k.div(all, k.constant(static_cast<double>(count)));
    k.yield(k.mul(mean, k.constant(weight)),
            RankedTensorType::get({1}, b.getF32Type()), k.at(0));
    return named(k.finish().front(), "orthogonality");
  }
};

struct LowerTriplets : llamac::impl::LowerTripletsBase<LowerTriplets> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<llm::OrthogonalityOp, llm::TripletGradientsOp,
              llm::AllocateRanksOp>(op))
        ops.push_back(op);
    });
    if (ops.empty())
      return;
    llamac::ParameterLayout parameters(getOperation());
    auto grids = getOperation().getOps<shard::GridOp>();
    shard::GridOp grid = grids.empty() ? shard::GridOp() : *grids.begin();
    int64_t tp =
        grid && grid.getShape().size() == 2 ? grid.getShape()[kTensorAxis] : 1;
    for (Operation *op : ops) {
      auto triplets = llamac::TripletLayout::create(
          op, op->getAttrOfType<ArrayAttr>("modules"), parameters, tp);
      if (failed(triplets))
        return signalPassFailure();
      if (triplets->hasParts && !grid) {
        op->emitOpError("has factors that are parts, but no grid");
        return signalPassFailure();
      }
      // Whole on every device: each of them does all of it.
      TripletLowering lowering(op, parameters, *triplets, grid);
      llvm::TypeSwitch<Operation *>(op)
          .Case<llm::OrthogonalityOp, llm::TripletGradientsOp,
                llm::AllocateRanksOp>([&](auto o) { lowering.lower(o); });
    }
  }
};

} // namespace
