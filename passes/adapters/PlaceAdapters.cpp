//===- PlaceAdapters.cpp - Adapters where the probes say ------------------===//
#include "passes/adapters/AdaptLayers.h"
#include "passes/adapters/Passes.h"
#include "passes/adapters/ProbeFile.h"
#include "passes/adapters/RankBudget.h"

#include "llvm/ADT/MapVector.h"

#include <cmath>

namespace llamac {
#define GEN_PASS_DEF_PLACEADAPTERS
#include "passes/adapters/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct PlaceAdapters : llamac::impl::PlaceAdaptersBase<PlaceAdapters> {
  using PlaceAdaptersBase::PlaceAdaptersBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

  LogicalResult fail(llvm::Error error) {
    return getOperation().emitError("placement: ")
           << llvm::toString(std::move(error));
  }

  LogicalResult run() {
    if (failed(check()))
      return failure();
    auto matcher = llamac::TargetMatcher::create(
        SmallVector<std::string>(targets.begin(), targets.end()));
    if (!matcher)
      return fail(matcher.takeError());
    auto file = llamac::ProbeFile::read(path, statistic);
    if (!file)
      return fail(file.takeError());

    llvm::MapVector<StringRef, RankedTensorType> layers;
    auto matched = llamac::adaptLayers(
        getOperation(), *matcher,
        [&](func::FuncOp, llm::LinearOp layer, StringRef name) {
          layers[name] = cast<RankedTensorType>(layer.getWeight().getType());
        });
    if (failed(matched))
      return failure();
    SmallVector<llamac::RankCandidate> candidates;
    SmallVector<int64_t> perRank;
    bool byRank = budget > 1;
    double whole = 0;
    for (auto &[name, type] : layers) {
      const auto *probed = file->find(name);
      if (!probed)
        return getOperation().emitError("placement: ")
               << path << " has no module '" << name
               << "': it is of another model, or its --probe left it out";
      if (probed->out && (probed->out != type.getDimSize(0) ||
                          probed->in != type.getDimSize(1)))
        return getOperation().emitError("placement: ")
               << path << " is of another model: module '" << name << "' is "
               << probed->out << " x " << probed->in << " there and "
               << type.getDimSize(0) << " x " << type.getDimSize(1) << " here";
      perRank.push_back(type.getDimSize(0) + type.getDimSize(1));
      candidates.push_back({probed->value, byRank ? 1 : perRank.back()});
      whole += static_cast<double>(rank) *
               static_cast<double>(candidates.back().cost);
    }
    if (whole > static_cast<double>(INT64_MAX / 2))
      return getOperation().emitError("placement: r ")
             << rank.getValue() << " is too large";
    auto units = static_cast<int64_t>(
        std::floor(byRank ? budget.getValue() : budget * whole));
    auto ranks =
        rule == "top"
            ? llamac::topRanks(candidates, rank, units)
            : llamac::proportionalRanks(
                  candidates, maxRank ? maxRank.getValue() : 2 * rank, units);
    if (llvm::all_of(ranks, [](int64_t r) { return r == 0; }))
      return getOperation().emitError("placement: a budget of ")
             << units << (byRank ? " ranks" : " parameters")
             << " is too small for a single adapter, or " << statistic
             << " is 0 everywhere";
    record(layers.getArrayRef(), candidates, perRank, ranks, byRank, units,
           static_cast<int64_t>(whole));
    return success();
  }

  LogicalResult check() {
    ModuleOp module = getOperation();
    if (rank <= 0)
      return module.emitError("placement: r must be positive, not ")
             << rank.getValue();
    if (maxRank < 0)
      return module.emitError("placement: max-r must not be negative, but is ")
             << maxRank.getValue();
    if (!(budget > 0 && budget <= 1e15))
      return module.emitError("placement: the budget must be positive: a share "
                              "of the parameters up to 1, or a sum of ranks");
    if (budget > 1 && budget != std::floor(budget))
      return module.emitError("placement: a budget above 1 is a sum of ranks, "
                              "an integer, not ")
             << budget.getValue();
    if (rule != "top" && rule != "proportional")
      return module.emitError("placement: the rule is top or proportional, "
                              "not '")
             << rule << "'";
    if (!StringRef(statistic).contains('.'))
      return module.emitError("placement: a statistic is part.name, as "
                              "weight_gradient.norm, not '")
             << statistic << "'";
    return success();
  }

  void record(ArrayRef<std::pair<StringRef, RankedTensorType>> layers,
              ArrayRef<llamac::RankCandidate> candidates,
              ArrayRef<int64_t> perRank, ArrayRef<int64_t> ranks, bool byRank,
              int64_t units, int64_t whole) {
    Builder b(&getContext());
    SmallVector<Attribute> placed;
    int64_t spent = 0;
    for (auto [layer, candidate, cost, r] :
         llvm::zip_equal(layers, candidates, perRank, ranks)) {
      spent += r * candidate.cost;
      placed.push_back(llm::PlacedModuleAttr::get(
          &getContext(), layer.first, b.getF64FloatAttr(candidate.value), cost,
          r));
    }
    getOperation()->setAttr(
        llm::LlmDialect::kPlacementAttr,
        llm::PlacementAttr::get(&getContext(), statistic, rule,
                                byRank ? "ranks" : "parameters", rank, units,
                                spent, whole, b.getArrayAttr(placed)));
  }
};

} // namespace
