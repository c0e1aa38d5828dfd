#include "runtime/convert/BackgroundSaver.h"

#include "runtime/convert/PartBoxes.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/CheckpointFiles.h"
#include "runtime/io/CheckpointFolder.h"
#include "runtime/io/MappedFile.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdaLoraState.h"
#include "runtime/train/AdapterState.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <unistd.h>

namespace llamarun {

namespace fs = std::filesystem;
using nlohmann::json;

BackgroundSaver::BackgroundSaver(Session &session, Ranks theRanks,
                                 SaverOptions theOptions)
    : session(session), ranks(std::move(theRanks)), grid(session.plan()),
      options(std::move(theOptions)) {
  // Two jobs never build in one place: ranks of one that was killed may live on
  // for a while.
  std::string name =
      std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}());
  if (ranks.first())
    removeLeftovers(options.run);
  token = ranks.fromFirst(name);
}

BackgroundSaver::~BackgroundSaver() = default;

void BackgroundSaver::begin(const TrainingPosition &position,
                            const RunningSums &sums) {
  Save &save = current.emplace();
  save.checkpoint = outlineOf(session.plan());
  save.checkpoint.directory = checkpointPath(options.run, position.step);
  save.checkpoint.position = position;
  save.checkpoint.sums = sums;
  save.building = save.checkpoint.directory;
  save.building += ".tmp-" + token;
  save.reports.resize(ranks.size());
  OwnParts own = copyOwnParts(session, save.checkpoint, grid, ranks.rank());
  if (session.plan().findTensor(fb::Role::State, kKeptTensor))
    save.kept = readKept(session);
  good = false;
  written = std::async(std::launch::async, [this, own = std::move(own)] {
    return write(*current, own);
  });
}

/// Runs beside the steps. Returns {"share": ..., "file": ...} or an error.
std::string BackgroundSaver::write(const Save &save,
                                   const OwnParts &own) const {
  json report = {{"share", save.checkpoint.sums->shares.at(0)}};
  try {
    makeDirectories(save.building);
    report["file"] = writeOwnParts(own, save.checkpoint, save.building);
  } catch (const std::exception &error) {
    report["error"] = error.what();
  }
  return report.dump(-1, ' ', true, json::error_handler_t::replace);
}

std::string BackgroundSaver::take() {
  if (!current || current->told ||
      written.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    return {};
  current->told = true;
  return written.get();
}

void BackgroundSaver::deliver(const std::vector<std::string> &all) {
  if (!current)
    return;
  bool complete = true;
  for (unsigned rank = 0; rank < all.size(); ++rank) {
    if (!all[rank].empty())
      current->reports[rank] = all[rank];
    complete &= !current->reports[rank].empty();
  }
  if (!complete || !ranks.first() || completed.valid())
    return;
  completed = std::async(std::launch::async, [this] {
    try {
      this->complete(*current);
    } catch (const std::exception &error) {
      options.warn("the checkpoint of step " +
                   std::to_string(current->checkpoint.position.step) +
                   " was not saved: " + error.what());
      return false;
    }
    tell(current->checkpoint);
    return true;
  });
}

/// Rank 0's thread: everybody's files are there.
void BackgroundSaver::complete(Save &save) {
  // Removes it unless commit() comes that far.
  CheckpointDirectory directory(save.checkpoint.directory, save.building);
  std::vector<std::string> files;
  auto &sums = *save.checkpoint.sums;
  sums.shares.clear();
  for (unsigned rank = 0; rank < save.reports.size(); ++rank) {
    json report = json::parse(save.reports[rank]);
    if (report.contains("error"))
      fail(ExitCode::Storage, report["error"].get<std::string>());
    files.push_back(report["file"]);
    // The ranks of a replica all know the same: it counts once.
    sums.shares.push_back(ranks.leads(rank) ? report["share"].get<double>()
                                            : 0);
  }
  addReports(save.checkpoint, files);
  writeAdapter(save);
  copyMetrics(save);
  directory.commit(save.checkpoint);
  pruneCheckpoints(options.run, save.checkpoint.position.step,
                   options.totalLimit);
}

void BackgroundSaver::tell(const Checkpoint &saved) const {
  try {
    for (RunObserver *observer : options.observers)
      observer->onSave(saved.position.step, saved.directory);
  } catch (const std::exception &error) {
    options.warn(error.what());
  }
}

/// PEFT's files, from those of the ranks: nothing crosses between them for it.
void BackgroundSaver::writeAdapter(const Save &save) const {
  Checkpoint built = save.checkpoint;
  built.directory = save.building;
  CheckpointReader reader(built);
  AdapterTensors tensors;
  for (auto &[key, tensor] : built.tensors) {
    if (tensor.role != "parameter")
      continue;
    TensorSlice whole{tensor.shape, tensor.shape,
                      Shape(tensor.shape.size(), 0)};
    auto bytes = readBox(reader, built, tensor, whole);
    AdapterTensor &out = tensors[tensor.name];
    out = {tensor.shape, std::vector<float>(whole.elements())};
    toFloat(tensor.dtype, bytes, out.data);
  }
  writeAdapterFiles(session.plan(), save.building, options.baseModel,
                    options.totalSteps, std::move(tensors), save.kept);
}

void BackgroundSaver::copyMetrics(const Save &save) const {
  fs::path path = options.run / kMetricsFile;
  auto file = MappedFile::open(path);
  std::uint64_t bytes = save.checkpoint.sums->metricsBytes;
  if (file.text().size() < bytes)
    fail(ExitCode::Storage, path.string(), ": has become shorter");
  writeFileAtomically(save.building / kMetricsFile,
                      file.text().substr(0, bytes));
}

void BackgroundSaver::drain() {
  if (!current)
    return;
  // Reports are delivered to all ranks alike: all are here, or none is.
  bool reported = true;
  for (auto &report : current->reports)
    reported &= !report.empty();
  if (!reported) {
    if (written.valid())
      written.wait();
    deliver(ranks.gather(take()));
  }
  if (completed.valid())
    good = completed.get();
  current.reset();
}

bool BackgroundSaver::finish() {
  drain();
  // Nobody goes on before it is in its place.
  return ranks.fromFirst(good ? "saved" : "lost") == "saved";
}

} // namespace llamarun
