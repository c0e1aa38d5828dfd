#include "runtime/train/TensorSlice.h"

#include "runtime/support/Error.h"
#include "runtime/train/Elements.h"

#include <span>

namespace llamarun {

std::uint64_t TensorSlice::elements() const { return elementsOf(local); }

TensorSlice::Run TensorSlice::runAt(std::uint64_t i) const {
  // Dimensions after `inner` are whole: a run spans them and that one.
  std::size_t inner = local.size();
  std::uint64_t block = 1;
  while (inner-- > 0) {
    block *= local[inner];
    if (local[inner] != whole[inner])
      break;
  }
  if (inner >= local.size()) // it was whole, or has no dimension
    return {i, elementsOf(whole) - i};
  std::uint64_t outer = i / block, rest = i % block;
  std::uint64_t index = 0, stride = 1;
  for (std::size_t d = local.size(); d-- > 0;) {
    if (d == inner) {
      index += first[d] * stride + rest;
    } else if (d < inner) {
      index += (first[d] + outer % local[d]) * stride;
      outer /= local[d];
    }
    stride *= whole[d];
  }
  return {index, block - rest};
}

TensorSlice sliceOf(const Plan &plan, const fb::Tensor &tensor,
                    const Grid &grid, unsigned rank) {
  TensorSlice slice;
  slice.local = shapeOf(plan.buffer(tensor.buffer()));
  for (std::size_t d = 0; d < sizeOf(tensor.global_shape()); ++d)
    slice.whole.push_back(tensor.global_shape()->Get(d));
  slice.first.resize(slice.local.size());
  for (std::size_t d = 0; d < sizeOf(tensor.sharding()); ++d) {
    auto *axes = tensor.sharding()->Get(d)->axes();
    if (!sizeOf(axes))
      continue;
    slice.first[d] =
        slice.local[d] * grid.part(rank, std::span(axes->data(), axes->size()));
  }
  for (std::size_t d = 0; d < slice.local.size(); ++d)
    // The verifier lets the last part be smaller; no program computes so.
    if (slice.local[d] == 0 || slice.whole[d] % slice.local[d])
      fail(ExitCode::BadInput, plan.path(), ": tensor '", viewOf(tensor.name()),
           "': dimension ", d, " of ", toString(slice.whole),
           " is not cut into equal parts of ", slice.local[d]);
  return slice;
}

} // namespace llamarun
