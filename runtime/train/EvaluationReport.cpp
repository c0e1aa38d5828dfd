#include "runtime/train/EvaluationReport.h"

#include "runtime/support/Error.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <string>

namespace llamarun {

void printEvaluation(std::FILE *out, std::string_view task,
                     const Evaluation &evaluation, std::FILE *errors) {
  std::string name(task);
  for (auto &[metric, value] : evaluation.metrics) {
    std::fprintf(out, "%s %s %s = %.6g\n", name.c_str(),
                 evaluation.split.c_str(), metric.c_str(),
                 std::isnan(value) ? std::nan("") : value); // never "-nan"
    if (std::isnan(value) && metric != "combined_score")
      std::fprintf(errors,
                   "llamarun: warning: %s %s: %s is undefined, for all "
                   "predictions or all labels are the same\n",
                   name.c_str(), evaluation.split.c_str(), metric.c_str());
  }
  if (std::fflush(out))
    fail(ExitCode::Storage, "standard output: ", std::strerror(errno));
}

void addEvaluation(JsonLine &line, const Evaluation &evaluation) {
  line.add("split", std::string_view(evaluation.split));
  for (auto &[metric, value] : evaluation.metrics)
    line.add("eval_" + metric, value);
  line.add("eval_samples", evaluation.samples);
  line.add("seconds", evaluation.seconds);
  if (evaluation.seconds > 0)
    line.add("samples_per_second",
             static_cast<double>(evaluation.samples) / evaluation.seconds);
}

} // namespace llamarun
