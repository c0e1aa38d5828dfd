//===- LowerOptimizer.cpp - Clipping, schedule and AdamW as kernels -------===//
#include "dialects/llm/RowwiseBuilder.h"
#include "passes/fuse/ParameterLayout.h"
#include "passes/fuse/Passes.h"

#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <limits>

namespace llamac {
#define GEN_PASS_DEF_LOWEROPTIMIZER
#include "passes/fuse/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using llm::RowwiseBuilder;

namespace {

/// Indices into the input "hyper" (docs/plan.md).
enum Hyper { LearningRate, Warmup, Total, Beta1, Beta2, Eps, Decay, MaxNorm };
/// What the scalar kernel hands to the AdamW kernel.
enum Coefficient {
  Clip,
  KeepParameter,
  OneMinusBeta1,
  KeepSquare,
  OneMinusBeta2,
  StepSize,
  CorrectionRoot,
  Epsilon,
  Applies, // 1, or 0: the update is skipped
  kCoefficients,
  Scores = kCoefficients // with AdaLoRA: 1 if averages of importance move
};
/// Modes of llm.allocate_ranks that update the averages.
constexpr int64_t kScore = 0, kScoreAndMask = 1;

class OptimizerLowering {
public:
  /// `allocate`: AdaLoRA's, which follows the step, or null.
  OptimizerLowering(llm::OptimizerStepOp op, llm::AllocateRanksOp allocate,
                    const llamac::ParameterLayout &layout, shard::GridOp grid)
      : op(op), allocate(allocate), b(op), loc(op.getLoc()), layout(layout),
        grid(grid), flat(layout.flatType(op.getContext())) {}

  void run() {
    Value g = load(llm::Flat::Gradients, flat);
    Value norm = globalNorm(g);
    auto [coefficients, rate] = schedule(norm);
    update(g, coefficients);
    if (op.getClearGradients())
      llm::FlatClearOp::create(b, loc, llm::Flat::Gradients, flat);
    op.getGradNorm().replaceAllUsesWith(norm);
    op.getLearningRate().replaceAllUsesWith(rate);
    op.erase();
  }

private:
  llm::OptimizerStepOp op;
  llm::AllocateRanksOp allocate;
  OpBuilder b;
  Location loc;
  const llamac::ParameterLayout &layout;
  shard::GridOp grid; // null: one device
  RankedTensorType flat;

  RankedTensorType vector(int64_t n, Type type) {
    return RankedTensorType::get({n}, type);
  }
  Value load(llm::Flat kind, Type type) {
    return llm::FlatLoadOp::create(b, loc, type, kind);
  }
  llvm::SmallVector<Value> named(llvm::SmallVector<Value> results,
                                 StringRef source) {
    results.front().getDefiningOp()->setAttr(llm::LlmDialect::kSourceAttr,
                                             b.getStringAttr(source));
    return results;
  }
  void store(llm::Flat kind, Value value) {
    llm::FlatStoreOp::create(b, loc, kind, value);
  }

  /// sqrt of the sum of squares: row sums, then their sum.
  Value globalNorm(Value g) {
    int64_t rows = flat.getDimSize(0);
    RowwiseBuilder squares(b, loc, rows, flat.getDimSize(1));
    Value x = squares.input(g, squares.element());
    squares.yield(squares.reduce(llm::ReduceKind::Add, squares.mul(x, x)),
                  vector(rows, b.getF32Type()), squares.perRow());
    Value parts = named(squares.finish(), "grad_norm_rows").front();
    if (layout.hasParts())
      return normOfParts(parts, rows);
    RowwiseBuilder total(b, loc, 1, rows);
    Value part = total.input(parts, total.perColumn());
    Value sum = total.reduce(llm::ReduceKind::Add, part);
    total.yield(math::SqrtOp::create(total.body(), loc, sum),
                vector(1, b.getF32Type()), total.at(0));
    return named(total.finish(), "grad_norm").front();
  }

  /// The same where some rows are parts of tensors that tp devices share: every
  /// device adds its parts, and 1/tp of the rows that all of them have.
  Value normOfParts(Value parts, int64_t rows) {
    constexpr shard::GridAxis kTensorAxis = 1;
    int64_t devices = grid.getShape()[kTensorAxis];
    SmallVector<float> weights;
    for (bool isPart : layout.partRows)
      weights.push_back(isPart ? 1.0f : 1.0f / static_cast<float>(devices));
    Value weight = llm::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(vector(rows, b.getF32Type()),
                               ArrayRef<float>(weights)));
    RowwiseBuilder mine(b, loc, 1, rows);
    Value part = mine.input(parts, mine.perColumn());
    Value share = mine.input(weight, mine.perColumn());
    mine.yield(mine.reduce(llm::ReduceKind::Add, mine.mul(part, share)),
               vector(1, b.getF32Type()), mine.at(0));
    Value term = named(mine.finish(), "grad_norm_part").front();
    Value sum =
        shard::AllReduceOp::create(b, loc, term, grid.getSymName(),
                                   {kTensorAxis}, shard::ReductionKind::Sum);
    RowwiseBuilder root(b, loc, 1, 1);
    root.yield(
        math::SqrtOp::create(root.body(), loc, root.input(sum, root.at(0))),
        vector(1, b.getF32Type()), root.at(0));
    return named(root.finish(), "grad_norm").front();
  }

  /// One row, one column, float64 as torch computes these in Python: returns
  /// the coefficients of the update and the learning rate; advances the state.
  std::pair<Value, Value> schedule(Value norm) {
    Type f64 = b.getF64Type(), f32 = b.getF32Type(), i64 = b.getI64Type();
    RowwiseBuilder k(b, loc, 1, 1);
    OpBuilder &body = k.body();
    Value hyper[8];
    for (int i = 0; i < 8; ++i)
      hyper[i] = k.input(op.getHyper(), k.at(i));
    Value step = k.input(load(llm::Flat::Step, vector(1, i64)), k.at(0));
    Value power1 =
        k.input(load(llm::Flat::Beta1Power, vector(1, f64)), k.at(0));
    Value power2 =
        k.input(load(llm::Flat::Beta2Power, vector(1, f64)), k.at(0));
    Value normIn = k.input(norm, k.at(0));

    Value zero = k.constant(0.0, f64), one = k.constant(1.0, f64);
    auto max = [&](Value l, Value r) -> Value {
      return arith::MaximumFOp::create(body, loc, l, r);
    };
    auto less = [&](Value l, Value r) -> Value {
      return arith::CmpFOp::create(body, loc, arith::CmpFPredicate::OLT, l, r);
    };
    auto select = [&](Value c, Value l, Value r) -> Value {
      return arith::SelectOp::create(body, loc, c, l, r);
    };
    auto sqrt = [&](Value v) -> Value {
      return math::SqrtOp::create(body, loc, v);
    };
    auto narrow = [&](Value v) -> Value {
      return arith::TruncFOp::create(body, loc, f32, v);
    };

    // get_linear_schedule_with_warmup: t is 0 in the first step.
    Value t = arith::SIToFPOp::create(body, loc, f64, step);
    Value rising = k.div(t, max(one, hyper[Warmup]));
    Value falling =
        max(zero, k.div(k.sub(hyper[Total], t),
                        max(one, k.sub(hyper[Total], hyper[Warmup]))));
    Value factor = select(less(t, hyper[Warmup]), rising, falling);
    Value rate = k.mul(hyper[LearningRate], factor);

    Value newPower1 = k.mul(power1, hyper[Beta1]);
    Value newPower2 = k.mul(power2, hyper[Beta2]);
    // clip_grad_norm_ in float32: max_norm / (norm + 1e-6), at most 1.
    Value maxNorm = narrow(hyper[MaxNorm]);
    Value ratio = k.div(maxNorm, k.add(normIn, k.constant(1e-6)));
    Value oneF = k.constant(1.0);
    Value clip = select(less(ratio, oneF), ratio, oneF);
    clip = select(less(zero, hyper[MaxNorm]), clip, oneF);
    // Of gradients that are not finite nothing is kept: who sees the norm finds
    // parameters and state as they were and can look for the cause.
    Value finite =
        less(normIn, k.constant(std::numeric_limits<double>::infinity(), f32));

    Value values[kCoefficients] = {
        clip,
        narrow(k.sub(one, k.mul(rate, hyper[Decay]))),
        narrow(k.sub(one, hyper[Beta1])),
        narrow(hyper[Beta2]),
        narrow(k.sub(one, hyper[Beta2])),
        narrow(k.div(rate, k.sub(one, newPower1))),
        narrow(sqrt(k.sub(one, newPower2))),
        narrow(hyper[Eps]),
        select(finite, oneF, k.constant(0.0))};
    auto type = vector(kCoefficients + (allocate ? 1 : 0), f32);
    for (int i = 0; i < kCoefficients; ++i)
      k.yield(values[i], type, k.at(i), 0);
    Value allocation[2];
    if (allocate)
      k.yield(scoring(k, finite, allocation), type, k.at(Scores), 0);
    k.yield(narrow(rate), vector(1, f32), k.at(0));
    Value next = arith::AddIOp::create(body, loc, step, k.integer(1));
    k.yield(select(finite, next, step), vector(1, i64), k.at(0));
    k.yield(select(finite, newPower1, power1), vector(1, f64), k.at(0));
    k.yield(select(finite, newPower2, power2), vector(1, f64), k.at(0));
    if (allocate)
      for (int i = 0; i < 2; ++i)
        k.yield(allocation[i], vector(2, i64), k.at(i), 5);
    auto results = named(k.finish(), "schedule");
    if (allocate)
      allocate.getAllocationMutable().assign(results[5]);
    store(llm::Flat::Step, results[2]);
    store(llm::Flat::Beta1Power, results[3]);
    store(llm::Flat::Beta2Power, results[4]);
    return {results[0], results[1]};
  }

  /// Whether the averages of importance move, as 1 or 0, and the allocation
  /// that is to follow: none after a step that was skipped.
  Value scoring(RowwiseBuilder &k, Value finite, Value (&allocation)[2]) {
    OpBuilder &body = k.body();
    for (int i = 0; i < 2; ++i) {
      Value given = k.input(allocate.getAllocation(), k.at(i));
      allocation[i] =
          arith::SelectOp::create(body, loc, finite, given, k.integer(kScore));
    }
    auto isMode = [&](int64_t mode) -> Value {
      return arith::CmpIOp::create(body, loc, arith::CmpIPredicate::eq,
                                   allocation[0], k.integer(mode));
    };
    Value moves =
        arith::OrIOp::create(body, loc, isMode(kScore), isMode(kScoreAndMask));
    return arith::SelectOp::create(body, loc, moves, k.constant(1.0),
                                   k.constant(0.0));
  }

  /// torch.optim.AdamW, element by element, in place; or nothing.
  void update(Value g, Value coefficients) {
    RowwiseBuilder k(b, loc, flat.getDimSize(0), flat.getDimSize(1));
    Value p = k.input(load(llm::Flat::Parameters, flat), k.element());
    Value grad = k.input(g, k.element());
    Value m = k.input(load(llm::Flat::FirstMoments, flat), k.element());
    Value v = k.input(load(llm::Flat::SecondMoments, flat), k.element());
    Value c[kCoefficients];
    for (int i = 0; i < kCoefficients; ++i)
      c[i] = k.input(coefficients, k.at(i));
    Value clipped = k.mul(grad, c[Clip]);
    Value decayed = k.mul(p, c[KeepParameter]);
    Value newM = k.add(m, k.mul(c[OneMinusBeta1], k.sub(clipped, m)));
    Value newV = k.add(k.mul(v, c[KeepSquare]),
                       k.mul(c[OneMinusBeta2], k.mul(clipped, clipped)));
    Value root = math::SqrtOp::create(k.body(), loc, newV);
    Value denominator = k.add(k.div(root, c[CorrectionRoot]), c[Epsilon]);
    Value newP = k.sub(decayed, k.mul(c[StepSize], k.div(newM, denominator)));
    Value applies = arith::CmpFOp::create(
        k.body(), loc, arith::CmpFPredicate::OGT, c[Applies], k.constant(0.0));
    for (auto [fresh, old] : {std::pair(newP, p), {newM, m}, {newV, v}})
      k.yield(arith::SelectOp::create(k.body(), loc, applies, fresh, old), flat,
              k.element());
    if (allocate)
      importance(k, k.mul(newP, clipped), applies, coefficients);
    auto results = named(k.finish(), allocate ? "adamw_importance" : "adamw");
    store(llm::Flat::Parameters, results[0]);
    store(llm::Flat::FirstMoments, results[1]);
    store(llm::Flat::SecondMoments, results[2]);
    if (allocate) {
      store(llm::Flat::Sensitivity, results[3]);
      store(llm::Flat::Uncertainty, results[4]);
    }
  }

  /// The averages of |p g| and of its distance from its average (PEFT
  /// tuners/adalora/layer.py, RankAllocator.update_ipt).
  void importance(RowwiseBuilder &k, Value product, Value applies,
                  Value coefficients) {
    auto absolute = [&](Value v) -> Value {
      return math::AbsFOp::create(k.body(), loc, v);
    };
    double beta1 = allocate.getBeta1().convertToDouble();
    double beta2 = allocate.getBeta2().convertToDouble();
    Value s = k.input(load(llm::Flat::Sensitivity, flat), k.element());
    Value u = k.input(load(llm::Flat::Uncertainty, flat), k.element());
    Value now = absolute(product);
    Value newS =
        k.add(k.mul(k.constant(beta1), s), k.mul(k.constant(1 - beta1), now));
    Value newU =
        k.add(k.mul(k.constant(beta2), u),
              k.mul(k.constant(1 - beta2), absolute(k.sub(now, newS))));
    Value scores = arith::CmpFOp::create(
        k.body(), loc, arith::CmpFPredicate::OGT,
        k.input(coefficients, k.at(Scores)), k.constant(0.0));
    Value moves = arith::AndIOp::create(k.body(), loc, applies, scores);
    for (auto [fresh, old] : {std::pair(newS, s), {newU, u}})
      k.yield(arith::SelectOp::create(k.body(), loc, moves, fresh, old), flat,
              k.element());
  }
};

struct LowerOptimizer : llamac::impl::LowerOptimizerBase<LowerOptimizer> {
  void runOnOperation() override {
    llamac::ParameterLayout layout(getOperation());
    auto grids = getOperation().getOps<shard::GridOp>();
    shard::GridOp grid = grids.empty() ? shard::GridOp() : *grids.begin();
    if (layout.hasParts() && (!grid || grid.getShape().size() != 2)) {
      getOperation().emitError("has parameters that are parts, but no grid");
      return signalPassFailure();
    }
    SmallVector<llm::OptimizerStepOp> steps;
    getOperation().walk([&](llm::OptimizerStepOp op) { steps.push_back(op); });
    for (llm::OptimizerStepOp op : steps) {
      if (op.getHyper().getType().getDimSize(0) != 8) {
        op.emitOpError("hyper must be tensor<8xf64>");
        return signalPassFailure();
      }
      for (auto name : op.getParameters().getAsValueRange<StringAttr>())
        if (auto it = layout.entries.find(name);
            it != layout.entries.end() &&
            !it->second.type.getElementType().isF32()) {
          op.emitOpError("updates '") << name << "' of type " << it->second.type
                                      << ": AdamW goes over float32 only";
          return signalPassFailure();
        }
      llm::AllocateRanksOp allocate;
      for (Operation *next = op->getNextNode(); next && !allocate;
           next = next->getNextNode())
        allocate = dyn_cast<llm::AllocateRanksOp>(next);
      OptimizerLowering(op, allocate, layout, grid).run();
    }
  }
};

} // namespace
