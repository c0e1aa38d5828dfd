#include "runtime/io/Checkpoint.h"

#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstdio>

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

namespace llamarun {

std::string layoutName(const CheckpointGrid &grid) {
  std::string name;
  for (const CheckpointAxis &axis : grid) {
    if (axis.size == 1)
      continue;
    name += name.empty() ? "" : ",";
    name += (axis.name == "dp" ? "ddp" : axis.name) + std::to_string(axis.size);
  }
  return name.empty() ? "ddp1" : name;
}

RunningSums RunningSums::folded() const {
  RunningSums sums = *this;
  for (double share : shares) {
    sums.loss += share;
    sums.taskLoss += share;
    sums.allLoss += share;
  }
  sums.shares.clear();
  return sums;
}

std::string rankFileName(unsigned rank) {
  char text[32];
  std::snprintf(text, sizeof text, "rank-%05u.safetensors", rank);
  return text;
}

std::string hashOf(std::span<const std::byte> bytes) {
  XXH128_canonical_t hash;
  XXH128_canonicalFromHash(&hash, XXH3_128bits(bytes.data(), bytes.size()));
  std::string text;
  for (unsigned char byte : hash.digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::uint64_t Checkpoint::cutsOf(const CheckpointTensor &tensor,
                                 std::size_t d) const {
  std::uint64_t cuts = 1;
  if (d < tensor.split.size())
    for (const std::string &name : tensor.split[d])
      for (const CheckpointAxis &axis : grid)
        if (axis.name == name)
          cuts *= axis.size;
  return cuts;
}

std::size_t Checkpoint::partCount(const CheckpointTensor &tensor) const {
  std::size_t count = 1;
  for (std::size_t d = 0; d < tensor.split.size(); ++d)
    count *= cutsOf(tensor, d);
  return count;
}

Shape Checkpoint::partShape(const CheckpointTensor &tensor) const {
  Shape shape = tensor.shape;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    auto cuts = cutsOf(tensor, d);
    if (shape[d] % cuts)
      fail(ExitCode::BadInput, (directory / kCheckpointFile).string(),
           ": tensor ", quoteName(tensor.key()), ": dimension ", d, " of ",
           toString(tensor.shape), " has no ", cuts, " equal parts");
    shape[d] /= cuts;
  }
  return shape;
}

unsigned Checkpoint::ownerOf(const CheckpointTensor &tensor,
                             std::size_t part) const {
  // Indices along the axes that split, the last of them fastest; 0 along
  // others.
  std::map<std::string_view, std::size_t> index;
  for (std::size_t d = tensor.split.size(); d-- > 0;)
    for (std::size_t i = tensor.split[d].size(); i-- > 0;)
      for (const CheckpointAxis &axis : grid)
        if (axis.name == tensor.split[d][i]) {
          index[axis.name] = part % axis.size;
          part /= axis.size;
        }
  std::size_t rank = 0;
  for (const CheckpointAxis &axis : grid) {
    auto at = index.find(axis.name);
    rank = rank * axis.size + (at == index.end() ? 0 : at->second);
  }
  return static_cast<unsigned>(rank);
}

} // namespace llamarun
