#include "runtime/train/ForwardCheck.h"

#include "runtime/support/Error.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/TraceNode.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace llamarun {
namespace {

struct Expected {
  std::size_t row, position;
  std::int64_t argmax;
  double maxLogit, logSumExp;
  std::vector<double> first;
};

/// Reads one row's positions; each becomes a prefix in `data`.
void readRow(const std::vector<std::int32_t> &ids, const TraceNode &positions,
             std::size_t row, Dataset &data, std::vector<Expected> &expected) {
  for (auto &node : positions.elements()) {
    auto position = static_cast<std::size_t>(node.at("pos").count());
    if (position >= ids.size())
      node.at("pos").expected("a position of the row");
    Expected e{row,
               position,
               node.at("argmax").count(),
               node.at("max_logit").number(),
               node.at("logsumexp").number(),
               {}};
    for (auto &value : node.at("logits_0_7").elements())
      e.first.push_back(value.number());
    expected.push_back(std::move(e));
    data.sequences.emplace_back(ids.begin(),
                                ids.begin() + 1 + static_cast<long>(position));
  }
}

void readExpected(const std::filesystem::path &file, Dataset &data,
                  std::vector<Expected> &expected) {
  JsonFile json = JsonFile::open(file, std::size_t(64) << 20);
  data.name = "forward";
  data.file = file.string();
  if (auto *rows = json.find("rows")) {
    std::size_t row = 0;
    for (auto &node : TraceNode{*rows, file.string() + ": rows"}.elements())
      readRow(node.at("input_ids").ids(), node.at("positions"), row++, data,
              expected);
  } else if (auto *list = json.find("positions")) {
    TraceNode positions{*list, file.string() + ": positions"};
    std::vector<std::int32_t> ids;
    for (auto &node : positions.elements())
      ids.push_back(static_cast<std::int32_t>(std::min<std::int64_t>(
          node.at("in").count(), std::numeric_limits<std::int32_t>::max())));
    readRow(ids, positions, 0, data, expected);
  }
  if (expected.empty())
    fail(ExitCode::BadInput, file.string(), ": no positions to compare");
}

double error(double ours, double theirs) {
  double e = std::abs(ours - theirs) / std::max(1.0, std::abs(theirs));
  return std::isnan(e) ? std::numeric_limits<double>::infinity() : e;
}

double compare(const float *logits, std::size_t columns, const Expected &e) {
  auto *largest = std::max_element(logits, logits + columns);
  if (largest - logits != e.argmax)
    return std::numeric_limits<double>::infinity();
  double sum = 0;
  for (std::size_t i = 0; i < columns; ++i)
    sum += std::exp(double(logits[i]) - double(*largest));
  double worst = std::max(error(*largest, e.maxLogit),
                          error(*largest + std::log(sum), e.logSumExp));
  for (std::size_t i = 0; i < e.first.size(); ++i)
    worst = std::max(worst, error(logits[i], e.first[i]));
  return worst;
}

} // namespace

double checkForward(ProgramRunner &runner, const std::filesystem::path &file,
                    std::FILE *out) {
  if (headOf(runner.plan()) != HeadKind::CausalLM)
    fail(ExitCode::BadInput, runner.plan().path(),
         ": logits of positions need a plan for --task=lm");
  Dataset data;
  std::vector<Expected> expected;
  readExpected(file, data, expected);
  std::size_t columns = runner.logitColumns();
  for (auto &e : expected)
    if (e.first.size() > columns)
      fail(ExitCode::BadInput, file.string(), ": more logits than the plan's ",
           columns);
  Evaluation result = evaluateDataset(runner, nullptr, data, true);
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    double e =
        compare(result.logits.data() + i * columns, columns, expected[i]);
    if (e > worst || i == 0) {
      worst = std::max(worst, e);
      if (runner.ranks().first())
        std::fprintf(out, "row %zu position %zu: error %.2e\n", expected[i].row,
                     expected[i].position, e);
    }
  }
  if (runner.ranks().first())
    std::fprintf(out, "forward: %zu positions, largest error %.2e\n",
                 expected.size(), worst);
  return worst;
}

} // namespace llamarun
