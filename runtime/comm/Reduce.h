//===- Reduce.h - Sums of what several ranks sent --------------*- C++ -*-===//
#pragma once

#include "runtime/plan/Plan.h"

#include <cstdint>
#include <span>

namespace llamarun {

enum class Reduction { Sum, Max };

/// Whether reduceInOrder takes this dtype: f32, bf16, f64, i32, i64.
bool isReducible(fb::DType dtype);

/// target[i] = parts[0][i] + parts[1][i] + ..., added in this order, for
/// `count` elements: how the elements are cut into calls never changes a bit.
/// bf16 is added in float32 and rounded once; a NaN wins a maximum; integers
/// wrap. `target` may be one of the parts.
void reduceInOrder(Reduction reduction, fb::DType dtype, void *target,
                   std::span<const void *const> parts, std::uint64_t count);

} // namespace llamarun
