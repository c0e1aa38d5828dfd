#include "runtime/io/CheckpointFolder.h"

#include "runtime/io/CheckpointFiles.h"
#include "runtime/io/Manifest.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace llamarun {

namespace fs = std::filesystem;

static constexpr std::string_view kPrefix = "checkpoint-";

/// The step of a name's start and what follows it.
static std::optional<std::pair<std::uint64_t, std::string_view>>
takeApart(std::string_view name) {
  if (!name.starts_with(kPrefix))
    return std::nullopt;
  name.remove_prefix(kPrefix.size());
  std::uint64_t step = 0;
  auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), step);
  std::string_view digits(name.data(), static_cast<size_t>(end - name.data()));
  if (error != std::errc() || digits != std::to_string(step))
    return std::nullopt;
  return std::pair(step, name.substr(digits.size()));
}

static std::vector<fs::path> entriesOf(const fs::path &run) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator at(run, error), end; !error && at != end;
       at.increment(error))
    if (std::error_code ignored; at->is_directory(ignored))
      entries.push_back(at->path());
  return entries;
}

fs::path checkpointPath(const fs::path &run, std::uint64_t step) {
  return run / (std::string(kPrefix) + std::to_string(step));
}

std::map<std::uint64_t, fs::path> checkpointsIn(const fs::path &run) {
  std::map<std::uint64_t, fs::path> found;
  for (auto &path : entriesOf(run)) {
    std::string name = path.filename().string();
    if (auto parts = takeApart(name); parts && parts->second.empty())
      found[parts->first] = path;
  }
  return found;
}

/// Names the tensor in which a rank's file is damaged, if it can be told.
static void checkTensors(const Checkpoint &checkpoint) {
  CheckpointReader reader(checkpoint);
  for (auto &[key, tensor] : checkpoint.tensors)
    for (std::size_t i = 0; i < tensor.parts.size(); ++i)
      reader.read(tensor, i);
}

Checkpoint openVerified(const fs::path &directory) {
  Manifest manifest;
  try {
    manifest = checkManifest(directory);
  } catch (const Error &) {
    // Better said by what the checkpoint knows of its parts, if it can tell.
    std::optional<Checkpoint> readable;
    try {
      if (fs::exists(directory / kManifestFile))
        readable = Checkpoint::open(directory);
    } catch (const Error &) {
    }
    if (readable)
      checkTensors(*readable);
    throw;
  }
  Checkpoint checkpoint = Checkpoint::open(directory);
  auto require = [&](const std::string &name) {
    if (!manifest.count(name))
      fail(ExitCode::BadInput, (directory / kManifestFile).string(),
           ": does not list ", name, ", which the checkpoint needs");
  };
  require(kCheckpointFile);
  for (auto &[name, file] : checkpoint.files)
    require(name);
  if (checkpoint.sums)
    require(kMetricsFile);
  return checkpoint;
}

namespace {
struct Found {
  std::optional<std::uint64_t> generation; ///< nothing: cannot be read
  std::uint64_t step = 0;
  fs::path path;
};
} // namespace

/// The oldest first. Those that cannot be read lie among the newest generation.
static std::vector<Found> byAge(const fs::path &run) {
  std::vector<Found> all;
  std::uint64_t newest = 0;
  for (auto &[step, path] : checkpointsIn(run)) {
    Found &one = all.emplace_back(std::nullopt, step, path);
    try {
      one.generation = Checkpoint::open(path).generation;
      newest = std::max(newest, *one.generation);
    } catch (const Error &) {
    }
  }
  std::ranges::stable_sort(all, {}, [&](const Found &one) {
    return one.generation.value_or(newest);
  });
  return all;
}

std::optional<Checkpoint> newestComplete(const fs::path &run,
                                         const Warn &warn) {
  auto all = byAge(run);
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    try {
      Checkpoint checkpoint = openVerified(at->path);
      if (checkpoint.position.step != at->step)
        fail(ExitCode::BadInput, (at->path / kCheckpointFile).string(),
             ": is of step ", checkpoint.position.step);
      return checkpoint;
    } catch (const Error &error) {
      warn(at->path.filename().string() + " is skipped: " + error.what());
    }
  }
  return std::nullopt;
}

/// Out of its place in one step: what is half removed is a leftover.
static void removeCheckpoint(const fs::path &directory) {
  fs::path old = directory;
  old += ".old-" + std::to_string(::getpid());
  std::error_code error;
  fs::rename(directory, old, error);
  fs::remove_all(error ? directory : old, error);
}

void pruneCheckpoints(const fs::path &run, std::uint64_t step,
                      std::uint64_t most) {
  if (!most)
    return;
  auto found = checkpointsIn(run);
  found.erase(found.upper_bound(step), found.end());
  for (; found.size() > most; found.erase(found.begin()))
    // Somebody else's of that name is left alone.
    if (fs::exists(found.begin()->second / kCheckpointFile))
      removeCheckpoint(found.begin()->second);
}

/// `<name>.tmp-<pid>`: the adapter and others that are written beside their
/// places (AtomicFile.h).
static void removeTemporaries(const fs::path &run) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator at(run, error), end; !error && at != end;
       at.increment(error)) {
    std::string name = at->path().filename().string();
    auto mark = name.rfind(".tmp-");
    std::error_code ignored;
    if (mark != name.npos && mark > 0 && mark + 5 < name.size() &&
        name.find_first_not_of("0123456789", mark + 5) == name.npos &&
        at->is_regular_file(ignored))
      found.push_back(at->path());
  }
  for (auto &path : found)
    fs::remove(path, error);
}

std::uint64_t nextGeneration(const fs::path &run) {
  std::uint64_t next = 0;
  for (auto &one : byAge(run))
    if (one.generation)
      next = std::max(next, *one.generation + 1);
  return next;
}

void removeOlder(const fs::path &run, std::uint64_t generation) {
  for (auto &one : byAge(run))
    if (one.generation && *one.generation < generation)
      removeCheckpoint(one.path);
}

void removeLeftovers(const fs::path &run) {
  removeTemporaries(run);
  for (auto &path : entriesOf(run)) {
    std::string name = path.filename().string();
    auto parts = takeApart(name);
    if (parts && (parts->second.starts_with(".tmp-") ||
                  parts->second.starts_with(".old-")))
      removeCheckpoint(path);
  }
}

} // namespace llamarun
