//===- Report.cpp - What a plan costs -------------------------------------===//
#include "compiler/pipeline/Report.h"

#include "dialects/plan/PlanDialect.h"

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

} // namespace

void llamac::printReport(ModuleOp module, llvm::raw_ostream &out) {
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
