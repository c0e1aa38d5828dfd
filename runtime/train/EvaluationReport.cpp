#include "runtime/train/EvaluationReport.h"

#include "runtime/support/Error.h"

#include <cerrno>
#include <cstring>
#include <string>

namespace llamarun {

void printEvaluation(std::FILE *out, std::string_view task,
                     const Evaluation &evaluation) {
  for (auto &[metric, value] : evaluation.metrics)
    std::fprintf(out, "%s %s %s = %.6g\n", std::string(task).c_str(),
                 evaluation.split.c_str(), metric.c_str(), value);
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
