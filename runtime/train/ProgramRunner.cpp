#include "runtime/train/ProgramRunner.h"

#include "runtime/support/Error.h"
#include "runtime/train/BadGradients.h"
#include "runtime/train/TaskData.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

namespace llamarun {
namespace {

template <typename T> std::span<const std::byte> bytesOf(const T &values) {
  return std::as_bytes(std::span(values));
}

float readScalar(const PendingRun &run, std::string_view name) {
  std::array<float, 1> value{};
  run.read(name, std::as_writable_bytes(std::span(value)));
  return value[0];
}

} // namespace

std::uint64_t countLabels(HeadKind head, const Dataset &data,
                          const MicroBatch &indices) {
  std::uint64_t labels = 0;
  for (auto i : indices)
    if (head == HeadKind::CausalLM)
      labels += data.sequences[i].size() - 1;
    else if (!data.labels.empty() && !std::isnan(data.labels[i]))
      ++labels;
  return labels;
}

std::size_t ProgramRunner::logitColumns() const {
  const Plan &plan = session.plan();
  return plan.task().head() == fb::Head::CausalLM ? plan.model().vocab_size()
                                                  : plan.task().labels();
}

const fb::Program &ProgramRunner::find(fb::ProgramKind kind,
                                       const Dataset &data,
                                       const MicroBatch &indices) const {
  std::uint64_t tokens = 0;
  for (auto i : indices)
    tokens += data.sequences[i].size();
  if (auto *program = session.find(kind, tokens, indices.size()))
    return *program;
  fail(ExitCode::BadInput, session.plan().path(), ": has no program to ",
       nameOf(kind), " ", tokens, " tokens of ", indices.size(), " sequences");
}

Batch ProgramRunner::packFor(const fb::Program &program, const Dataset &data,
                             const MicroBatch &indices) {
  const Plan &plan = session.plan();
  std::int64_t vocabulary = plan.model().vocab_size();
  HeadKind head = headOf(plan);
  std::vector<std::vector<std::int32_t>> sequences;
  std::vector<float> labels;
  for (auto i : indices) {
    auto &ids = data.sequences[i];
    if (ids.size() > plan.task().max_length())
      fail(ExitCode::BadInput, data.file, ": example ", i, " has ", ids.size(),
           " tokens, the plan keeps ", plan.task().max_length());
    for (std::int32_t id : ids)
      if (id < 0 || id >= vocabulary)
        fail(ExitCode::BadInput, data.file, ": example ", i, ": token id ", id,
             " is not in the model's vocabulary of ", vocabulary);
    if (head == HeadKind::Classification && !data.labels.empty() &&
        data.labels[i] >= static_cast<float>(plan.task().labels()))
      fail(ExitCode::BadInput, data.file, ": example ", i, ": label ",
           data.labels[i], " of a task with ", plan.task().labels());
    sequences.push_back(ids);
    if (!data.labels.empty())
      labels.push_back(data.labels[i]);
  }
  return pack(sequences, labels, head,
              static_cast<std::int32_t>(program.tokens()),
              static_cast<std::int32_t>(program.sequences()));
}

void ProgramRunner::writeInputs(const fb::Program &program, const Batch &batch,
                                double lossScale, const Hyper &hyper,
                                const Allocation &allocation,
                                std::int64_t microBatch) {
  auto write = [&](std::string_view name, std::span<const std::byte> bytes) {
    if (session.hasInput(program, name))
      session.writeInput(program, name, bytes);
  };
  write("input_ids", bytesOf(batch.inputIds));
  write("positions", bytesOf(batch.positions));
  write("cu_seqlens", bytesOf(batch.cuSeqlens));
  write("last_token", bytesOf(batch.lastToken));
  write("pool_index", bytesOf(batch.poolIndex));
  if (headOf(session.plan()) == HeadKind::Regression)
    write("labels", bytesOf(batch.scores));
  else
    write("labels", bytesOf(batch.labels));
  write("loss_scale", bytesOf(std::array{static_cast<float>(lossScale)}));
  write("hyper", bytesOf(std::array<double, 8>{
                     hyper.learningRate, double(hyper.warmupSteps),
                     double(hyper.totalSteps), hyper.beta1, hyper.beta2,
                     hyper.epsilon, hyper.weightDecay, hyper.maxGradNorm}));
  write("random", bytesOf(std::array<std::int64_t, 2>{
                      static_cast<std::int64_t>(seed), microBatch}));
  write("grid_index", bytesOf(theRanks.gridIndex()));
  write("adalora", bytesOf(allocation.input()));
}

void ProgramRunner::run(PendingStep &pending, bool updates) {
  const Dataset &data = *pending.data;
  HeadKind head = headOf(session.plan());
  std::uint64_t labels = 0;
  for (auto &batch : pending.step)
    labels += countLabels(head, data, batch);
  if (!labels)
    fail(ExitCode::BadInput, data.file, ": a batch without a single label");

  auto own = ownOf(pending.step, theRanks.dataRank());
  static const MicroBatch kNothing;
  // Who has no example runs along: the others wait for its collectives.
  auto runs = std::max<std::size_t>(own.size(), 1);
  for (std::size_t i = 0; i < runs; ++i) {
    auto number = own.empty() ? pending.step.size() : own[i];
    auto &examples = own.empty() ? kNothing : pending.step[number];
    auto &program = find(updates && i + 1 == runs ? fb::ProgramKind::Train
                                                  : fb::ProgramKind::Accumulate,
                         data, examples);
    Batch batch;
    {
      HostSpan span(session.hostTrace(), HostLane::Data, "pack batch");
      batch = packFor(program, data, examples);
    }
    {
      HostSpan span(session.hostTrace(), HostLane::Main, "write inputs");
      writeInputs(program, batch, 1.0 / static_cast<double>(labels),
                  pending.hyper, pending.allocation,
                  pending.firstMicroBatch + static_cast<std::int64_t>(number));
    }
    pending.runs.push_back(session.run(program));
    pending.last = &program;
    pending.ownTokens += static_cast<std::uint64_t>(batch.tokens);
  }
}

PendingStep ProgramRunner::start(const Dataset &data, const StepPlan &step,
                                 const Hyper &hyper,
                                 const Allocation &allocation) {
  PendingStep pending;
  pending.allocation = allocation;
  pending.data = &data;
  pending.step = step;
  pending.hyper = hyper;
  pending.firstMicroBatch = microBatches;
  for (auto &batch : step)
    for (auto i : batch)
      pending.tokens += data.sequences[i].size();
  run(pending, true);
  microBatches += static_cast<std::int64_t>(step.size());
  pending.number = ++started;
  return pending;
}

StepResult ProgramRunner::finish(const PendingStep &step,
                                 const std::function<void()> &beforeExchange) {
  HostSpan span(session.hostTrace(), HostLane::Main, "read results");
  StepResult result;
  result.tokens = step.tokens;
  result.ownTokens = step.ownTokens;
  for (std::size_t i = 0; i + 1 < step.runs.size(); ++i)
    result.share += readScalar(step.runs[i], "loss");
  if (theRanks.dataRanks() == 1)
    result.loss = std::exchange(result.share, 0);
  if (session.hasOutput(*step.last, "task_loss"))
    result.taskLoss = result.loss + readScalar(step.runs.back(), "task_loss");
  result.loss += readScalar(step.runs.back(), "loss");
  if (step.allocation.allocates() && session.hasOutput(*step.last, "kept")) {
    auto &adapter = session.plan().adapter();
    result.kept.resize(std::size_t{adapter.modules()->size()} * adapter.rank());
    step.runs.back().read("kept",
                          std::as_writable_bytes(std::span(result.kept)));
  }
  result.gradNorm = readScalar(step.runs.back(), "grad_norm");
  result.learningRate = readScalar(step.runs.back(), "learning_rate");
  // These are the same on all ranks, who therefore fail together.
  if (std::isfinite(result.loss) && std::isfinite(result.gradNorm))
    return result;
  if (beforeExchange)
    beforeExchange();
  // abs: the sign of a NaN says nothing.
  fail(ExitCode::Numerics, "loss is ", std::abs(result.loss),
       ", gradient norm ", std::abs(result.gradNorm), whatIsBad(step));
}

std::string ProgramRunner::whatIsBad(const PendingStep &step) {
  session.synchronize();
  if (step.number == started)
    return namesOfBadGradients(session, theRanks);
  // A step was started since and has overwritten the gradients.
  constexpr char kUnknown[] =
      "; --debug-sync names the parameter whose gradient is not finite";
  if (!parametersAreFinite(session, theRanks))
    return kUnknown;
  PendingStep again = step;
  again.runs.clear();
  // Without an update if there are programs for that: it clears what it used.
  run(again, session.plan().task().accumulation() <= 1);
  session.synchronize();
  auto names = namesOfBadGradients(session, theRanks);
  return names.empty() ? kUnknown : names + " when the step is repeated";
}

double PendingStep::seconds() const {
  double sum = 0;
  for (auto &run : runs)
    sum += run.seconds();
  return sum;
}

std::vector<float> ProbeRun::read(const std::string &name,
                                  std::size_t count) const {
  std::vector<float> values;
  if (has(name)) {
    values.resize(count);
    run.read(name, std::as_writable_bytes(std::span(values)));
  }
  return values;
}

ProbeRun ProgramRunner::probe(const Dataset &data, const StepPlan &round) {
  std::uint64_t labels = 0;
  for (auto &batch : round)
    labels += countLabels(headOf(session.plan()), data, batch);
  if (!labels)
    fail(ExitCode::BadInput, data.file, ": a batch without a single label");
  auto own = ownOf(round, theRanks.dataRank());
  static const MicroBatch kNothing;
  auto &examples = own.empty() ? kNothing : round[own.front()];
  auto &program = find(fb::ProgramKind::Probe, data, examples);
  Batch batch = packFor(program, data, examples);
  writeInputs(program, batch, 1.0 / static_cast<double>(labels), {}, {}, 0);
  ProbeRun result;
  result.run = session.run(program);
  result.loss = readScalar(result.run, "loss");
  result.tokens = static_cast<std::uint64_t>(batch.tokens);
  result.rows = program.tokens();
  result.has = [this, &program](const std::string &name) {
    return session.hasOutput(program, name);
  };
  return result;
}

EvaluateResult ProgramRunner::evaluate(const Dataset &data,
                                       const MicroBatch &indices,
                                       bool wantLogits) {
  auto &program = find(fb::ProgramKind::Evaluate, data, indices);
  Batch batch = packFor(program, data, indices);
  EvaluateResult result;
  result.labels = static_cast<std::uint64_t>(batch.labelCount);
  // Mean over the batch, in float32 on the device, then weighted in double: no
  // precision is lost over a large split.
  double scale = result.labels ? 1.0 / static_cast<double>(result.labels) : 0;
  writeInputs(program, batch, scale, {}, {}, 0);
  PendingRun run = session.run(program);
  if (session.hasOutput(program, "regulariser"))
    result.regulariser = readScalar(run, "regulariser");
  result.loss = session.hasOutput(program, "loss") && result.labels
                    ? readScalar(run, "loss") / scale
                    : std::nan("");
  if (wantLogits) {
    std::vector<float> all(program.sequences() * logitColumns());
    run.read("logits", std::as_writable_bytes(std::span(all)));
    all.resize(indices.size() * logitColumns());
    result.logits = std::move(all);
  }
  return result;
}

} // namespace llamarun
