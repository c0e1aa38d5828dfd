#include "runtime/convert/OwnParts.h"

#include "runtime/convert/PlanLayout.h"
#include "runtime/io/CheckpointFiles.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

namespace llamarun {

using nlohmann::json;

std::size_t partOf(const fb::Tensor &tensor, const Grid &grid, unsigned rank) {
  std::vector<std::uint8_t> axes;
  for (std::uint32_t d = 0; d < sizeOf(tensor.sharding()); ++d)
    if (auto *list = tensor.sharding()->Get(d)->axes())
      axes.insert(axes.end(), list->begin(), list->end());
  return grid.part(rank, axes);
}

Checkpoint outlineOf(const Plan &plan) {
  Checkpoint checkpoint;
  checkpoint.grid = gridOf(plan);
  checkpoint.planHash = plan.hash();
  checkpoint.modelHash = viewOf(plan.root().model_hash());
  for (const fb::Tensor *tensor : checkpointedTensors(plan)) {
    CheckpointTensor entry = describe(plan, *tensor);
    entry.parts.resize(checkpoint.partCount(entry));
    for (std::size_t i = 0; i < entry.parts.size(); ++i)
      entry.parts[i].file = rankFileName(checkpoint.ownerOf(entry, i));
    checkpoint.tensors.emplace(keyOf(*tensor), std::move(entry));
  }
  return checkpoint;
}

OwnParts copyOwnParts(Session &session, const Checkpoint &outline,
                      const Grid &grid, unsigned rank, OwnParts spare) {
  const Plan &plan = session.plan();
  OwnParts own{.rank = rank, .parts = {}};
  std::vector<const fb::Tensor *> tensors;
  std::size_t next = 0;
  for (const fb::Tensor *tensor : checkpointedTensors(plan)) {
    std::string key = keyOf(*tensor);
    const CheckpointTensor &entry = outline.tensors.at(key);
    if (entry.parts[partOf(*tensor, grid, rank)].file != rankFileName(rank))
      continue;
    // The same ones in the same order.
    std::vector<std::byte> bytes;
    if (next < spare.parts.size())
      bytes = std::move(spare.parts[next++].second);
    own.parts.emplace_back(std::move(key), std::move(bytes));
    own.sizes.push_back(plan.bytes(tensor->buffer()));
    tensors.push_back(tensor);
  }
  own.onDevice = session.snapshot(tensors);
  if (own.onDevice)
    return own;
  session.synchronize();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    auto &bytes = own.parts[i].second;
    bytes.resize(own.sizes[i]);
    session.readTensor(tensors[i]->role(), viewOf(tensors[i]->name()), bytes);
  }
  return own;
}

void OwnParts::fetch() {
  if (!onDevice)
    return;
  std::size_t part = 0, done = 0;
  onDevice->read([&](std::span<const std::byte> piece) {
    while (!piece.empty()) {
      auto &bytes = parts.at(part).second;
      if (done == 0) // here, not between two steps: new pages take their time
        bytes.resize(sizes[part]);
      auto count = std::min(piece.size(), bytes.size() - done);
      std::memcpy(bytes.data() + done, piece.data(), count);
      piece = piece.subspan(count);
      if ((done += count) == bytes.size())
        ++part, done = 0;
    }
  });
  onDevice.reset();
}

std::string writeOwnParts(const OwnParts &own, const Checkpoint &outline,
                          const std::filesystem::path &directory) {
  if (own.parts.empty())
    return {};
  std::vector<TensorView> views;
  json hashes = json::object();
  for (auto &[key, bytes] : own.parts) {
    const CheckpointTensor &entry = outline.tensors.at(key);
    views.push_back({key, entry.dtype, outline.partShape(entry), bytes});
    hashes[key] = hashOf(bytes);
  }
  CheckpointFile file =
      writeCheckpointFile(directory, rankFileName(own.rank), views);
  return json{{"bytes", file.bytes}, {"hash", file.hash}, {"parts", hashes}}
      .dump();
}

void addReports(Checkpoint &outline, const std::vector<std::string> &reports) {
  std::vector<json> read;
  for (unsigned rank = 0; rank < reports.size(); ++rank) {
    read.push_back(reports[rank].empty() ? json() : json::parse(reports[rank]));
    if (!read.back().is_null())
      outline.files[rankFileName(rank)] = {
          read.back()["bytes"].get<std::uint64_t>(),
          read.back()["hash"].get<std::string>()};
  }
  for (auto &[key, tensor] : outline.tensors)
    for (std::size_t i = 0; i < tensor.parts.size(); ++i)
      tensor.parts[i].hash =
          read.at(outline.ownerOf(tensor, i)).at("parts").at(key);
}

} // namespace llamarun
