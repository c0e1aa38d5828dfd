//===- SafetensorsWriter.cpp - Writer of .safetensors ---------------------===//
#include "runtime/io/AtomicFile.h"
#include "runtime/io/QuoteName.h"
#include "runtime/io/Safetensors.h"
#include "runtime/io/SafetensorsHeader.h"
#include "runtime/support/Error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>

namespace llamarun {
namespace {

std::string jsonString(const std::string &text,
                       const std::filesystem::path &path) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception &) {
    fail(ExitCode::BadInput, path.string(), ": name ", quoteName(text),
         " is not UTF-8");
  }
}

std::vector<const TensorView *> inFileOrder(std::span<const TensorView> tensors,
                                            const std::filesystem::path &path) {
  std::vector<const TensorView *> order;
  for (const TensorView &tensor : tensors)
    order.push_back(&tensor);
  std::sort(
      order.begin(), order.end(), [](const TensorView *a, const TensorView *b) {
        return a->dtype != b->dtype ? a->dtype > b->dtype : a->name < b->name;
      });
  std::vector<std::string_view> names;
  for (const TensorView *tensor : order) {
    names.push_back(tensor->name);
    if (tensor->name == "__metadata__")
      fail(ExitCode::BadInput, path.string(),
           ": '__metadata__' cannot be a tensor's name");
    if (byteCount(tensor->dtype, tensor->shape) != tensor->bytes.size())
      fail(ExitCode::BadInput, path.string(), ": tensor ",
           quoteName(tensor->name), ": ", tensor->bytes.size(),
           " bytes do not match ", toString(tensor->shape), " of ",
           nameOf(tensor->dtype));
  }
  std::sort(names.begin(), names.end());
  if (auto twice = std::adjacent_find(names.begin(), names.end());
      twice != names.end())
    fail(ExitCode::BadInput, path.string(), ": tensor ", quoteName(*twice),
         " given twice");
  return order;
}

} // namespace

SafetensorsMetadata defaultSafetensorsMetadata() { return {{"format", "pt"}}; }

void writeSafetensors(AtomicFile &file, std::span<const TensorView> tensors,
                      const SafetensorsMetadata &metadata) {
  const std::filesystem::path &path = file.target();
  std::vector<const TensorView *> order = inFileOrder(tensors, path);

  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto &[key, value] : metadata)
      header += jsonString(key, path) + ":" + jsonString(value, path) + ",";
    header.back() = '}';
    header += ',';
  }
  uint64_t offset = 0;
  for (const TensorView *tensor : order) {
    header += jsonString(tensor->name, path) + ":{\"dtype\":\"";
    header += nameOf(tensor->dtype);
    header += "\",\"shape\":[";
    for (size_t i = 0; i < tensor->shape.size(); ++i)
      header.append(i ? "," : "").append(std::to_string(tensor->shape[i]));
    header += "],\"data_offsets\":[" + std::to_string(offset) + ",";
    offset += tensor->bytes.size();
    header += std::to_string(offset) + "]},";
  }
  if (header.back() == ',')
    header.back() = '}';
  else
    header += '}';
  // The data then start 8-byte aligned.
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (header.size() > SafetensorsFile::kMaxHeaderBytes)
    fail(ExitCode::BadInput, path.string(), ": header of ", header.size(),
         " bytes is larger than the format allows");

  uint64_t headerBytes = header.size();
  file.write(std::as_bytes(std::span(&headerBytes, 1)));
  file.write(header);
  for (const TensorView *tensor : order)
    file.write(tensor->bytes);
}

void writeSafetensors(const std::filesystem::path &path,
                      std::span<const TensorView> tensors,
                      const SafetensorsMetadata &metadata) {
  AtomicFile file(path);
  writeSafetensors(file, tensors, metadata);
  file.commit();
}

} // namespace llamarun
