//===- Report.cpp - What a plan costs -------------------------------------===//
#include "compiler/pipeline/Report.h"

#include "compiler/emit/LocationText.h"
#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "runtime/plan/CollectiveCost.h"

#include "llvm/Support/Format.h"

using namespace mlir;

namespace {

/// 1,234,567
std::string grouped(int64_t n) {
  std::string text = std::to_string(n);
  for (int64_t at = static_cast<int64_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(at, ",");
  return text;
}

/// Which grid axes, by name: "dp", "dp,tp".
std::string axisNames(ModuleOp module, ArrayRef<int64_t> axes) {
  auto grid = module->getAttrOfType<ArrayAttr>(plan::PlanDialect::kGridAttr);
  std::string names;
  for (int64_t axis : axes)
    if (grid && axis >= 0 && axis < static_cast<int64_t>(grid.size()))
      names += (names.empty() ? "" : ",") +
               cast<plan::AxisAttr>(grid[axis]).getName().str();
  return names;
}

int64_t devicesOf(ModuleOp module, ArrayRef<int64_t> axes) {
  auto grid = module->getAttrOfType<ArrayAttr>(plan::PlanDialect::kGridAttr);
  int64_t devices = 1;
  for (int64_t axis : axes)
    if (grid && axis >= 0 && axis < static_cast<int64_t>(grid.size()))
      devices *= cast<plan::AxisAttr>(grid[axis]).getSize();
  return devices;
}

/// What the first program of each kind exchanges, equal ones together. The
/// other programs differ in the sizes of activations only.
void printCollectives(ModuleOp module, llvm::raw_ostream &out) {
  namespace fb = ::llama::plan;
  auto target =
      module->getAttrOfType<plan::TargetAttr>(plan::PlanDialect::kTargetAttr);
  const fb::Link &link = fb::linkOf(target ? target.getKind() : "cpu");
  llvm::SmallDenseSet<int> kinds;
  bool isFirst = true;
  for (auto program : module.getOps<plan::ProgramOp>()) {
    if (!kinds.insert(static_cast<int>(program.getKind())).second)
      continue;
    struct Line {
      std::string text, location;
      int64_t count;
    };
    SmallVector<Line> lines;
    for (auto op : program.getBlock().getOps<plan::CollectiveOp>()) {
      int64_t bytes = 0;
      for (Value side : {op.getSource(), op.getTarget()})
        bytes = std::max(
            bytes, plan::placeBytes(cast<RankedTensorType>(side.getType()))
                       .value_or(0));
      std::string line;
      llvm::raw_string_ostream(line) << llvm::format(
          "%-18s %-8s %16s %12.1f",
          stringifyCollectiveKind(op.getKind()).str().c_str(),
          axisNames(module, op.getAxes()).c_str(), grouped(bytes).c_str(),
          1e6 * fb::secondsOf(
                    link, static_cast<fb::CollectiveKind>(op.getKind()),
                    static_cast<uint64_t>(devicesOf(module, op.getAxes())),
                    static_cast<uint64_t>(bytes)));
      auto *known =
          llvm::find_if(lines, [&](const Line &l) { return l.text == line; });
      if (known == lines.end())
        lines.push_back({line, llamac::locationText(op.getLoc()), 1});
      else
        ++known->count;
    }
    if (lines.empty())
      continue;
    if (isFirst)
      out << "\ncollectives (llamarun inspect lists those of all programs), "
             "times predicted for "
          << link.name << "\n"
          << llvm::format("%-18s %6s %-18s %-8s %16s %12s  %s\n", "program",
                          "count", "kind", "axes", "bytes each", "us each",
                          "first at");
    isFirst = false;
    for (const Line &line : lines)
      out << llvm::format("%-18s %6lld ", program.getSymName().str().c_str(),
                          static_cast<long long>(line.count))
          << line.text << "  " << line.location << "\n";
  }
}

/// Which layers got an adapter, by what, and what is left of the budget.
void printPlacement(llm::PlacementAttr placement, llvm::raw_ostream &out) {
  StringRef unit = placement.getUnit();
  out << "placement by " << placement.getStatistic() << ", rule "
      << placement.getRule() << ": " << grouped(placement.getSpent()) << " of "
      << grouped(placement.getBudget()) << " " << unit
      << llvm::format(" (%.1f %% of the ",
                      100.0 * placement.getSpent() /
                          std::max<int64_t>(placement.getWhole(), 1))
      << grouped(placement.getWhole()) << " of rank " << placement.getRank()
      << " on all)\n"
      << llvm::format("%5s  %-48s %14s %6s %14s\n", "place", "module",
                      "statistic", "rank", "parameters");
  SmallVector<llm::PlacedModuleAttr> modules(
      placement.getModules().getAsRange<llm::PlacedModuleAttr>());
  llvm::stable_sort(modules, [](auto a, auto b) {
    return a.getValue().getValueAsDouble() > b.getValue().getValueAsDouble();
  });
  int64_t adapters = 0;
  for (auto [i, module] : llvm::enumerate(modules)) {
    adapters += module.getRank() > 0;
    out << llvm::format(
        "%5d  %-48s %14.6g %6lld %14s\n", static_cast<int>(i + 1),
        module.getModule().str().c_str(), module.getValue().getValueAsDouble(),
        static_cast<long long>(module.getRank()),
        grouped(module.getRank() * module.getPerRank()).c_str());
  }
  out << adapters << " of " << modules.size() << " layers have an adapter\n\n";
}

} // namespace

void llamac::printReport(ModuleOp module, llvm::raw_ostream &out) {
  if (auto placement = module->getAttrOfType<llm::PlacementAttr>(
          llm::LlmDialect::kPlacementAttr))
    printPlacement(placement, out);
  int64_t frozen = 0, trainable = 0;
  for (auto tensor : module.getOps<plan::TensorOp>()) {
    int64_t elements =
        cast<RankedTensorType>(tensor.getType()).getNumElements();
    if (tensor.getRole() == plan::Role::Weight)
      frozen += elements;
    else if (tensor.getRole() == plan::Role::Parameter)
      trainable += elements;
  }
  out << "parameters            " << grouped(frozen + trainable) << "\n"
      << "trainable parameters  " << grouped(trainable) << " ("
      << llvm::format("%.4f", frozen + trainable
                                  ? 100.0 * trainable / (frozen + trainable)
                                  : 0.0)
      << " %)\n"
      << "kernels               "
      << llvm::range_size(module.getOps<plan::KernelOp>()) << "\n\n";

  out << llvm::format("%-18s %8s %10s %14s %14s %16s\n", "program", "tokens",
                      "steps", "GFLOP", "MB moved", "activations MB");
  for (auto program : module.getOps<plan::ProgramOp>()) {
    int64_t steps = 0;
    for (Operation &op : program.getBlock())
      steps += isa<plan::StepOpInterface>(op);
    out << llvm::format(
        "%-18s %8lld %10lld %14.3f %14.3f %16.3f\n",
        program.getSymName().str().c_str(),
        static_cast<long long>(program.getTokens()),
        static_cast<long long>(steps),
        static_cast<int64_t>(program.getFlops().value_or(0)) / 1e9,
        static_cast<int64_t>(program.getBytes().value_or(0)) / 1e6,
        static_cast<int64_t>(program.getActivationBytes().value_or(0)) / 1e6);
  }

  printCollectives(module, out);

  int64_t bytes[plan::getMaxEnumValForCategory() + 1] = {};
  int64_t total = 0;
  for (auto allocation : module.getOps<plan::AllocationOp>()) {
    bytes[static_cast<int>(allocation.getCategory())] += allocation.getBytes();
    total += allocation.getBytes();
  }
  out << "\npeak memory, bytes\n";
  for (unsigned i = 0; i <= plan::getMaxEnumValForCategory(); ++i)
    if (bytes[i] > 0)
      out << llvm::format(
          "  %-18s %20s\n",
          plan::stringifyCategory(static_cast<plan::Category>(i)).str().c_str(),
          grouped(bytes[i]).c_str());
  out << llvm::format("  %-18s %20s\n", "total", grouped(total).c_str());
}
