#include "runtime/convert/PlanLayout.h"

#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"
#include "runtime/train/Elements.h"

#include <set>

namespace llamarun {
namespace {

std::string roleName(fb::Role role) {
  switch (role) {
  case fb::Role::Parameter:
    return "parameter";
  case fb::Role::FirstMoment:
    return "first_moment";
  case fb::Role::SecondMoment:
    return "second_moment";
  case fb::Role::Sensitivity:
    return "sensitivity";
  case fb::Role::Uncertainty:
    return "uncertainty";
  default:
    return "state";
  }
}

std::string show(const CheckpointSplit &split) {
  std::string text = "[";
  for (auto &axes : split) {
    text += text.size() > 1 ? ", [" : "[";
    for (auto &axis : axes)
      text += (text.back() == '[' ? "" : ", ") + axis;
    text += "]";
  }
  return text + "]";
}

/// One layout, or one tensor, is not the other.
[[noreturn]] void rejectLayout(const Checkpoint &checkpoint, const Plan &plan,
                               fb::Side side) {
  std::string have = layoutName(checkpoint.grid);
  std::string want = layoutName(gridOf(plan, side));
  std::string in = (checkpoint.directory / kCheckpointFile).string();
  if (side == fb::Side::Source)
    fail(ExitCode::BadInput, in, ": is laid out for ", have, ", but ",
         plan.path(), " converts from ", want,
         "; compile it with "
         "--reshard-from=",
         have);
  fail(ExitCode::BadInput, in, ": is laid out for ", have, ", the plan for ",
       want, "; convert it: llamac MODEL --reshard-from=", have,
       " --shard=", want,
       " ... -o reshard.fb, then llamarun convert "
       "reshard.fb --in ",
       checkpoint.directory.string(), " --out NEW");
}

} // namespace

bool isCheckpointed(fb::Role role) {
  return role == fb::Role::Parameter || role == fb::Role::FirstMoment ||
         role == fb::Role::SecondMoment || role == fb::Role::State ||
         role == fb::Role::Sensitivity || role == fb::Role::Uncertainty;
}

static const auto *axesOf(const Plan &plan, fb::Side side) {
  switch (side) {
  case fb::Side::Source:
    return plan.root().source_grid();
  case fb::Side::Target:
    return plan.root().target_grid();
  case fb::Side::Own:
    break;
  }
  return plan.root().grid();
}

CheckpointGrid gridOf(const Plan &plan, fb::Side side) {
  CheckpointGrid grid;
  auto *axes = axesOf(plan, side);
  for (std::uint32_t i = 0; i < sizeOf(axes); ++i)
    if (auto *axis = axes->Get(i); axis->size() > 1)
      grid.push_back({std::string(viewOf(axis->name())), axis->size()});
  return grid;
}

std::string keyOf(const fb::Tensor &tensor) {
  return roleName(tensor.role()) + "/" + std::string(viewOf(tensor.name()));
}

CheckpointTensor describe(const Plan &plan, const fb::Tensor &tensor) {
  CheckpointTensor result;
  result.name = viewOf(tensor.name());
  result.role = roleName(tensor.role());
  result.dtype = toFileDType(plan.buffer(tensor.buffer()).dtype());
  for (std::uint32_t d = 0; d < sizeOf(tensor.global_shape()); ++d)
    result.shape.push_back(tensor.global_shape()->Get(d));
  result.split.resize(result.shape.size());
  auto *grid = axesOf(plan, tensor.side());
  for (std::uint32_t d = 0; d < sizeOf(tensor.sharding()); ++d) {
    auto *axes = tensor.sharding()->Get(d)->axes();
    for (std::uint32_t i = 0; i < sizeOf(axes); ++i)
      if (auto *axis = grid->Get(axes->Get(i)); axis->size() > 1)
        result.split[d].emplace_back(viewOf(axis->name()));
  }
  return result;
}

std::vector<const fb::Tensor *> checkpointedTensors(const Plan &plan,
                                                    fb::Side side) {
  std::vector<const fb::Tensor *> tensors;
  for (std::size_t i = 0; i < plan.tensorCount(); ++i)
    if (isCheckpointed(plan.tensor(i).role()) && plan.tensor(i).side() == side)
      tensors.push_back(&plan.tensor(i));
  return tensors;
}

static void requireSame(const Checkpoint &checkpoint, const Plan &plan,
                        fb::Side side, bool sameSplits);

void requireTensors(const Checkpoint &checkpoint, const Plan &plan,
                    fb::Side side) {
  requireSame(checkpoint, plan, side, false);
}

void requireLayout(const Checkpoint &checkpoint, const Plan &plan,
                   fb::Side side) {
  CheckpointGrid grid = checkpoint.grid;
  std::erase_if(grid,
                [](const CheckpointAxis &axis) { return axis.size == 1; });
  if (grid != gridOf(plan, side))
    rejectLayout(checkpoint, plan, side);
  requireSame(checkpoint, plan, side, true);
}

static void requireSame(const Checkpoint &checkpoint, const Plan &plan,
                        fb::Side side, bool sameSplits) {
  std::string in = (checkpoint.directory / kCheckpointFile).string();
  if (viewOf(plan.root().model_hash()) != checkpoint.modelHash)
    fail(ExitCode::BadInput, in, ": was trained from another model file than ",
         plan.path(), " is for");
  std::set<std::string> known;
  for (const fb::Tensor *tensor : checkpointedTensors(plan, side)) {
    CheckpointTensor want = describe(plan, *tensor);
    std::string key = want.key();
    known.insert(key);
    auto found = checkpoint.tensors.find(key);
    if (found == checkpoint.tensors.end())
      fail(ExitCode::BadInput, in, ": tensor ", quoteName(key),
           ", which the plan has, is missing; was it trained with another "
           "--adapter?");
    const CheckpointTensor &have = found->second;
    if (have.dtype != want.dtype || have.shape != want.shape)
      fail(ExitCode::BadInput, in, ": tensor ", quoteName(key), " is ",
           nameOf(have.dtype), " ", toString(have.shape), ", the plan's ",
           nameOf(want.dtype), " ", toString(want.shape));
    if (sameSplits && have.split != want.split)
      fail(ExitCode::BadInput, in, ": tensor ", quoteName(key), " is split ",
           show(have.split), ", the plan's ", show(want.split),
           "; llamarun convert changes the layout");
  }
  for (auto &[key, tensor] : checkpoint.tensors)
    if (!known.count(key))
      fail(ExitCode::BadInput, in, ": tensor ", quoteName(key),
           " is not in the plan; was it trained with another --adapter?");
}

} // namespace llamarun
