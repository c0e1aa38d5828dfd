//===- SafetensorsHeader.h - The JSON header of .safetensors ---*- C++ -*-===//
#pragma once

#include "runtime/io/Safetensors.h"

#include <optional>
#include <string_view>
#include <vector>

namespace llamarun {

/// One entry as the header states it; nothing about its offsets is checked yet.
struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::F32;
  Shape shape;
  uint64_t begin = 0; ///< bytes from the start of the data
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries; ///< in the order of the text
  SafetensorsMetadata metadata;
};

/// Parses the JSON text of a header, without building a document: memory is
/// proportional to the entries, and nesting is limited by the format's three
/// levels. Refuses duplicate names and fields, unknown fields and dtypes.
/// \throws Error(BadInput) with `path` and what is wrong.
SafetensorsHeader parseSafetensorsHeader(std::string_view text,
                                         const std::filesystem::path &path);

/// Bytes that `shape` of `dtype` takes, or nothing where that overflows 64 bits
/// or is not a whole number of bytes (sub-byte dtypes).
std::optional<uint64_t> byteCount(DType dtype, std::span<const uint64_t> shape);

} // namespace llamarun
