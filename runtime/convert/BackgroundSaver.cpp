#include "runtime/convert/BackgroundSaver.h"

#include "runtime/convert/PartBoxes.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/CheckpointFiles.h"
#include "runtime/io/CheckpointFolder.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/SafetensorsHeader.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdaLoraState.h"
#include "runtime/train/AdapterState.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <unistd.h>
#include <utility>

namespace llamarun {

namespace fs = std::filesystem;
using nlohmann::json;

/// What ranks say to each other: a letter, and what follows it.
static constexpr char kWritten = 'w'; ///< a rank's report
static constexpr char kSaved = 's', kLost = 'l';

/// The most that one rank has to write.
static std::uint64_t mostBytes(const Checkpoint &outline) {
  std::map<std::string, std::uint64_t> byFile;
  std::uint64_t most = 0;
  for (auto &[key, tensor] : outline.tensors)
    for (auto &part : tensor.parts)
      most = std::max(
          most, byFile[part.file] +=
                byteCount(tensor.dtype, outline.partShape(tensor)).value_or(0));
  return most;
}

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
  auto bytes = std::max<std::uint64_t>(1, mostBytes(outlineOf(session.plan())));
  mostWaiting = std::max<std::uint64_t>(1, options.waitingBytes / bytes);
}

BackgroundSaver::~BackgroundSaver() = default;

void BackgroundSaver::begin(const TrainingPosition &position,
                            const RunningSums &sums, bool urgent) {
  // First the room, then the copy.
  leaveOut(urgent ? 0 : mostWaiting - (current ? 1 : 0));
  auto save = std::make_unique<Save>();
  save->checkpoint = outlineOf(session.plan());
  save->checkpoint.directory = checkpointPath(options.run, position.step);
  save->checkpoint.position = position;
  save->checkpoint.sums = sums;
  save->checkpoint.settings = options.settings;
  save->checkpoint.generation = options.generation;
  save->building = save->checkpoint.directory;
  save->building += ".tmp-" + token;
  save->reports.resize(ranks.size());
  save->own = copyOwnParts(session, save->checkpoint, grid, ranks.rank(),
                           std::exchange(spare, {}));
  // At once, though the save may wait: the device keeps one snapshot.
  if (save->own.onDevice)
    save->fetched =
        std::async(std::launch::async, [own = &save->own] { own->fetch(); });
  if (session.plan().findTensor(fb::Role::State, kKeptTensor))
    save->kept = readKept(session);
  waiting.push_back(std::move(save));
  startNext();
}

/// Until at most so many wait.
void BackgroundSaver::leaveOut(std::size_t most) {
  for (; waiting.size() > most; waiting.pop_front())
    if (ranks.first())
      options.warn("the checkpoint of step " +
                   std::to_string(waiting.front()->checkpoint.position.step) +
                   " is left out: those before it are still being written");
}

void BackgroundSaver::startNext() {
  if (current || waiting.empty())
    return;
  current = std::move(waiting.front());
  waiting.pop_front();
  good = false;
  written = std::async(std::launch::async,
                       [this, save = current.get()] { return write(*save); });
}

/// Runs beside the steps. Returns {"share": ..., "file": ...} or an error.
std::string BackgroundSaver::write(Save &save) const {
  json report = {{"share", save.checkpoint.sums->shares.at(0)}};
  try {
    if (save.fetched.valid())
      save.fetched.get();
    makeDirectories(save.building);
    report["file"] = writeOwnParts(save.own, save.checkpoint, save.building);
  } catch (const std::exception &error) {
    report["error"] = error.what();
  }
  return report.dump(-1, ' ', true, json::error_handler_t::replace);
}

template <typename T> static bool isReady(const std::future<T> &future) {
  return future.valid() &&
         future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

std::string BackgroundSaver::take() {
  if (current && !current->told && isReady(written)) {
    current->told = true;
    std::string report = written.get();
    spare = std::move(current->own);
    return kWritten + report;
  }
  if (isReady(completed))
    return {completed.get() ? kSaved : kLost};
  return {};
}

void BackgroundSaver::deliver(const std::vector<std::string> &all) {
  if (!current)
    return;
  bool complete = true;
  for (unsigned rank = 0; rank < all.size(); ++rank) {
    if (all[rank].starts_with(kWritten))
      current->reports[rank] = all[rank].substr(1);
    complete &= !current->reports[rank].empty();
  }
  // Rank 0's word ends it for everybody.
  if (char word = all.at(0).empty() ? kWritten : all[0][0]; word != kWritten) {
    good = word == kSaved;
    current.reset();
    startNext();
  } else if (complete && ranks.first() && !completed.valid()) {
    completed =
        std::async(std::launch::async, [this] { return completeAndTell(); });
  }
}

/// Rank 0's thread.
bool BackgroundSaver::completeAndTell() {
  try {
    complete(*current);
  } catch (const std::exception &error) {
    std::error_code ignored;
    fs::remove_all(current->building, ignored);
    options.warn("the checkpoint of step " +
                 std::to_string(current->checkpoint.position.step) +
                 " was not saved: " + error.what());
    return false;
  }
  tell(current->checkpoint);
  return true;
}

/// Everybody's files are there.
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
  if (options.replaces)
    removeOlder(options.run, options.generation);
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

/// With signs of life: a slow disk is no rank that hangs.
template <typename T>
void BackgroundSaver::await(const std::future<T> &future) const {
  if (future.valid())
    while (future.wait_for(std::chrono::seconds(1)) !=
           std::future_status::ready)
      ranks.progress();
}

bool BackgroundSaver::finish() {
  while (current) {
    if (current->told)
      await(completed);
    else
      await(written);
    deliver(ranks.gather(take()));
  }
  return good;
}

} // namespace llamarun
