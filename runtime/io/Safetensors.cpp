//===- Safetensors.cpp - Reader of .safetensors ---------------------------===//
#include "runtime/io/Safetensors.h"

#include "runtime/io/QuoteName.h"
#include "runtime/io/SafetensorsHeader.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace llamarun {

std::string toString(std::span<const uint64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text.append(i ? ", " : "").append(std::to_string(shape[i]));
  return text.append("]");
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path &path) {
  SafetensorsFile result(MappedFile::open(path));
  std::span<const std::byte> all = result.file.bytes();
  uint64_t headerBytes = 0;
  if (all.size() < sizeof(headerBytes))
    fail(ExitCode::BadInput, path.string(), ": ", all.size(),
         " bytes are too few for a safetensors file");
  std::memcpy(&headerBytes, all.data(), sizeof(headerBytes));
  if (headerBytes > kMaxHeaderBytes)
    fail(ExitCode::BadInput, path.string(), ": header of ", headerBytes,
         " bytes is larger than the ", kMaxHeaderBytes,
         " allowed (not a safetensors file?)");
  if (headerBytes > all.size() - sizeof(headerBytes))
    fail(ExitCode::BadInput, path.string(), ": truncated: header of ",
         headerBytes, " bytes in a file of ", all.size());
  std::span<const std::byte> data =
      all.subspan(sizeof(headerBytes) + headerBytes);

  SafetensorsHeader header = parseSafetensorsHeader(
      result.file.text().substr(sizeof(headerBytes), headerBytes), path);
  std::sort(header.entries.begin(), header.entries.end(),
            [](const SafetensorsEntry &a, const SafetensorsEntry &b) {
              return std::tie(a.begin, a.end, a.name) <
                     std::tie(b.begin, b.end, b.name);
            });

  uint64_t next = 0;
  result.views.reserve(header.entries.size());
  for (SafetensorsEntry &entry : header.entries) {
    auto refuse = [&](const auto &...what) {
      fail(ExitCode::BadInput, path.string(), ": tensor ",
           quoteName(entry.name), ": ", what...);
    };
    if (entry.end < entry.begin)
      refuse("data_offsets [", entry.begin, ", ", entry.end, "] run backwards");
    if (entry.begin != next)
      refuse("data at byte ", entry.begin,
             entry.begin > next ? " leave a hole after byte "
                                : " overlap the tensor that ends at byte ",
             next);
    std::optional<uint64_t> bytes = byteCount(entry.dtype, entry.shape);
    if (!bytes)
      refuse("shape ", toString(entry.shape), " of ", nameOf(entry.dtype),
             " overflows or is not a whole number of bytes");
    if (*bytes != entry.end - entry.begin)
      refuse("shape ", toString(entry.shape), " of ", nameOf(entry.dtype),
             " takes ", *bytes, " bytes, data_offsets give ",
             entry.end - entry.begin);
    if (entry.end > data.size())
      refuse("truncated: data end at byte ", entry.end, " of ", data.size());
    next = entry.end;
    result.views.push_back({std::move(entry.name), entry.dtype,
                            std::move(entry.shape),
                            data.subspan(entry.begin, *bytes)});
  }
  if (next != data.size())
    fail(ExitCode::BadInput, path.string(), ": ", data.size() - next,
         " bytes after the last tensor");

  result.byName.reserve(result.views.size());
  for (size_t i = 0; i < result.views.size(); ++i)
    result.byName.emplace(result.views[i].name, i);
  result.meta = std::move(header.metadata);
  return result;
}

const TensorView *SafetensorsFile::find(std::string_view name) const {
  auto it = byName.find(name);
  return it == byName.end() ? nullptr : &views[it->second];
}

void SafetensorsFile::readFloat(const TensorView &tensor,
                                std::span<float> dst) const {
  try {
    toFloat(tensor.dtype, tensor.bytes, dst);
  } catch (const Error &error) {
    fail(error.code(), path().string(), ": tensor ", quoteName(tensor.name),
         ": ", error.what());
  }
}

} // namespace llamarun
