//===- PlanLayout.h - A plan's tensors as a checkpoint has them -*- C++ -*-===//
#pragma once

#include "runtime/io/Checkpoint.h"
#include "runtime/plan/Plan.h"

#include <string_view>
#include <vector>

namespace llamarun {

/// True for what a checkpoint holds: parameters, their moments, State tensors.
bool isCheckpointed(fb::Role role);

/// The grid of the plan, or, in a plan that changes layouts, of a side. Axes of
/// one device are left out: equal layouts have equal grids.
CheckpointGrid gridOf(const Plan &plan, fb::Side side = fb::Side::Own);

/// Name, role, dtype, whole shape and split of a tensor; no parts.
CheckpointTensor describe(const Plan &plan, const fb::Tensor &tensor);

/// The checkpoint's key of a tensor.
std::string keyOf(const fb::Tensor &tensor);

/// The plan's tensors of a side that a checkpoint holds, in the plan's order.
std::vector<const fb::Tensor *>
checkpointedTensors(const Plan &plan, fb::Side side = fb::Side::Own);

/// \throws Error(BadInput) naming what differs: the model, a tensor's dtype or
///   whole shape, or tensors that only one of the two has. The layout may be
///   any.
void requireTensors(const Checkpoint &checkpoint, const Plan &plan,
                    fb::Side side = fb::Side::Own);

/// \throws Error(BadInput) naming what differs, and how to convert it: the
///   checkpoint's grid, model, or a tensor's dtype, shape or split, or tensors
///   that only one of the two has.
void requireLayout(const Checkpoint &checkpoint, const Plan &plan,
                   fb::Side side = fb::Side::Own);

} // namespace llamarun
