//===- PartBoxes.h - Any box of a tensor from a checkpoint -----*- C++ -*-===//
#pragma once

#include "runtime/io/CheckpointFiles.h"
#include "runtime/train/TensorSlice.h"

#include <cstddef>
#include <vector>

namespace llamarun {

/// Where part `i` of a checkpoint's tensor lies in the whole.
TensorSlice boxOfPart(const Checkpoint &checkpoint,
                      const CheckpointTensor &tensor, std::size_t i);

/// The elements of `wanted`, row-major, put together from the parts that meet
/// it, whatever the checkpoint's layout is.
/// \throws Error(BadInput) as CheckpointReader::read().
std::vector<std::byte> readBox(CheckpointReader &reader,
                               const Checkpoint &checkpoint,
                               const CheckpointTensor &tensor,
                               const TensorSlice &wanted);

} // namespace llamarun
