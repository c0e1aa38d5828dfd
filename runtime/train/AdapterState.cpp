#include "runtime/train/AdapterState.h"

#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"
#include "runtime/train/Elements.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace llamarun {
namespace {

/// Any real rank is far below, and any number below is a rank.
constexpr double kMaxRank = 1 << 20;

template <typename F> void forEachParameter(const Plan &plan, F f) {
  for (std::size_t i = 0; i < plan.tensorCount(); ++i)
    if (plan.tensor(i).role() == fb::Role::Parameter)
      f(plan.tensor(i));
}

std::vector<std::string> stringsOf(
    const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>> *list) {
  std::vector<std::string> strings;
  for (std::size_t i = 0; i < sizeOf(list); ++i)
    strings.emplace_back(viewOf(list->Get(i)));
  return strings;
}

/// The last components of the modules that the adapter matched.
std::vector<std::string> suffixesOf(const std::vector<std::string> &modules) {
  std::set<std::string> suffixes;
  for (auto &module : modules)
    suffixes.insert(module.substr(module.rfind('.') + 1));
  return {suffixes.begin(), suffixes.end()};
}

/// Both describe the same adapter only if they scale it alike.
void checkScaling(const Plan &plan, const PeftConfig &found,
                  const std::filesystem::path &directory) {
  PeftConfig expected = adapterConfig(plan, "");
  for (auto &module : stringsOf(plan.adapter().modules())) {
    double theirs = found.scalingOf(module), ours = expected.scalingOf(module);
    if (std::abs(theirs - ours) > 1e-9 * std::abs(ours))
      fail(ExitCode::BadInput, (directory / kAdapterConfigFile).string(),
           ": scales ", quoteName(module), " by ", theirs, ", the plan by ",
           ours, "; compile the plan with this adapter's r, alpha and rslora");
  }
}

} // namespace

PeftConfig adapterConfig(const Plan &plan, const std::string &baseModel) {
  const fb::Adapter &adapter = plan.adapter();
  bool causal = plan.task().head() == fb::Head::CausalLM;
  PeftConfig config;
  config.taskType = causal ? "CAUSAL_LM" : "SEQ_CLS";
  config.baseModel = baseModel;
  // A plan that trains the head alone has no rank; PEFT knows no such adapter.
  config.r = std::max<std::int64_t>(1, adapter.rank());
  config.alpha = adapter.alpha();
  config.dropout = adapter.dropout();
  config.useRslora = adapter.use_rslora();
  auto targets = stringsOf(adapter.targets());
  if (targets.size() == 1 && targets[0] == "all-linear")
    config.targetModules = suffixesOf(stringsOf(adapter.modules()));
  else if (adapter.targets_is_regex() && targets.size() == 1)
    config.targetModules = targets[0];
  else
    config.targetModules = targets;
  // What PEFT adds for a sequence classifier, whatever its head is called.
  if (!causal)
    config.modulesToSave = {"classifier", "score"};
  for (std::size_t i = 0; i < sizeOf(adapter.rank_pattern()); ++i) {
    auto &pattern = *adapter.rank_pattern()->Get(i);
    if (!(pattern.value() >= 1 && pattern.value() <= kMaxRank))
      fail(ExitCode::BadInput, plan.path(), ": rank pattern ",
           quoteName(viewOf(pattern.key())), " gives rank ", pattern.value());
    config.rankPattern[std::string(viewOf(pattern.key()))] =
        static_cast<std::int64_t>(pattern.value());
  }
  for (std::size_t i = 0; i < sizeOf(adapter.alpha_pattern()); ++i) {
    auto &pattern = *adapter.alpha_pattern()->Get(i);
    config.alphaPattern[std::string(viewOf(pattern.key()))] = pattern.value();
  }
  return config;
}

AdapterTensors readParameters(Session &session) {
  const Plan &plan = session.plan();
  AdapterTensors tensors;
  forEachParameter(plan, [&](const fb::Tensor &tensor) {
    auto dtype = plan.buffer(tensor.buffer()).dtype();
    AdapterTensor &out = tensors[std::string(viewOf(tensor.name()))];
    out.shape = wholeShape(plan, tensor);
    out.data.resize(elementsOf(out.shape));
    std::vector<std::byte> bytes(out.data.size() * sizeOf(dtype));
    session.readTensor(tensor.role(), viewOf(tensor.name()), bytes);
    toFloat(toFileDType(dtype), bytes, out.data);
  });
  return tensors;
}

void writeParameters(Session &session, const AdapterTensors &tensors,
                     const std::string &source) {
  const Plan &plan = session.plan();
  // Everything is checked before anything is written.
  std::set<std::string_view> expected;
  forEachParameter(plan, [&](const fb::Tensor &tensor) {
    auto found = tensors.find(std::string(viewOf(tensor.name())));
    if (found == tensors.end())
      fail(ExitCode::BadInput, source, ": tensor ",
           quoteName(viewOf(tensor.name())), " is missing");
    Shape shape = wholeShape(plan, tensor);
    if (found->second.shape != shape)
      fail(ExitCode::BadInput, source, ": tensor ", quoteName(found->first),
           " has shape ", toString(found->second.shape),
           ", the plan's adapter has ", toString(shape));
    if (!std::ranges::all_of(found->second.data,
                             [](float v) { return std::isfinite(v); }))
      fail(ExitCode::BadInput, source, ": tensor ", quoteName(found->first),
           " has elements that are not finite");
    expected.insert(found->first);
  });
  for (auto &[name, tensor] : tensors)
    if (!expected.count(name))
      fail(ExitCode::BadInput, source, ": tensor ", quoteName(name),
           " is not in the plan's adapter");

  forEachParameter(plan, [&](const fb::Tensor &tensor) {
    auto &values = tensors.at(std::string(viewOf(tensor.name()))).data;
    auto dtype = plan.buffer(tensor.buffer()).dtype();
    std::vector<std::byte> bytes(values.size() * sizeOf(dtype));
    fromFloat(toFileDType(dtype), values, bytes);
    session.writeTensor(tensor.role(), viewOf(tensor.name()), bytes);
  });
}

void saveAdapter(Session &session, const std::filesystem::path &directory,
                 const std::string &baseModel) {
  writePeftAdapter(directory, {adapterConfig(session.plan(), baseModel),
                               readParameters(session)});
}

void loadAdapter(Session &session, const std::filesystem::path &path) {
  if (!std::filesystem::is_directory(path))
    return writeParameters(session, readPyTorchParameters(path), path.string());
  PeftAdapter adapter = readPeftAdapter(path);
  checkScaling(session.plan(), adapter.config, path);
  writeParameters(session, adapter.tensors, path.string());
}

} // namespace llamarun
