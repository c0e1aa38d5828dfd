// Collectives: each by itself, and that no two ranks can ever disagree about
// which of them comes next.
//
// All ranks load the same plan, so they have the same list of steps. Two things
// are left by which they could differ: streams that are not ordered, of which
// each rank may run the one or the other first, and programs of different token
// buckets, which data-parallel ranks may run in one step.
#include "runtime/plan/Ledger.h"
#include "runtime/plan/VerifyContext.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace llamarun::verify {
namespace {

std::uint64_t devicesOf(const Context &context, const fb::Collective &op) {
  std::uint64_t devices = 1;
  for (auto axis : *op.axes())
    devices *= context.plan.grid()->Get(axis)->size();
  return devices;
}

/// What a step is known to come after: for each stream the number of its steps
/// that are done when this one begins.
using Clock = std::vector<std::uint32_t>;

/// Steps that wait for nothing but their own stream are ordered within it; a
/// wait adds all that the step waited for came after.
class Order {
public:
  Order(const fb::Program &program) : own(program.streams(), 0) {
    clocks.reserve(program.steps()->size());
    std::vector<Clock> streams(program.streams(), Clock(program.streams(), 0));
    for (auto *step : *program.steps()) {
      auto &clock = streams[step->stream()];
      for (std::size_t j = 0; j < sizeOf(step->waits()); ++j) {
        auto &other =
            clocks[step->waits()->Get(static_cast<flatbuffers::uoffset_t>(j))];
        for (std::size_t s = 0; s < clock.size(); ++s)
          clock[s] = std::max(clock[s], other[s]);
      }
      clock[step->stream()] = ++own[step->stream()];
      clocks.push_back(clock);
    }
  }

  /// Whether step `late` begins after step `early` of `stream` has ended.
  bool comesAfter(std::size_t late, std::size_t early, unsigned stream) const {
    return clocks[late][stream] >= clocks[early][stream];
  }

private:
  std::vector<Clock> clocks; ///< by step, itself included
  std::vector<std::uint32_t> own;
};

std::string locate(const Context &context, const fb::Program &program,
                   std::size_t step) {
  auto &it = *program.steps()->Get(static_cast<flatbuffers::uoffset_t>(step));
  auto *location = context.plan.locations()->Get(it.location());
  return "step " + std::to_string(step) + " (" +
         nameOf(it.operation_as_Collective()->kind()) + ", " +
         printable(viewOf(location)) + ")";
}

/// Each collective comes after the one before it, on whatever streams they are:
/// communicators of one rank share that rank.
void checkOrder(Context &context, const fb::Program &program) {
  std::optional<std::size_t> before;
  auto &steps = *program.steps();
  std::vector<std::size_t> found;
  for (std::uint32_t i = 0; i < steps.size(); ++i)
    if (auto *op = steps.Get(i)->operation_as_Collective())
      if (devicesOf(context, *op) > 1)
        found.push_back(i);
  if (found.size() < 2 || program.streams() == 1)
    return;
  Order order(program);
  for (auto i : found) {
    if (before) {
      auto stream =
          steps.Get(static_cast<flatbuffers::uoffset_t>(*before))->stream();
      context.require(order.comesAfter(i, *before, stream),
                      locate(context, program, i), " is not ordered after ",
                      locate(context, program, *before),
                      ": ranks may run them in different orders");
    }
    before = i;
  }
}

/// What data-parallel ranks must agree on, whatever their buckets.
struct Call {
  fb::CollectiveKind kind;
  std::uint64_t axes; ///< bit mask
  fb::DType dtype;
  std::uint64_t source, target; ///< elements
  std::size_t step;
  auto key() const { return std::tuple(kind, axes, dtype, source, target); }
};

/// Collectives over "dp": the ranks of such a group may run other programs.
std::vector<Call> dataParallelCalls(const Context &context,
                                    const fb::Program &program) {
  std::vector<Call> calls;
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
      calls.push_back({op->kind(), mask, context.buffer(op->source()).dtype(),
                       context.counts[op->source()],
                       context.counts[op->target()], i});
  }
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
  bool inPlace = from.allocation == to.allocation && from.begin == to.begin &&
                 from.end == to.end;
  context.require(inPlace || !from.overlaps(to),
                  "source and target overlap in part");
}

void checkCollectives(Context &context) {
  for (auto *program : *context.plan.programs()) {
    context.where = "program '" + std::string(viewOf(program->name())) + "': ";
    checkOrder(context, *program);
  }
  context.where.clear();
  checkBuckets(context);
}

} // namespace llamarun::verify
