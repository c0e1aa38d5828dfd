//===- HfCheckpoint.cpp - Weights of a Hugging Face directory -------------===//
#include "runtime/io/HfCheckpoint.h"

#include "runtime/io/JsonFile.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <system_error>

namespace llamarun {
namespace {

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";

// The index of a 405B model is 0.1 MB.
constexpr size_t kMaxIndexBytes = size_t(16) << 20;

bool isPlainFileName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

bool isThere(const std::filesystem::path &path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

} // namespace

HfCheckpoint HfCheckpoint::open(const std::filesystem::path &directory) {
  HfCheckpoint checkpoint;
  checkpoint.directory = directory;
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored))
    fail(ExitCode::BadInput, directory.string(),
         ": not a directory (expected a Hugging Face model)");

  if (isThere(directory / kSingleFile)) {
    checkpoint.files.push_back(SafetensorsFile::open(directory / kSingleFile));
    for (const TensorView &tensor : checkpoint.files[0].tensors())
      checkpoint.byName.emplace(tensor.name, Location{0, &tensor});
    return checkpoint;
  }

  std::filesystem::path indexPath = directory / kIndexFile;
  if (!isThere(indexPath))
    fail(ExitCode::BadInput, directory.string(), ": neither ", kSingleFile,
         " nor ", kIndexFile,
         isThere(directory / "pytorch_model.bin")
             ? " is here (only pytorch_model.bin; convert it to safetensors)"
             : " is here");
  JsonFile index = JsonFile::open(indexPath, kMaxIndexBytes);
  if (!index.find("weight_map"))
    index.failKey("weight_map", "missing");
  std::map<std::string, std::string> weightMap =
      index.getStringMap("weight_map");

  // All files first: `files` must not grow any more when views are taken.
  std::map<std::string, size_t> fileIndex;
  for (const auto &[tensor, shard] : weightMap) {
    if (fileIndex.count(shard))
      continue;
    if (!isPlainFileName(shard))
      fail(ExitCode::BadInput, indexPath.string(), ": tensor ",
           quoteName(tensor), " is said to be in ", quoteName(shard),
           ", which is not a file name of this directory");
    if (!isThere(directory / shard))
      fail(ExitCode::BadInput, indexPath.string(), ": shard ", quoteName(shard),
           " is missing");
    fileIndex.emplace(shard, checkpoint.files.size());
    checkpoint.files.push_back(SafetensorsFile::open(directory / shard));
  }
  for (const auto &[name, shard] : weightMap) {
    size_t file = fileIndex.at(shard);
    const TensorView *tensor = checkpoint.files[file].find(name);
    if (!tensor)
      fail(ExitCode::BadInput, indexPath.string(), ": tensor ", quoteName(name),
           " is not in the shard it is listed for, ", quoteName(shard));
    checkpoint.byName.emplace(name, Location{file, tensor});
  }
  return checkpoint;
}

const HfCheckpoint::Location &
HfCheckpoint::locate(std::string_view name) const {
  auto it = byName.find(name);
  if (it == byName.end())
    fail(
        ExitCode::BadInput,
        (files.size() == 1 ? files[0].path() : directory / kIndexFile).string(),
        ": tensor ", quoteName(name), " is missing");
  return it->second;
}

const TensorView *HfCheckpoint::find(std::string_view name) const {
  auto it = byName.find(name);
  return it == byName.end() ? nullptr : it->second.tensor;
}

const TensorView &HfCheckpoint::require(std::string_view name,
                                        std::span<const uint64_t> shape) const {
  const Location &location = locate(name);
  if (!std::ranges::equal(location.tensor->shape, shape))
    fail(ExitCode::BadInput, files[location.file].path().string(), ": tensor ",
         quoteName(name), " has shape ", toString(location.tensor->shape),
         ", expected ", toString(shape));
  return *location.tensor;
}

void HfCheckpoint::readFloat(std::string_view name,
                             std::span<const uint64_t> shape,
                             std::span<float> dst) const {
  const TensorView &tensor = require(name, shape);
  files[locate(name).file].readFloat(tensor, dst);
}

std::vector<std::string> HfCheckpoint::names() const {
  std::vector<std::string> result;
  for (const auto &[name, location] : byName)
    result.push_back(name);
  return result;
}

const std::filesystem::path &HfCheckpoint::fileOf(std::string_view name) const {
  return files[locate(name).file].path();
}

uint64_t HfCheckpoint::totalBytes() const {
  uint64_t bytes = 0;
  for (const auto &[name, location] : byName)
    bytes += location.tensor->bytes.size();
  return bytes;
}

} // namespace llamarun
