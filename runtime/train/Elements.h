//===- Elements.h - Values in the dtypes of plans --------------*- C++ -*-===//
#pragma once

#include "runtime/io/DType.h"
#include "runtime/io/Safetensors.h"
#include "runtime/plan/Plan.h"

#include <cstddef>
#include <span>
#include <vector>

namespace llamarun {

/// The safetensors dtype with the same elements.
DType toFileDType(fb::DType dtype);

/// Converts doubles to elements of `dtype`: floating-point types are rounded to
/// nearest even (through float32, which is exact for what is drawn and stored),
/// integers truncate and saturate. `out` has values.size() elements.
void encodeElements(fb::DType dtype, std::span<const double> values,
                    std::span<std::byte> out);

/// The shape of a buffer.
Shape shapeOf(const fb::Buffer &buffer);

/// Product of the extents.
std::uint64_t elementsOf(const Shape &shape);

} // namespace llamarun
