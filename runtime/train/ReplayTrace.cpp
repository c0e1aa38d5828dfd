#include "runtime/train/ReplayTrace.h"

#include "runtime/support/Error.h"
#include "runtime/train/TaskData.h"
#include "runtime/train/TraceNode.h"

namespace llamarun {
namespace {

Hyper readHyper(const TraceNode &node) {
  auto betas = node.at("betas").elements();
  if (betas.size() != 2)
    node.at("betas").expected("two numbers");
  Hyper hyper;
  hyper.learningRate = node.at("lr").number();
  hyper.warmupSteps = node.at("warmup").count();
  hyper.totalSteps = node.at("total_steps").count();
  hyper.beta1 = betas[0].number();
  hyper.beta2 = betas[1].number();
  hyper.epsilon = node.at("eps").number();
  hyper.weightDecay = node.at("weight_decay").number();
  hyper.maxGradNorm = node.numberOr("max_grad_norm", 0);
  return hyper;
}

std::vector<std::vector<float>> readRows(const TraceNode &node) {
  std::vector<std::vector<float>> rows;
  for (auto &row : node.elements()) {
    rows.emplace_back();
    for (auto &value : row.elements())
      rows.back().push_back(static_cast<float>(value.number()));
  }
  return rows;
}

ReplayMasks readMasks(const TraceNode &node) {
  ReplayMasks masks;
  if (!node.value.is_object())
    node.expected("lists of booleans by module");
  for (auto &[module, list] : node.value.items())
    for (auto &bit : node.at(module.c_str()).elements()) {
      if (!bit.value.is_boolean())
        bit.expected("true or false");
      masks[module].push_back(bit.value.get<bool>());
    }
  return masks;
}

} // namespace

std::int32_t readReplayPad(const std::filesystem::path &file) {
  return TraceDocument(file, "steps").pad();
}

ReplayTrace readReplayTrace(const std::filesystem::path &file,
                            bool classifier) {
  TraceDocument document(file, "steps");
  ReplayTrace trace;
  trace.hyper = readHyper(document.at("optimizer"));
  trace.data.name = "trace";
  trace.data.file = file.string();
  for (auto &node : document.at("steps").elements()) {
    ReplayStep step;
    step.loss = node.at("loss").number();
    step.gradNorm = node.at("grad_norm").number();
    step.learningRate = node.at("lr").number();
    if (node.value.contains("kept"))
      step.kept = readMasks(node.at("kept"));
    auto rows = node.at("input_ids").elements();
    auto labels = node.at("labels").elements();
    if (rows.empty() || rows.size() != labels.size())
      node.expected("as many labels as rows");
    for (std::size_t i = 0; i < rows.size(); ++i) {
      step.examples.push_back(static_cast<std::uint32_t>(trace.data.size()));
      trace.data.sequences.push_back(rows[i].ids());
      if (classifier && document.pad() >= 0)
        cutPadding(trace.data.sequences.back(), document.pad());
      trace.data.labels.push_back(static_cast<float>(labels[i].number()));
    }
    trace.steps.push_back(std::move(step));
  }
  if (trace.steps.empty())
    fail(ExitCode::BadInput, file.string(), ": no steps");
  return trace;
}

ReplayLogits readReplayLogits(const std::filesystem::path &file,
                              std::int32_t pad) {
  TraceDocument document(file, "input_ids");
  ReplayLogits logits;
  logits.data.name = "eval";
  logits.data.file = file.string();
  for (auto &row : document.at("input_ids").elements()) {
    logits.data.sequences.push_back(row.ids());
    if (pad >= 0)
      cutPadding(logits.data.sequences.back(), pad);
  }
  logits.before = readRows(document.at("before"));
  logits.after = readRows(document.at("after"));
  if (logits.before.size() != logits.data.size() ||
      logits.after.size() != logits.data.size())
    fail(ExitCode::BadInput, file.string(), ": ", logits.data.size(),
         " rows, but logits of ", logits.before.size(), " and ",
         logits.after.size());
  return logits;
}

} // namespace llamarun
