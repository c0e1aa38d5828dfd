#include "runtime/train/Evaluate.h"

#include "runtime/data/Sampler.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace llamarun {

std::vector<std::uint32_t> orderByLength(const Dataset &data) {
  auto order = sequentialOrder(data.size());
  std::ranges::stable_sort(
      order, {}, [&](std::uint32_t i) { return data.sequences[i].size(); });
  return order;
}

std::vector<double> predictionsOf(HeadKind head,
                                  const std::vector<float> &logits,
                                  std::size_t columns) {
  std::vector<double> predictions;
  for (std::size_t row = 0; row + columns <= logits.size(); row += columns) {
    auto first = logits.begin() + static_cast<std::ptrdiff_t>(row);
    if (head == HeadKind::Regression)
      predictions.push_back(*first);
    else
      predictions.push_back(static_cast<double>(
          std::max_element(first,
                           first + static_cast<std::ptrdiff_t>(columns)) -
          first));
  }
  return predictions;
}

namespace {

/// What this rank found out, in the order of the batches it ran: for each the
/// sum of the loss, the labels, the regulariser, and if kept all logits, as
/// bytes.
class Part {
public:
  void add(const EvaluateResult &result) {
    append(result.labels ? result.loss : 0);
    append(result.labels);
    append(result.regulariser.value_or(0));
    bytes.append(reinterpret_cast<const char *>(result.logits.data()),
                 result.logits.size() * sizeof(float));
  }
  const std::string &str() const { return bytes; }

private:
  template <typename T> void append(const T &value) {
    bytes.append(reinterpret_cast<const char *>(&value), sizeof(value));
  }
  std::string bytes;
};

/// Reads such bytes; they come from another process.
class PartReader {
public:
  explicit PartReader(std::string_view bytes) : bytes(bytes) {}
  template <typename T> void read(std::span<T> out) {
    if (bytes.size() < out.size_bytes())
      fail(ExitCode::PeerLost, "a rank sent too little of an evaluation");
    std::memcpy(out.data(), bytes.data(), out.size_bytes());
    bytes.remove_prefix(out.size_bytes());
  }
  template <typename T> T read() {
    T value;
    read(std::span(&value, 1));
    return value;
  }

private:
  std::string_view bytes;
};

} // namespace

Evaluation evaluateDataset(ProgramRunner &runner, const GlueTaskInfo *task,
                           const Dataset &data, bool wantLogits,
                           bool whileTraining) {
  auto start = std::chrono::steady_clock::now();
  const Plan &plan = runner.plan();
  const Ranks &ranks = runner.ranks();
  HeadKind head = headOf(plan);
  Evaluation result;
  result.split = data.name;
  result.samples = data.size();
  bool keep = wantLogits || head != HeadKind::CausalLM;
  std::size_t columns = runner.logitColumns();
  if (keep)
    result.logits.resize(data.size() * columns);

  auto batches =
      planEvaluation(plan, data, orderByLength(data), ranks.dataRanks());
  Part mine;
  for (auto &batch : batches)
    if (batch.dataRank == ranks.dataRank()) {
      auto part = runner.evaluate(data, batch, keep);
      if (ranks.leads())
        mine.add(part);
      ranks.progress();
    }

  // All in the order of the batches: the sum is that of a single device.
  auto parts = ranks.gather(mine.str());
  std::vector<PartReader> readers(parts.begin(), parts.end());
  std::vector<unsigned> leader(ranks.dataRanks());
  for (unsigned rank = 0; rank < ranks.size(); ++rank)
    if (ranks.leads(rank))
      leader[ranks.dataRankOf(rank)] = rank;
  double loss = 0, regulariser = 0;
  std::uint64_t labels = 0;
  std::vector<float> logits;
  for (auto &batch : batches) {
    auto &reader = readers[leader[batch.dataRank]];
    loss += reader.read<double>();
    labels += reader.read<std::uint64_t>();
    regulariser = reader.read<double>(); // the same of all batches
    if (keep) {
      logits.resize(batch.size() * columns);
      reader.read(std::span(logits));
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto example = batch.examples[i];
      result.tokens += data.sequences[example].size();
      if (keep)
        std::copy_n(logits.begin() + static_cast<std::ptrdiff_t>(i * columns),
                    columns,
                    result.logits.begin() +
                        static_cast<std::ptrdiff_t>(example * columns));
    }
  }
  for (float logit : result.logits)
    if (!std::isfinite(logit))
      fail(ExitCode::Numerics, "a logit of ", data.file, " is ", logit);

  if (labels) {
    loss /= static_cast<double>(labels);
    if (!std::isfinite(loss + regulariser))
      fail(ExitCode::Numerics, "the loss on ", data.file, " is ",
           loss + regulariser);
    bool regularised = plan.adapter().adalora();
    if (!regularised || whileTraining)
      result.metrics.emplace_back("loss", loss + regulariser);
    if (regularised)
      result.metrics.emplace_back("task_loss", loss);
    if (head == HeadKind::CausalLM)
      result.metrics.emplace_back("perplexity", std::exp(loss));
  }
  if (task && labels == data.size()) {
    std::vector<double> truth(data.labels.begin(), data.labels.end());
    for (auto &metric : metricsFor(
             task->task, predictionsOf(head, result.logits, columns), truth))
      result.metrics.push_back(std::move(metric));
  }
  result.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return result;
}

} // namespace llamarun
