#include "runtime/convert/PartBoxes.h"

#include "runtime/io/DType.h"

#include <algorithm>
#include <cstring>

namespace llamarun {

TensorSlice boxOfPart(const Checkpoint &checkpoint,
                      const CheckpointTensor &tensor, std::size_t i) {
  TensorSlice box{tensor.shape, checkpoint.partShape(tensor), {}};
  box.first.resize(tensor.shape.size());
  // Parts are in the order of the dimensions, the last of them fastest.
  for (std::size_t d = tensor.shape.size(); d-- > 0;) {
    std::uint64_t cuts = box.whole[d] / box.local[d];
    box.first[d] = i % cuts * box.local[d];
    i /= cuts;
  }
  return box;
}

/// Copies what two boxes of a tensor have in common from one to the other.
static void copyCommon(const TensorSlice &from, std::span<const std::byte> in,
                       const TensorSlice &to, std::span<std::byte> out,
                       std::size_t size) {
  std::size_t rank = to.whole.size();
  Shape low(rank), high(rank);
  for (std::size_t d = 0; d < rank; ++d) {
    low[d] = std::max(from.first[d], to.first[d]);
    high[d] =
        std::min(from.first[d] + from.local[d], to.first[d] + to.local[d]);
    if (low[d] >= high[d])
      return;
  }
  auto offset = [](const TensorSlice &box, const Shape &at) {
    std::uint64_t place = 0;
    for (std::size_t d = 0; d < at.size(); ++d)
      place = place * box.local[d] + (at[d] - box.first[d]);
    return place;
  };
  std::uint64_t run = rank ? high[rank - 1] - low[rank - 1] : 1;
  for (Shape at = low;;) {
    std::memcpy(out.data() + offset(to, at) * size,
                in.data() + offset(from, at) * size, run * size);
    // The next row: a counter over all dimensions but the last.
    std::size_t d = rank ? rank - 1 : 0;
    while (d > 0 && ++at[d - 1] == high[d - 1]) {
      at[d - 1] = low[d - 1];
      --d;
    }
    if (d == 0)
      return;
  }
}

std::vector<std::byte> readBox(CheckpointReader &reader,
                               const Checkpoint &checkpoint,
                               const CheckpointTensor &tensor,
                               const TensorSlice &wanted) {
  std::size_t size = bitsOf(tensor.dtype) / 8; // the plan has whole bytes
  std::vector<std::byte> bytes(wanted.elements() * size);
  for (std::size_t i = 0; i < tensor.parts.size(); ++i) {
    TensorSlice box = boxOfPart(checkpoint, tensor, i);
    bool meets = true;
    for (std::size_t d = 0; d < box.whole.size(); ++d)
      meets &= box.first[d] < wanted.first[d] + wanted.local[d] &&
               wanted.first[d] < box.first[d] + box.local[d];
    if (meets)
      copyCommon(box, reader.read(tensor, i), wanted, bytes, size);
  }
  return bytes;
}

} // namespace llamarun
