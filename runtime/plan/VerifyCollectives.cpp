// Collectives: each by itself, and that no two ranks can ever disagree about
// which of them comes next.
//
// All ranks load the same plan, so they have the same list of steps. A
// communicator is one set of axes and one stream (on a CPU host functions have
// one order, whatever their streams), hence its calls are in order within a
// program. What is left are programs of different token buckets, which
// data-parallel ranks may run in one step.
#include "runtime/plan/Ledger.h"
#include "runtime/plan/VerifyContext.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace llamarun::verify {
namespace {

std::uint64_t devicesOf(const Context &context, const fb::Collective &op) {
  std::uint64_t devices = 1;
  for (auto axis : *op.axes())
    devices *= context.plan.grid()->Get(axis)->size();
  return devices;
}

std::string locate(const Context &context, const fb::Program &program,
                   std::size_t step) {
  auto &it = *program.steps()->Get(static_cast<flatbuffers::uoffset_t>(step));
  auto *location = context.plan.locations()->Get(it.location());
  return "step " + std::to_string(step) + " (" +
         nameOf(it.operation_as_Collective()->kind()) + ", " +
         printable(viewOf(location)) + ")";
}

/// What data-parallel ranks must agree on, whatever their buckets.
struct Call {
  fb::CollectiveKind kind;
  std::uint64_t axes; ///< bit mask
  unsigned stream;
  fb::DType dtype;
  std::uint64_t source, target; ///< elements
  std::size_t step;
  auto key() const {
    return std::tuple(stream, axes, kind, dtype, source, target);
  }
};

/// Collectives over "dp": the ranks of such a group may run other programs.
std::vector<Call> dataParallelCalls(const Context &context,
                                    const fb::Program &program) {
  std::vector<Call> calls;
  bool byStream = viewOf(context.plan.target()->kind()) != "cpu";
  for (std::uint32_t i = 0; i < program.steps()->size(); ++i) {
    auto *op = program.steps()->Get(i)->operation_as_Collective();
    if (!op || devicesOf(context, *op) == 1)
      continue;
    std::uint64_t mask = 0;
    bool crosses = false;
    for (auto axis : *op->axes()) {
      auto *its = context.plan.grid()->Get(axis);
      if (its->size() > 1)
        mask |= std::uint64_t{1} << axis;
      crosses |= its->size() > 1 && viewOf(its->name()) == "dp";
    }
    if (crosses)
      calls.push_back(
          {op->kind(), mask,
           byStream ? unsigned{program.steps()->Get(i)->stream()} : 0,
           context.buffer(op->source()).dtype(), context.counts[op->source()],
           context.counts[op->target()], i});
  }
  // Each communicator by itself.
  if (byStream)
    std::stable_sort(calls.begin(), calls.end(), [](auto &x, auto &y) {
      return std::pair(x.stream, x.axes) < std::pair(y.stream, y.axes);
    });
  return calls;
}

/// Programs of one kind, of different buckets, say the same to the ranks that
/// may run another of them.
void checkBuckets(Context &context) {
  struct First {
    const fb::Program *program;
    std::vector<Call> calls;
  };
  std::map<fb::ProgramKind, First> firsts;
  for (auto *program : *context.plan.programs()) {
    auto calls = dataParallelCalls(context, *program);
    auto [it, isFirst] =
        firsts.try_emplace(program->kind(), First{program, calls});
    if (isFirst)
      continue;
    auto &first = it->second;
    std::string names = "programs '" +
                        std::string(viewOf(first.program->name())) + "' and '" +
                        std::string(viewOf(program->name())) + "'";
    for (std::size_t i = 0; i < std::min(calls.size(), first.calls.size()); ++i)
      context.require(
          calls[i].key() == first.calls[i].key(), names,
          " differ in their data-parallel collectives, of which ranks may run "
          "either: number ",
          i, " is ", locate(context, *first.program, first.calls[i].step),
          " of ", first.calls[i].source, " elements, and ",
          locate(context, *program, calls[i].step), " of ", calls[i].source);
    context.require(calls.size() == first.calls.size(), names, " have ",
                    first.calls.size(), " and ", calls.size(),
                    " data-parallel collectives, ranks may run either");
  }
}

} // namespace

void checkCollective(const Context &context, const fb::Collective &op) {
  context.require(op.kind() <= fb::CollectiveKind::MAX,
                  "unknown kind of collective");
  auto *grid = context.plan.grid();
  context.require(sizeOf(op.axes()) != 0, "no grid axis");
  for (std::size_t i = 0; i < sizeOf(op.axes()); ++i) {
    auto at = static_cast<flatbuffers::uoffset_t>(i);
    auto axis = op.axes()->Get(at);
    context.require(axis < sizeOf(grid), "no grid axis ", unsigned{axis});
    context.require(i == 0 || op.axes()->Get(at - 1) < axis,
                    "its axes repeat or do not ascend");
  }
  auto parts = devicesOf(context, op);
  context.checkBuffer(op.source(), "the source");
  checkWritable(context, op.target(), "the target");
  checkPacked(context, op.source(), "the source");
  checkPacked(context, op.target(), "the target");
  auto dtype = context.buffer(op.source()).dtype();
  context.require(dtype == context.buffer(op.target()).dtype(),
                  "source and target differ in dtype");
  bool moves = op.kind() == fb::CollectiveKind::AllGather ||
               op.kind() == fb::CollectiveKind::Broadcast;
  context.require(moves || dtype != fb::DType::U8, "a reduction of ",
                  nameOf(dtype));
  auto source = context.counts[op.source()];
  auto target = context.counts[op.target()];
  bool fits = source == target;
  if (op.kind() == fb::CollectiveKind::AllGather)
    fits = target % parts == 0 && target / parts == source;
  if (op.kind() == fb::CollectiveKind::ReduceScatterSum)
    fits = source % parts == 0 && source / parts == target;
  context.require(fits, "source of ", source, " and target of ", target,
                  " elements over ", parts, " devices");
  auto &from = context.ranges[op.source()];
  auto &to = context.ranges[op.target()];
  if (op.in_kernel()) {
    context.require(viewOf(context.plan.target()->kind()) == "cuda",
                    "a sum in a kernel that is not a GPU's");
    context.require(op.kind() == fb::CollectiveKind::AllReduceSum &&
                        op.source() == op.target(),
                    "only an all_reduce sum in place is taken in a kernel");
    context.require(dtype == fb::DType::F32 || dtype == fb::DType::BF16,
                    "a sum of ", nameOf(dtype), " in a kernel");
    context.require(to.end - to.begin <= kMaxItems,
                    "a sum in a kernel of more than 2^31 bytes");
    // Members that run different programs would count calls differently.
    for (auto axis : *op.axes())
      context.require(
          grid->Get(axis)->size() == 1 ||
              viewOf(grid->Get(axis)->name()) != "dp",
          "a sum over dp in a kernel: ranks may run other programs");
  }
  bool inPlace = from.allocation == to.allocation && from.begin == to.begin &&
                 from.end == to.end;
  context.require(inPlace || !from.overlaps(to),
                  "source and target overlap in part");
}

void checkCollectives(Context &context) { checkBuckets(context); }

} // namespace llamarun::verify
