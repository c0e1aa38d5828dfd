#include "runtime/train/Probe.h"

#include "runtime/data/Sampler.h"
#include "runtime/support/Error.h"
#include "runtime/train/TaskData.h"

#include <cmath>
#include <cstring>
#include <string_view>

namespace llamarun {
namespace {

const fb::Program *anyProbe(const Plan &plan) {
  for (std::size_t i = 0; i < plan.programCount(); ++i)
    if (plan.program(i).kind() == fb::ProgramKind::Probe)
      return &plan.program(i);
  return nullptr;
}

/// This rank's part of a batch, as `modules` without numbers.
void readOwn(const ProbeRun &run, std::vector<ProbedModule> &modules) {
  for (auto &module : modules) {
    struct Part {
      const char *suffix;
      Moments *moments;
      std::uint64_t columns;
    };
    for (auto &part :
         {Part{":input", &module.input, module.in},
          Part{":output", &module.output, module.out},
          Part{":output_gradient", &module.outputGradient, module.out}}) {
      auto rows = run.read(module.name + part.suffix, run.rows * 4);
      // Padding comes after the last token.
      for (std::size_t t = 0; t < run.tokens && !rows.empty(); ++t)
        part.moments->addRow(std::span<const float, 4>(&rows[4 * t], 4),
                             static_cast<double>(part.columns));
    }
    auto sums = run.read(module.name + ":weight_gradient", 3);
    if (sums.empty())
      continue;
    double elements =
        static_cast<double>(module.out) * static_cast<double>(module.in);
    module.weight = {1, std::sqrt(static_cast<double>(sums[0])),
                     static_cast<double>(sums[2]) / elements,
                     std::sqrt(static_cast<double>(sums[1]))};
  }
}

std::string modulesJson(const std::vector<ProbedModule> &modules,
                        const char *before) {
  std::string text = "{";
  for (auto &module : modules)
    text += std::string(&module == &modules.front() ? "" : ",") + before +
            "\"" + module.name + "\": " + probeJson(module);
  return text + before + "}";
}

} // namespace

std::vector<ProbedModule> probedModules(const Plan &plan) {
  constexpr std::string_view kInput = ":input";
  auto *program = anyProbe(plan);
  if (!program)
    fail(ExitCode::Usage, plan.path(),
         ": has no probes; compile it with llamac --probe=activations");
  std::vector<ProbedModule> modules;
  for (auto *output : *program->outputs()) {
    std::string_view name = viewOf(output->name());
    if (!name.ends_with(kInput))
      continue;
    name.remove_suffix(kInput.size());
    auto *weight =
        plan.findTensor(fb::Role::Weight, std::string(name) + ".weight");
    if (!weight || sizeOf(weight->global_shape()) != 2)
      fail(ExitCode::BadInput, plan.path(), ": probes '", name,
           "', of which it has no weight");
    ProbedModule &module = modules.emplace_back();
    module.name = name;
    module.out = weight->global_shape()->Get(0);
    module.in = weight->global_shape()->Get(1);
  }
  return modules;
}

ProbeResult probeDataset(ProgramRunner &runner, const Dataset &data,
                         const std::function<void(const ProbeResult &)> &each) {
  const Plan &plan = runner.plan();
  const Ranks &ranks = runner.ranks();
  const auto fresh = probedModules(plan);
  ProbeResult all;
  all.modules = fresh;
  double loss = 0;
  for (auto &round : planProbes(plan, data, sequentialOrder(data.size()),
                                defaultDealing(plan))) {
    ProbeRun run = runner.probe(data, round);
    std::vector<ProbedModule> own = fresh;
    std::string mine;
    if (ranks.leads()) {
      readOwn(run, own);
      mine.assign(reinterpret_cast<const char *>(&run.loss), sizeof run.loss);
      mine += packProbes(own);
    }
    auto parts = ranks.gather(mine);
    ProbeResult batch;
    batch.batches = 1;
    batch.modules = fresh;
    bool isFirst = true;
    for (unsigned rank = 0; rank < ranks.size(); ++rank) {
      if (!ranks.leads(rank))
        continue;
      std::string_view part = parts[rank];
      double share = 0;
      if (part.size() < sizeof share)
        fail(ExitCode::PeerLost, "a rank sent too little of its probes");
      std::memcpy(&share, part.data(), sizeof share);
      batch.loss += share;
      std::vector<ProbedModule> theirs = fresh;
      unpackProbes(part.substr(sizeof share), theirs);
      for (std::size_t m = 0; m < theirs.size(); ++m) {
        // Gradients of weights are sums over the replicas already.
        if (!isFirst)
          theirs[m].weight = {};
        batch.modules[m].add(theirs[m]);
      }
      isFirst = false;
    }
    for (auto &part : round)
      for (auto example : part) {
        ++batch.samples;
        batch.tokens += data.sequences[example].size();
      }
    auto bad = notFinite(batch.modules);
    if (!bad.empty() || !std::isfinite(batch.loss))
      fail(ExitCode::Numerics, data.file, ": batch ", all.batches, ": ",
           bad.empty() ? "the loss" : bad, ": a number is not finite");
    for (std::size_t m = 0; m < fresh.size(); ++m)
      all.modules[m].add(batch.modules[m]);
    ++all.batches;
    all.samples += batch.samples;
    all.tokens += batch.tokens;
    loss += batch.loss;
    if (each)
      each(batch);
    ranks.progress();
  }
  if (all.batches)
    all.loss = loss / static_cast<double>(all.batches);
  return all;
}

std::string probeFile(const Plan &plan, const Dataset &data,
                      const ProbeResult &result) {
  JsonLine head;
  head.add("format", std::string_view("llamac-probe"))
      .add("version", std::uint64_t{1})
      .add("model", viewOf(plan.model().name()))
      .add("task", viewOf(plan.task().name()))
      .add("split", std::string_view(data.name))
      .add("flags", viewOf(plan.root().flags()))
      .add("batches", result.batches)
      .add("samples", result.samples)
      .add("tokens", result.tokens)
      .add("loss", result.loss)
      .addRaw("modules", modulesJson(result.modules, "\n  "));
  return head.str() + "\n";
}

JsonLine probeLine(const ProbeResult &batch, std::uint64_t number) {
  return JsonLine()
      .add("batch", number)
      .add("samples", batch.samples)
      .add("tokens", batch.tokens)
      .add("loss", batch.loss)
      .addRaw("modules", modulesJson(batch.modules, ""));
}

} // namespace llamarun
