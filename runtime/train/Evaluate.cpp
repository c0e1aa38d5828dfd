#include "runtime/train/Evaluate.h"

#include "runtime/data/Sampler.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <chrono>
#include <cmath>

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

Evaluation evaluateDataset(ProgramRunner &runner, const GlueTaskInfo *task,
                           const Dataset &data, bool wantLogits) {
  auto start = std::chrono::steady_clock::now();
  const Plan &plan = runner.plan();
  HeadKind head = headOf(plan);
  Evaluation result;
  result.split = data.name;
  result.samples = data.size();
  bool keep = wantLogits || head != HeadKind::CausalLM;
  std::size_t columns = runner.logitColumns();
  if (keep)
    result.logits.resize(data.size() * columns);

  double loss = 0;
  std::uint64_t labels = 0;
  for (auto &batch : planEvaluation(plan, data, orderByLength(data))) {
    EvaluateResult part = runner.evaluate(data, batch, keep);
    if (part.labels)
      loss += part.loss;
    labels += part.labels;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      result.tokens += data.sequences[batch[i]].size();
      if (keep)
        std::copy_n(part.logits.begin() +
                        static_cast<std::ptrdiff_t>(i * columns),
                    columns,
                    result.logits.begin() +
                        static_cast<std::ptrdiff_t>(batch[i] * columns));
    }
  }
  for (float logit : result.logits)
    if (!std::isfinite(logit))
      fail(ExitCode::Numerics, "a logit of ", data.file, " is ", logit);

  if (labels) {
    loss /= static_cast<double>(labels);
    if (!std::isfinite(loss))
      fail(ExitCode::Numerics, "the loss on ", data.file, " is ", loss);
    result.metrics.emplace_back("loss", loss);
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
