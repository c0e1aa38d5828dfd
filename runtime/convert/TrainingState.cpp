#include "runtime/convert/TrainingState.h"

#include "runtime/convert/PlanLayout.h"
#include "runtime/io/CheckpointFiles.h"
#include "runtime/support/Error.h"

#include <nlohmann/json.hpp>
#include <optional>

namespace llamarun {
namespace {

using nlohmann::json;

/// Which part of a tensor a rank has.
std::size_t partOf(const fb::Tensor &tensor, const Grid &grid, unsigned rank) {
  std::vector<std::uint8_t> axes;
  for (std::uint32_t d = 0; d < sizeOf(tensor.sharding()); ++d)
    if (auto *list = tensor.sharding()->Get(d)->axes())
      axes.insert(axes.end(), list->begin(), list->end());
  return grid.part(rank, axes);
}

/// The checkpoint of a plan, but for what its files hold.
Checkpoint outline(const Plan &plan) {
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

/// Writes what is this rank's to write. Returns what rank 0 has to know of it:
/// size and hash of the file, hashes of the parts; empty if it owns nothing.
std::string writeOwn(Session &session, const Checkpoint &checkpoint,
                     const Grid &grid, unsigned rank,
                     const std::filesystem::path &directory) {
  const Plan &plan = session.plan();
  std::string name = rankFileName(rank);
  std::vector<std::vector<std::byte>> storage;
  std::vector<TensorView> views;
  json hashes = json::object();
  for (const fb::Tensor *tensor : checkpointedTensors(plan)) {
    std::string key = keyOf(*tensor);
    const CheckpointTensor &entry = checkpoint.tensors.at(key);
    if (entry.parts[partOf(*tensor, grid, rank)].file != name)
      continue;
    auto &bytes = storage.emplace_back(plan.bytes(tensor->buffer()));
    session.readTensor(tensor->role(), viewOf(tensor->name()), bytes);
    views.push_back({key, entry.dtype, checkpoint.partShape(entry), bytes});
    hashes[key] = hashOf(bytes);
  }
  if (views.empty())
    return {};
  CheckpointFile file = writeCheckpointFile(directory, name, views);
  return json{{"bytes", file.bytes}, {"hash", file.hash}, {"parts", hashes}}
      .dump();
}

/// Puts together what the ranks say.
void complete(Checkpoint &checkpoint, const std::vector<std::string> &reports) {
  std::vector<json> read;
  for (unsigned rank = 0; rank < reports.size(); ++rank) {
    read.push_back(reports[rank].empty() ? json() : json::parse(reports[rank]));
    if (!read.back().is_null())
      checkpoint.files[rankFileName(rank)] = {
          read.back()["bytes"].get<std::uint64_t>(),
          read.back()["hash"].get<std::string>()};
  }
  for (auto &[key, tensor] : checkpoint.tensors)
    for (std::size_t i = 0; i < tensor.parts.size(); ++i)
      tensor.parts[i].hash =
          read.at(checkpoint.ownerOf(tensor, i)).at("parts").at(key);
}

} // namespace

std::vector<std::string> gatherAlone(std::string_view mine) {
  return {std::string(mine)};
}

void saveCheckpoint(Session &session, const Grid &grid, unsigned rank,
                    const TrainingPosition &position,
                    const std::filesystem::path &directory,
                    const Gather &gather) {
  session.synchronize();
  Checkpoint checkpoint = outline(session.plan());
  checkpoint.position = position;
  checkpoint.directory = directory;
  std::optional<CheckpointDirectory> building;
  if (rank == 0)
    building.emplace(directory);
  std::string place = gather(building ? building->path().string() : "").at(0);
  std::string mine = writeOwn(session, checkpoint, grid, rank, place);
  std::vector<std::string> reports = gather(mine);
  if (building) {
    complete(checkpoint, reports);
    building->commit(checkpoint);
  }
  gather(""); // nobody goes on before it is in its place
}

TrainingPosition loadCheckpoint(Session &session, const Grid &grid,
                                unsigned rank,
                                const std::filesystem::path &directory) {
  Checkpoint checkpoint = Checkpoint::open(directory);
  const Plan &plan = session.plan();
  requireLayout(checkpoint, plan);
  CheckpointReader reader(checkpoint);
  auto tensors = checkpointedTensors(plan);
  std::vector<std::span<const std::byte>> parts;
  for (const fb::Tensor *tensor : tensors)
    parts.push_back(reader.read(checkpoint.tensors.at(keyOf(*tensor)),
                                partOf(*tensor, grid, rank)));
  reader.finish();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    session.writeTensor(tensors[i]->role(), viewOf(tensors[i]->name()),
                        parts[i]);
  return checkpoint.position;
}

} // namespace llamarun
