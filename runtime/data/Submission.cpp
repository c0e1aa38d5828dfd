#include "runtime/data/Submission.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace llamarun {

std::string_view submissionFileName(GlueTask task, Split split) {
  const GlueTaskInfo &info = glueTask(task);
  bool mismatched =
      split == Split::DevMismatched || split == Split::TestMismatched;
  return mismatched && !info.submissionFileMismatched.empty()
             ? info.submissionFileMismatched
             : info.submissionFile;
}

std::string submissionText(GlueTask task, std::span<const double> predictions) {
  const GlueTaskInfo &info = glueTask(task);
  std::string text = "index\tprediction\n";
  for (size_t i = 0; i < predictions.size(); ++i) {
    double prediction = predictions[i];
    if (std::isnan(prediction))
      fail(ExitCode::Numerics, "prediction ", i, " of ", info.name, " is NaN");
    text += std::to_string(i);
    text += '\t';
    if (info.isRegression) {
      char number[32];
      std::snprintf(number, sizeof number, "%.3f",
                    std::clamp(prediction, 0.0, 5.0));
      text += number;
    } else {
      if (prediction < 0 ||
          prediction >= static_cast<double>(info.labelTexts.size()) ||
          prediction != std::floor(prediction))
        fail(ExitCode::Usage, "prediction ", i, " of ", info.name, " is ",
             prediction, ", which is no label");
      text += info.labelTexts[static_cast<size_t>(prediction)];
    }
    text += '\n';
  }
  return text;
}

} // namespace llamarun
