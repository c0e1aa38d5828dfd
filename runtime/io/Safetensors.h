//===- Safetensors.h - Reader and writer of .safetensors -------*- C++ -*-===//
//
// Layout: u64 header length N (little-endian), N bytes of JSON, data.
// Source: safetensors/src/tensor.rs of the reference implementation; the rules
// checked here are all of its, and a few on top (see open()).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/io/DType.h"
#include "runtime/io/MappedFile.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace llamarun {

class AtomicFile;

/// Extents, outermost first (C order); empty for a scalar.
using Shape = std::vector<uint64_t>;

/// "[8, 384]", for messages.
std::string toString(std::span<const uint64_t> shape);

/// A tensor that lies somewhere else: in a mapped file or in the caller's
/// memory. Data are little-endian, C order, of any alignment.
struct TensorView {
  std::string name;
  DType dtype = DType::F32;
  Shape shape;
  std::span<const std::byte> bytes;

  /// Number of elements; the shape has been checked not to overflow.
  size_t elements() const { return bytes.size() * 8 / bitsOf(dtype); }
};

using SafetensorsMetadata = std::map<std::string, std::string>;

/// A validated, memory-mapped file. Movable; views stay valid with the object.
class SafetensorsFile {
public:
  /// Largest header accepted, as in the reference implementation.
  static constexpr uint64_t kMaxHeaderBytes = 100'000'000;

  /// Maps and validates: header length within the file and the cap, strict
  /// JSON that starts with '{', no duplicate names, known dtypes, shapes that
  /// do not overflow, offsets that tile the data from 0 without hole or
  /// overlap, byte counts that agree with dtype and shape, and a file that
  /// ends with the last tensor. Unlike the reference, unknown fields of an
  /// entry are refused: nobody knows what they would mean for the data.
  /// \throws Error(BadInput) naming file and tensor.
  static SafetensorsFile open(const std::filesystem::path &path);

  /// All tensors in the order of their data.
  const std::vector<TensorView> &tensors() const { return views; }

  /// The tensor of that name, or null.
  const TensorView *find(std::string_view name) const;

  /// Copies a tensor of this file to float.
  /// \param dst one float per element.
  /// \throws Error(BadInput) naming file and tensor if its dtype is not a
  ///   floating-point type or dst has another size.
  void readFloat(const TensorView &tensor, std::span<float> dst) const;

  /// `__metadata__`; empty if there is none.
  const SafetensorsMetadata &metadata() const { return meta; }
  const std::filesystem::path &path() const { return file.path(); }

private:
  explicit SafetensorsFile(MappedFile mapped) : file(std::move(mapped)) {}

  MappedFile file;
  std::vector<TensorView> views;
  // Keys point into `views`, whose elements never move again.
  std::unordered_map<std::string_view, size_t> byName;
  SafetensorsMetadata meta;
};

/// Metadata without which Transformers refuses a file.
SafetensorsMetadata defaultSafetensorsMetadata();

/// Writes a file atomically (AtomicFile.h), byte for byte as the Python
/// package does: tensors by descending dtype, then name; header padded with
/// spaces to a multiple of 8.
/// \throws Error(Storage) on write errors; Error(BadInput) naming the tensor
///   on duplicate names, names that are not UTF-8, or sizes that do not match.
void writeSafetensors(
    const std::filesystem::path &path, std::span<const TensorView> tensors,
    const SafetensorsMetadata &metadata = defaultSafetensorsMetadata());

/// The same into a file that the caller commits.
void writeSafetensors(
    AtomicFile &file, std::span<const TensorView> tensors,
    const SafetensorsMetadata &metadata = defaultSafetensorsMetadata());

} // namespace llamarun
