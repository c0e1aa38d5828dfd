#include "runtime/trace/StepCosts.h"

#include "runtime/plan/CollectiveCost.h"
#include "runtime/plan/Ledger.h"
#include "runtime/plan/Verify.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace llamarun {
namespace {

/// "a.mlir:62:13 x.lora + layers.0" is a position, then names; either may be
/// missing (compiler/emit/LocationText.cpp).
void splitLocation(const std::string &text, StepCost &cost) {
  auto space = text.find(' ');
  auto head = text.substr(0, space);
  bool position = head.find(':') != head.npos && !head.empty() &&
                  std::isdigit(static_cast<unsigned char>(head.back()));
  if (!position) {
    cost.name = text;
    return;
  }
  cost.position = head;
  if (space != text.npos)
    cost.name = text.substr(space + 1);
}

class Costs {
public:
  explicit Costs(const Plan &plan) : plan(plan) {}

  StepCost of(const fb::Step &step) const {
    StepCost cost;
    cost.operation = nameOf(step.operation_type());
    cost.title = cost.operation;
    cost.stream = step.stream();
    splitLocation(
        printable(viewOf(plan.root().locations()->Get(step.location()))), cost);
    if (auto *gemm = step.operation_as_Gemm())
      addGemm(*gemm, cost);
    else if (auto *launch = step.operation_as_Launch())
      addLaunch(*launch, cost);
    else if (auto *copy = step.operation_as_Copy())
      cost.bytes = bytes(copy->source()) + bytes(copy->target());
    else if (auto *fill = step.operation_as_Fill())
      cost.bytes = bytes(fill->target());
    else if (auto *collective = step.operation_as_Collective())
      addCollective(*collective, cost);
    return cost;
  }

private:
  const Plan &plan;

  double bytes(std::uint32_t buffer) const {
    return static_cast<double>(plan.bytes(buffer));
  }

  void addGemm(const fb::Gemm &gemm, StepCost &cost) const {
    auto m = static_cast<double>(gemm.m()), n = static_cast<double>(gemm.n()),
         k = static_cast<double>(gemm.k());
    auto size = [&](std::uint32_t i) {
      return static_cast<double>(sizeOf(plan.buffer(i).dtype()));
    };
    cost.shape = std::to_string(gemm.m()) + "x" + std::to_string(gemm.n()) +
                 "x" + std::to_string(gemm.k());
    cost.title = std::string("gemm ") + nameOf(plan.buffer(gemm.a()).dtype()) +
                 "->" + nameOf(plan.buffer(gemm.d()).dtype()) + " " +
                 (gemm.transpose_a() ? "t" : "n") +
                 (gemm.transpose_b() ? "t " : "n ") + cost.shape +
                 (gemm.beta() != 0 ? " +" : "");
    cost.flops = 2 * m * n * k;
    cost.bytes = m * k * size(gemm.a()) + n * k * size(gemm.b()) +
                 (gemm.beta() != 0 ? 2 : 1) * m * n * size(gemm.d());
  }

  void addLaunch(const fb::Launch &launch, StepCost &cost) const {
    auto &kernel = *plan.root().kernels()->Get(launch.kernel());
    cost.title = printable(viewOf(kernel.symbol()));
    cost.detail = printable(viewOf(kernel.description()));
    for (auto *list : {launch.reads(), launch.writes()})
      for (std::uint32_t i = 0; i < sizeOf(list); ++i)
        cost.bytes += bytes(list->Get(i));
    auto scalar = [&](std::uint32_t i) {
      return i < sizeOf(launch.scalars())
                 ? static_cast<double>(
                       std::max<std::int64_t>(0, launch.scalars()->Get(i)))
                 : 0;
    };
    // Products that llamac gave to kernels of its own (SkinnyGemm.h,
    // FactorGradients.cpp: m, n, k; tokens).
    if (cost.detail == "product with few columns") {
      cost.flops = 2 * scalar(0) * scalar(1) * scalar(2);
    } else if (cost.detail == "gradients of adapter factors") {
      for (std::uint32_t i = 0; i < sizeOf(launch.writes()); ++i)
        cost.flops +=
            2 * scalar(0) *
            static_cast<double>(plan.elements(launch.writes()->Get(i)));
    }
  }

  void addCollective(const fb::Collective &op, StepCost &cost) const {
    for (auto axis : *op.axes()) {
      auto &its = *plan.root().grid()->Get(axis);
      cost.axes +=
          (cost.axes.empty() ? "" : ",") + printable(viewOf(its.name()));
      if (its.size() > 1)
        cost.group |= std::uint64_t{1} << axis;
      cost.devices *= its.size();
    }
    auto larger = std::max(plan.bytes(op.source()), plan.bytes(op.target()));
    cost.predicted =
        fb::secondsOf(linkOf(plan), op.kind(), cost.devices, larger);
    cost.bytes = static_cast<double>(larger);
    cost.title = std::string(nameOf(op.kind())) + " over " + cost.axes + ", " +
                 nameOf(plan.buffer(op.source()).dtype()) + " " +
                 std::to_string(larger) + " B";
  }
};

/// A program counts attention's FLOPs, too; its kernels do not say how many:
/// two products forward, five backward (passes/lower/ProgramLowering.cpp).
void shareAttention(double programFlops, std::vector<StepCost> &costs) {
  auto products = [](const StepCost &cost) {
    return cost.detail == "attention"        ? 2.0
           : cost.detail == "attention_grad" ? 5.0
                                             : 0.0;
  };
  double rest = programFlops, all = 0;
  for (auto &cost : costs) {
    rest -= cost.flops;
    all += products(cost);
  }
  for (auto &cost : costs)
    if (products(cost) > 0 && rest > 0)
      cost.flops = rest * products(cost) / all;
}

} // namespace

std::vector<StepCost> stepCosts(const Plan &plan, const fb::Program &program) {
  Costs costs(plan);
  std::vector<StepCost> result;
  auto &steps = *program.steps();
  for (std::uint32_t i = 0; i < steps.size(); ++i)
    result.push_back(costs.of(*steps.Get(i)));
  // A sum in a kernel is taken by the next step of its stream (plan.fbs).
  for (std::uint32_t i = 0; i < steps.size(); ++i)
    if (auto *op = steps.Get(i)->operation_as_Collective();
        op && op->in_kernel())
      for (auto next = i + 1; next < steps.size(); ++next)
        if (steps.Get(next)->stream() == steps.Get(i)->stream()) {
          result[i].takenBy = next;
          break;
        }
  shareAttention(static_cast<double>(program.flops()), result);
  return result;
}

} // namespace llamarun
