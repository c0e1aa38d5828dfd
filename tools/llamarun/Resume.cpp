#include "tools/llamarun/Resume.h"

#include "runtime/convert/PlanLayout.h"
#include "runtime/convert/TrainingState.h"
#include "runtime/io/CheckpointFolder.h"
#include "runtime/io/Manifest.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/PeftAdapter.h"
#include "runtime/support/Error.h"

#include <cstdio>
#include <tuple>

namespace llamarun {

namespace fs = std::filesystem;

void printWarning(const std::string &text) {
  std::fprintf(stderr, "llamarun: warning: %s\n", text.c_str());
}

void prepareOutput(const fs::path &directory, bool overwrite) {
  if (overwrite)
    return; // nothing is lost before the new run has something
  auto refuse = [&](const std::string &name) {
    fail(ExitCode::Usage, directory.string(), ": already holds ", name,
         "; give another --output-dir, --resume or --overwrite-output-dir");
  };
  for (const char *name :
       {kAdapterWeightsFile, kAdapterConfigFile, kMetricsFile})
    if (fs::exists(directory / name))
      refuse(name);
  if (auto found = checkpointsIn(directory); !found.empty())
    refuse(found.rbegin()->second.filename().string());
}

bool ResumeFlag::continues(const fs::path &output) const {
  if (!given)
    return false;
  if (where.empty())
    return true;
  fs::path there = fs::weakly_canonical(where),
           here = fs::weakly_canonical(output);
  return there == here || there.parent_path() == here;
}

static Checkpoint openNamed(const fs::path &directory) {
  // Those of --save-checkpoint by older builds have no manifest.
  return fs::exists(directory / kManifestFile) ? openVerified(directory)
                                               : Checkpoint::open(directory);
}

std::string ResumeFlag::choose(const fs::path &output,
                               const Ranks &ranks) const {
  std::string chosen;
  try {
    if (ranks.first()) {
      fs::path in = where.empty() ? output : fs::path(where);
      if (fs::exists(in / kCheckpointFile)) {
        chosen = openNamed(in).directory.string();
      } else if (auto newest = newestComplete(in, printWarning)) {
        chosen = newest->directory.string();
      } else if (!where.empty() &&
                 in.filename().string().starts_with("checkpoint-")) {
        Checkpoint::open(in); // says what is wrong
      } else if (!where.empty()) {
        fail(ExitCode::BadInput, in.string(), ": holds no complete checkpoint");
      } else if (fs::exists(in / kAdapterConfigFile)) {
        fail(ExitCode::Usage, in.string(),
             ": holds an adapter but no complete checkpoint to go on from; "
             "give another --output-dir");
      } else {
        printWarning(in.string() +
                     ": no complete checkpoint yet: training begins");
      }
    }
    return ranks.fromFirst(chosen);
  } catch (const Error &error) {
    ranks.fail(error);
    throw;
  }
}

std::uint64_t ResumeFlag::generation(const fs::path &output,
                                     const std::string &from) const {
  if (from.empty() || !continues(output))
    return nextGeneration(output);
  bool named = !where.empty() && fs::exists(fs::path(where) / kCheckpointFile);
  // Back to an older one: those after it are another branch.
  if (named)
    if (auto newest = newestComplete(output, [](auto &) {});
        !newest || !fs::equivalent(newest->directory, from))
      return nextGeneration(output);
  return Checkpoint::open(from).generation;
}

void resumeFrom(const std::string &directory, Session &session,
                const Ranks &ranks, const RunSettings &settings,
                TrainOptions &options) {
  try {
    Checkpoint from =
        loadCheckpoint(session, Grid(session.plan()), ranks.rank(), directory);
    const TrainingPosition &at = from.position;
    for (auto [flag, mine, its] :
         {std::tuple("--seed", options.seed, at.seed),
          std::tuple("--data-seed", options.dataSeed, at.dataSeed)})
      if (mine != its)
        fail(ExitCode::Usage, directory, ": is of a run with ", flag, " ", its,
             ", not ", mine, "; give the same to go on");
    std::string warning =
        requireSameSettings(directory, from.settings, settings);
    if (!warning.empty() && ranks.first())
      printWarning(warning);
    options.firstStep = at.step;
    options.sums = from.sums;
    if (!from.sums)
      return;
    if (from.grid != gridOf(session.plan()))
      options.sums = from.sums->folded();
    if (ranks.first())
      options.metricsSoFar =
          MappedFile::open(from.directory / kMetricsFile).text();
  } catch (const Error &error) {
    ranks.fail(error);
    throw;
  }
}

} // namespace llamarun
