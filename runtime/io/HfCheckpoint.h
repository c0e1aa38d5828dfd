//===- HfCheckpoint.h - Weights of a Hugging Face directory ----*- C++ -*-===//
#pragma once

#include "runtime/io/Safetensors.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// The tensors of `model.safetensors`, or of the shards that
/// `model.safetensors.index.json` lists; the single file wins where both are,
/// as in Transformers. Movable; views stay valid with the object.
class HfCheckpoint {
public:
  /// Maps and validates every file. An index may name only plain files of its
  /// own directory; each tensor it lists must be in the shard it names.
  /// Tensors of a shard that the index does not list are not part of the
  /// checkpoint.
  /// \throws Error(BadInput) naming directory, index, shard or tensor.
  static HfCheckpoint open(const std::filesystem::path &directory);

  /// The tensor, or null.
  const TensorView *find(std::string_view name) const;

  /// The tensor, which must be there with exactly this shape.
  /// \throws Error(BadInput) naming file, tensor, expected and actual shape.
  const TensorView &require(std::string_view name,
                            std::span<const uint64_t> shape) const;

  /// require(), then conversion to float (F16, BF16, F32, F64).
  /// \param dst one float per element, C order.
  /// \throws Error(BadInput) also for other dtypes and for a dst of other size.
  void readFloat(std::string_view name, std::span<const uint64_t> shape,
                 std::span<float> dst) const;

  /// Names of all tensors, sorted.
  std::vector<std::string> names() const;

  /// The file a tensor of this checkpoint lies in. \throws Error(BadInput) if
  /// there is no such tensor.
  const std::filesystem::path &fileOf(std::string_view name) const;

  /// Sum of all tensors' bytes.
  uint64_t totalBytes() const;

private:
  struct Location {
    size_t file;
    const TensorView *tensor;
  };
  const Location &locate(std::string_view name) const;

  std::filesystem::path directory;
  std::vector<SafetensorsFile> files;
  std::map<std::string, Location, std::less<>> byName;
};

} // namespace llamarun
