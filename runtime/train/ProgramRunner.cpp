#include "runtime/train/ProgramRunner.h"

#include "runtime/support/Error.h"
#include "runtime/train/Elements.h"
#include "runtime/train/TaskData.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

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

/// "; the gradient of 'a' is not finite, nor are 3 others", or "".
std::string namesOfBadGradients(Session &session) {
  const Plan &plan = session.plan();
  std::string first;
  std::size_t others = 0;
  for (std::size_t i = 0; i < plan.tensorCount(); ++i) {
    auto &tensor = plan.tensor(i);
    if (tensor.role() != fb::Role::Gradient)
      continue;
    auto dtype = toFileDType(plan.buffer(tensor.buffer()).dtype());
    std::vector<std::byte> bytes(plan.bytes(tensor.buffer()));
    std::vector<float> values(plan.elements(tensor.buffer()));
    session.readTensor(tensor.role(), viewOf(tensor.name()), bytes);
    toFloat(dtype, bytes, values);
    if (std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
      continue;
    if (first.empty())
      first = viewOf(tensor.name());
    else
      ++others;
  }
  if (first.empty())
    return "";
  return "; the gradient of '" + first + "' is not finite" +
         (others ? ", nor are " + std::to_string(others) + " others" : "");
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
                                double lossScale, const Hyper &hyper) {
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
                      static_cast<std::int64_t>(seed), microBatches}));
}

PendingStep ProgramRunner::start(const Dataset &data, const StepPlan &step,
                                 const Hyper &hyper) {
  HeadKind head = headOf(session.plan());
  std::uint64_t labels = 0;
  for (auto &indices : step)
    labels += countLabels(head, data, indices);
  if (!labels)
    fail(ExitCode::BadInput, data.file, ": a batch without a single label");

  PendingStep pending;
  for (std::size_t i = 0; i < step.size(); ++i) {
    bool last = i + 1 == step.size();
    auto &program =
        find(last ? fb::ProgramKind::Train : fb::ProgramKind::Accumulate, data,
             step[i]);
    Batch batch = packFor(program, data, step[i]);
    writeInputs(program, batch, 1.0 / static_cast<double>(labels), hyper);
    pending.runs.push_back(session.run(program));
    ++microBatches;
    pending.tokens += static_cast<std::uint64_t>(batch.tokens);
  }
  pending.number = ++started;
  return pending;
}

StepResult ProgramRunner::finish(const PendingStep &step) {
  StepResult result;
  result.tokens = step.tokens;
  for (auto &run : step.runs)
    result.loss += readScalar(run, "loss");
  result.gradNorm = readScalar(step.runs.back(), "grad_norm");
  result.learningRate = readScalar(step.runs.back(), "learning_rate");
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradNorm))
    // abs: the sign of a NaN says nothing.
    fail(ExitCode::Numerics, "loss is ", std::abs(result.loss),
         ", gradient norm ", std::abs(result.gradNorm),
         step.number == started
             ? namesOfBadGradients(session)
             : "; --debug-sync names the parameter whose gradient is not "
               "finite");
  return result;
}

double PendingStep::seconds() const {
  double sum = 0;
  for (auto &run : runs)
    sum += run.seconds();
  return sum;
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
  writeInputs(program, batch, scale, {});
  PendingRun run = session.run(program);
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
