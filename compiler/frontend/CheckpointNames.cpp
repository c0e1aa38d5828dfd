//===- CheckpointNames.cpp - Tensor names of a HF checkpoint --------------===//
#include "compiler/frontend/CheckpointNames.h"

#include "compiler/frontend/JsonFile.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace llamac {

// The header of an 8B checkpoint has 40 KB, the index of a 405B one 100 KB.
static constexpr uint64_t kMaxJsonBytes = 16 << 20;

/// Reads `size` bytes at `offset`; fails if there are fewer.
static Error readExactly(sys::fs::file_t file, StringRef path, uint64_t offset,
                         MutableArrayRef<char> into) {
  while (!into.empty()) {
    Expected<size_t> count = sys::fs::readNativeFileSlice(file, into, offset);
    if (!count)
      return fileError(path, toString(count.takeError()));
    if (*count == 0)
      return fileError(path, "is truncated");
    offset += *count;
    into = into.drop_front(*count);
  }
  return Error::success();
}

/// safetensors: u64 little-endian length of a JSON header, the header, data.
static Expected<json::Object> readHeader(StringRef path) {
  Expected<sys::fs::file_t> file = sys::fs::openNativeFileForRead(path);
  if (!file)
    return fileError(path, toString(file.takeError()));
  scope_exit close([&] { sys::fs::closeFile(*file); });
  char prefix[8];
  if (Error error = readExactly(*file, path, 0, prefix))
    return error;
  uint64_t length = support::endian::read64le(prefix);
  sys::fs::file_status status;
  if (std::error_code error = sys::fs::status(path, status))
    return fileError(path, error.message());
  if (length > kMaxJsonBytes || length > status.getSize() - sizeof(prefix))
    return fileError(path, "header claims " + Twine(length) +
                               " bytes, the file has " +
                               Twine(status.getSize()) + " and the limit is " +
                               Twine(kMaxJsonBytes));
  std::string text(length, '\0');
  if (Error error = readExactly(*file, path, sizeof(prefix), text))
    return error;
  return parseJsonObject(text, path);
}

/// Every shard of the index lies in the directory itself.
static Error checkShards(StringRef dir, StringRef index,
                         const json::Object &weights) {
  StringSet<> seen;
  for (auto &[name, value] : weights) {
    std::optional<StringRef> shard = value.getAsString();
    if (!shard || shard->empty())
      return fileError(index, "weight_map gives no file for " +
                                  briefly(StringRef(name)));
    if (*shard != sys::path::filename(*shard) || *shard == ".." ||
        *shard == "." || shard->contains('\\') || shard->contains('\0'))
      return fileError(index, briefly(*shard) +
                                  " is not a file name in this directory");
    SmallString<256> path(dir);
    sys::path::append(path, *shard);
    if (seen.insert(*shard).second && !sys::fs::is_regular_file(path))
      return fileError(index,
                       "names " + briefly(*shard) + ", which is not there");
  }
  return Error::success();
}

Expected<std::optional<CheckpointNames>> readCheckpointNames(StringRef dir) {
  SmallString<256> single(dir), index(dir);
  sys::path::append(single, "model.safetensors");
  sys::path::append(index, "model.safetensors.index.json");
  CheckpointNames result;

  if (sys::fs::is_regular_file(single)) {
    Expected<json::Object> header = readHeader(single);
    if (!header)
      return header.takeError();
    result.path = single.str();
    for (auto &[name, value] : *header)
      if (name != "__metadata__")
        result.names.insert(name);
    return std::optional(std::move(result));
  }
  if (!sys::fs::exists(index))
    return std::nullopt;
  Expected<json::Object> object = readJsonObject(index, kMaxJsonBytes);
  if (!object)
    return object.takeError();
  const json::Object *weights = object->getObject("weight_map");
  if (!weights)
    return fileError(index, "weight_map is missing or not an object");
  if (Error error = checkShards(dir, index, *weights))
    return error;
  result.path = index.str();
  for (auto &[name, value] : *weights)
    result.names.insert(name);
  return std::optional(std::move(result));
}

} // namespace llamac
