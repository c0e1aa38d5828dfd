#include "runtime/train/Replay.h"

#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdaLoraState.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/Evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace llamarun {

double relativeError(double a, double b) {
  double error = b == 0 ? std::abs(a - b) : std::abs(a - b) / std::abs(b);
  // NaN would pass every comparison that looks for something larger.
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

double largestTensorError(const AdapterTensors &a, const AdapterTensors &b,
                          std::string &name) {
  double worst = 0;
  if (a.size() != b.size())
    fail(ExitCode::BadInput, a.size(), " tensors and ", b.size(),
         " are to be the same");
  for (auto &[key, reference] : b) {
    auto found = a.find(key);
    if (found == a.end() || found->second.shape != reference.shape)
      fail(ExitCode::BadInput, "tensor '", key,
           "' of the reference is missing or has another shape here");
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < reference.data.size(); ++i) {
      double x = found->second.data[i], y = reference.data[i];
      difference += (x - y) * (x - y);
      norm += y * y;
    }
    double root = std::sqrt(norm);
    double error = relativeError(root + std::sqrt(difference), root);
    if (error > worst) {
      worst = error;
      name = key;
    }
  }
  return worst;
}

void writeGradients(Session &session, const std::filesystem::path &file,
                    const Ranks &ranks) {
  const Plan &plan = session.plan();
  if (plan.task().accumulation() > 1)
    fail(ExitCode::BadInput, plan.path(),
         ": adds up gradients and clears them after the step; to write them "
         "compile it with --gradient-accumulation-steps=1");
  AdapterTensors gradients = readTensors(session, fb::Role::Gradient, ranks);
  if (!ranks.first())
    return;
  std::vector<TensorView> views;
  for (auto &[name, view] : viewsOf(gradients))
    views.push_back(view);
  writeSafetensors(file, views);
}

namespace {

/// The largest difference, relative for reference values beyond 1.
double largestLogitError(const Evaluation &evaluation, std::size_t columns,
                         const std::vector<std::vector<float>> &reference,
                         const std::string &file) {
  double worst = 0;
  for (std::size_t row = 0; row < reference.size(); ++row) {
    if (reference[row].empty() || reference[row].size() > columns)
      fail(ExitCode::BadInput, file, ": row ", row, " has ",
           reference[row].size(), " logits, the plan ", columns);
    for (std::size_t i = 0; i < reference[row].size(); ++i) {
      double ours = evaluation.logits[row * columns + i];
      double theirs = reference[row][i];
      worst = std::max(worst, std::abs(ours - theirs) /
                                  std::max(1.0, std::abs(theirs)));
    }
  }
  return worst;
}

class Replayer {
public:
  Replayer(Session &session, const ReplayOptions &options, const Ranks &ranks)
      : session(session), options(options), ranks(ranks),
        runner(session, 0, ranks), directory(options.trace.parent_path()) {}

  ReplayReport run() {
    bool classifier = headOf(session.plan()) != HeadKind::CausalLM;
    auto init = fileOr(options.init, "init.safetensors");
    loadAdapter(session, init, ranks);
    auto trace = readReplayTrace(options.trace, classifier);
    auto eval = fileOr(options.eval, "eval.json");
    bool hasEval = std::filesystem::exists(eval);
    ReplayLogits logits;
    if (hasEval) {
      logits = readReplayLogits(eval,
                                classifier ? readReplayPad(options.trace) : -1);
      report.logitsBefore = compareLogits(logits, logits.before);
    }
    takeSteps(trace);
    auto final = fileOr(options.final, "final.safetensors");
    if (std::filesystem::exists(final))
      compareTensors(final);
    if (hasEval)
      report.logitsAfter = compareLogits(logits, logits.after);
    summarize();
    return report;
  }

private:
  std::filesystem::path fileOr(const std::filesystem::path &given,
                               const char *name) const {
    return given.empty() ? directory / name : given;
  }

  double compareLogits(const ReplayLogits &logits,
                       const std::vector<std::vector<float>> &reference) {
    Evaluation result = evaluateDataset(runner, nullptr, logits.data, true);
    return largestLogitError(result, runner.logitColumns(), reference,
                             logits.data.file);
  }

  /// Only rank 0 has something to say.
  template <typename... Values>
  void print(const char *format, Values... values) const {
    if (ranks.first())
      std::fprintf(options.out, format, values...);
  }

  Dealing dealingOf(const ReplayStep &step) const {
    if (options.shares.empty())
      return Dealing::even(ranks.dataRanks(),
                           (step.examples.size() + ranks.dataRanks() - 1) /
                               ranks.dataRanks());
    if (options.shares.size() != ranks.dataRanks())
      fail(ExitCode::Usage, options.shares.size(), " shares for ",
           ranks.dataRanks(), " data-parallel ranks");
    return {options.shares};
  }

  /// The step's loss, whoever ran its micro-batches.
  double lossOf(const StepResult &result) const {
    double loss = result.loss;
    auto shares = ranks.gatherNumbers(std::span(&result.share, 1));
    for (unsigned rank = 0; rank < ranks.size(); ++rank)
      loss += ranks.leads(rank) ? shares[rank] : 0;
    return loss;
  }

  /// Compares which elements of lora_E are 0 after a step.
  void compareMasks(const ReplayStep &step, std::size_t number) {
    const Plan &plan = session.plan();
    if (step.kept.empty() || !plan.adapter().adalora())
      return;
    auto ours = nonZeroTriplets(session);
    auto theirs = keptValues(plan, step.kept);
    if (step.kept.size() != plan.adapter().modules()->size())
      fail(ExitCode::BadInput, options.trace.string(), ": steps[", number,
           "].kept is of ", step.kept.size(), " modules, the plan has ",
           plan.adapter().modules()->size());
    std::uint64_t different = 0;
    std::string first;
    for (std::size_t i = 0; i < ours.size(); ++i)
      if (ours[i] != theirs[i] && !different++)
        first = viewOf(plan.adapter().modules()->Get(
            static_cast<unsigned>(i / plan.adapter().rank())));
    if (different)
      print("     %llu triplets kept otherwise, first in %s\n",
            static_cast<unsigned long long>(different), first.c_str());
    report.masks = std::max(0.0, report.masks) + static_cast<double>(different);
  }

  void takeSteps(const ReplayTrace &trace) {
    report.totalSteps = static_cast<std::uint64_t>(trace.hyper.totalSteps);
    auto schedule = budgetSchedule(session.plan(), report.totalSteps);
    print("%4s %12s %12s %9s %12s %12s %9s %11s %9s\n", "step", "loss",
          "reference", "error", "grad_norm", "reference", "error", "lr",
          "error");
    for (std::size_t i = 0; i < trace.steps.size(); ++i) {
      auto &step = trace.steps[i];
      StepResult result;
      try {
        ranks.setStep(i);
        result = runner.train(trace.data,
                              planStep(session.plan(), trace.data,
                                       step.examples, dealingOf(step)),
                              trace.hyper,
                              schedule ? schedule->at(i) : Allocation{});
        result.loss = lossOf(result);
      } catch (const Error &error) {
        fail(error.code(), "step ", i, ": ", error.what());
      }
      // The next step overwrites them.
      if (i == 0 && !options.gradients.empty())
        writeGradients(session, options.gradients, ranks);
      double loss = relativeError(result.loss, step.loss);
      double norm = relativeError(result.gradNorm, step.gradNorm);
      double rate = relativeError(result.learningRate, step.learningRate);
      print("%4zu %12.7g %12.7g %9.2e %12.7g %12.7g %9.2e %11.4e %9.2e\n", i,
            result.loss, step.loss, loss, double(result.gradNorm),
            step.gradNorm, norm, double(result.learningRate), rate);
      report.loss = std::max(report.loss, loss);
      report.gradNorm = std::max(report.gradNorm, norm);
      report.learningRate = std::max(report.learningRate, rate);
      compareMasks(step, i);
    }
  }

  void compareTensors(const std::filesystem::path &final) {
    auto ours = readParameters(session, ranks);
    double worst = 0;
    if (ranks.first())
      worst =
          largestTensorError(ours, readPyTorchParameters(final), worstTensor);
    // Rank 0 alone has put them together.
    report.tensors = ranks.gatherNumbers(std::span(&worst, 1))[0];
  }

  void summarize() {
    // The rate is the schedule's own arithmetic: float32 is all it may lose.
    judge("loss", report.loss, options.lossTolerance);
    judge("grad_norm", report.gradNorm, options.gradNormTolerance);
    judge("learning_rate", report.learningRate, 1e-6);
    if (report.masks >= 0) {
      auto allowed = static_cast<double>(options.maskTolerance);
      report.passed &= report.masks <= allowed;
      print("%-14s %.0f triplets differ, tolerance %.0f: %s\n", "masks",
            report.masks, allowed, report.masks <= allowed ? "ok" : "FAILED");
    }
    judge("final tensors", report.tensors, options.tensorTolerance);
    if (!worstTensor.empty())
      print("  worst: %s\n", worstTensor.c_str());
    judge("logits before", report.logitsBefore, options.logitTolerance);
    judge("logits after", report.logitsAfter, options.logitTolerance);
  }

  void judge(const char *what, double error, double tolerance) {
    if (error < 0)
      return;
    bool good = error <= tolerance;
    report.passed &= good;
    print("%-14s largest error %.2e, tolerance %.0e: %s\n", what, error,
          tolerance, good ? "ok" : "FAILED");
  }

  Session &session;
  const ReplayOptions &options;
  const Ranks &ranks;
  ProgramRunner runner;
  std::filesystem::path directory;
  ReplayReport report;
  std::string worstTensor;
};

} // namespace

ReplayReport replay(Session &session, const ReplayOptions &options,
                    const Ranks &ranks) {
  return Replayer(session, options, ranks).run();
}

} // namespace llamarun
