#include "runtime/convert/Convert.h"

#include "runtime/convert/PlanLayout.h"
#include "runtime/device/Device.h"
#include "runtime/executor/Session.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/CheckpointFiles.h"
#include "runtime/io/MappedFile.h"
#include "runtime/support/Error.h"

namespace llamarun {
namespace {

const fb::Program &reshardProgram(const Plan &plan) {
  auto *program = plan.find(fb::ProgramKind::Reshard, 1);
  if (!program)
    fail(ExitCode::BadInput, plan.path(),
         ": is no plan that changes layouts; compile one with llamac "
         "--reshard-from=... --shard=...");
  return *program;
}

/// The device memory of a tensor: parts are packed (the plan verifier has
/// checked parameters and moments; State has one element).
void *placeOf(Session &session, const fb::Tensor &tensor) {
  return session.range(tensor.buffer()).pointer;
}

void readAll(Session &session, const Checkpoint &checkpoint) {
  const Plan &plan = session.plan();
  CheckpointReader reader(checkpoint);
  for (const fb::Tensor *tensor : checkpointedTensors(plan, fb::Side::Source)) {
    auto bytes =
        reader.read(checkpoint.tensors.at(keyOf(*tensor)), tensor->part());
    session.device().copyToDevice(placeOf(session, *tensor), bytes.data(),
                                  bytes.size());
  }
  reader.finish();
}

/// Writes the files of all ranks and fills in `checkpoint`. Returns the bytes
/// of all parts.
std::uint64_t writeAll(Session &session, Checkpoint &checkpoint,
                       const std::filesystem::path &directory) {
  const Plan &plan = session.plan();
  std::uint64_t total = 0;
  std::map<unsigned, std::vector<const fb::Tensor *>> byOwner;
  for (const fb::Tensor *tensor : checkpointedTensors(plan, fb::Side::Target)) {
    CheckpointTensor entry = describe(plan, *tensor);
    auto [it, isNew] =
        checkpoint.tensors.emplace(keyOf(*tensor), std::move(entry));
    if (isNew)
      it->second.parts.resize(checkpoint.partCount(it->second));
    byOwner[checkpoint.ownerOf(it->second, tensor->part())].push_back(tensor);
  }
  for (auto &[rank, tensors] : byOwner) {
    std::string name = rankFileName(rank);
    std::vector<std::vector<std::byte>> storage;
    std::vector<TensorView> views;
    for (const fb::Tensor *tensor : tensors) {
      CheckpointTensor &entry = checkpoint.tensors.at(keyOf(*tensor));
      auto &bytes = storage.emplace_back(plan.bytes(tensor->buffer()));
      session.device().copyFromDevice(bytes.data(), placeOf(session, *tensor),
                                      bytes.size());
      entry.parts.at(tensor->part()) = {name, hashOf(bytes)};
      views.push_back(
          {entry.key(), entry.dtype, checkpoint.partShape(entry), bytes});
      total += bytes.size();
    }
    checkpoint.files[name] = writeCheckpointFile(directory, name, views);
  }
  return total;
}

} // namespace

ConvertReport convertCheckpoint(std::shared_ptr<const Plan> plan,
                                const std::filesystem::path &in,
                                const std::filesystem::path &out,
                                unsigned threads) {
  const fb::Program &program = reshardProgram(*plan);
  Checkpoint source = Checkpoint::open(in);
  requireLayout(source, *plan, fb::Side::Source);

  DeviceOptions options;
  options.threads = threads;
  Session session(plan, createDevice("cpu", options));
  readAll(session, source);
  CheckpointDirectory building(out);
  session.run(program).wait();

  Checkpoint target;
  target.directory = out;
  target.grid = gridOf(*plan, fb::Side::Target);
  target.position = source.position;
  target.settings = source.settings;
  target.generation = source.generation;
  if (source.sums) {
    target.sums = source.sums->folded();
    auto metrics = MappedFile::open(in / kMetricsFile);
    writeFileAtomically(building.path() / kMetricsFile, metrics.text());
  }
  target.planHash = source.planHash;
  target.modelHash = source.modelHash;
  ConvertReport report;
  report.bytes = writeAll(session, target, building.path());
  building.commit(target);
  report.from = layoutName(source.grid);
  report.to = layoutName(target.grid);
  report.tensors = target.tensors.size();
  return report;
}

} // namespace llamarun
