//===- FillPattern.h - A number as the bytes of one element ----*- C++ -*-===//
#pragma once

#include "runtime/plan/plan_generated.h"

#include <cstddef>
#include <cstdint>

namespace llamarun {

namespace fb = ::llama::plan;

/// What Device::fill writes over and over: `size` bytes.
struct FillPattern {
  std::uint8_t bytes[8]{};
  std::size_t size = 0;
};

/// `value` as one element of `dtype`: floats are rounded to nearest even,
/// integers truncated. \throws Error(BadInput) for an unknown dtype.
FillPattern fillPattern(fb::DType dtype, double value);

} // namespace llamarun
