#include "runtime/convert/TrainingState.h"

#include "runtime/convert/OwnParts.h"
#include "runtime/convert/PartBoxes.h"
#include "runtime/convert/PlanLayout.h"
#include "runtime/io/CheckpointFiles.h"
#include "runtime/support/Error.h"

#include <optional>

namespace llamarun {

std::vector<std::string> gatherAlone(std::string_view mine) {
  return {std::string(mine)};
}

void saveCheckpoint(Session &session, const Grid &grid, unsigned rank,
                    const TrainingPosition &position,
                    const std::filesystem::path &directory,
                    const Gather &gather) {
  Checkpoint checkpoint = outlineOf(session.plan());
  checkpoint.position = position;
  checkpoint.directory = directory;
  OwnParts own = copyOwnParts(session, checkpoint, grid, rank);
  own.fetch();
  std::optional<CheckpointDirectory> building;
  if (rank == 0)
    building.emplace(directory);
  std::string place = gather(building ? building->path().string() : "").at(0);
  std::string mine = writeOwnParts(own, checkpoint, place);
  std::vector<std::string> reports = gather(mine);
  if (building) {
    addReports(checkpoint, reports);
    building->commit(checkpoint);
  }
  gather(""); // nobody goes on before it is in its place
}

Checkpoint loadCheckpoint(Session &session, const Grid &grid, unsigned rank,
                          const std::filesystem::path &directory) {
  Checkpoint checkpoint = Checkpoint::open(directory);
  const Plan &plan = session.plan();
  requireTensors(checkpoint, plan);
  CheckpointReader reader(checkpoint);
  auto tensors = checkpointedTensors(plan);
  std::vector<std::vector<std::byte>> parts;
  for (const fb::Tensor *tensor : tensors)
    parts.push_back(readBox(reader, checkpoint,
                            checkpoint.tensors.at(keyOf(*tensor)),
                            sliceOf(plan, *tensor, grid, rank)));
  reader.finish();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    session.writeTensor(tensors[i]->role(), viewOf(tensors[i]->name()),
                        parts[i]);
  return checkpoint;
}

} // namespace llamarun
