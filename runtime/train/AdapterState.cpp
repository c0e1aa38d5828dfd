#include "runtime/train/AdapterState.h"

#include "runtime/io/QuoteName.h"
#include "runtime/io/Triplets.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdaLoraState.h"
#include "runtime/train/Elements.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <span>
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

void setAdaLora(PeftConfig &config, const fb::Adapter &adapter,
                const fb::AdaLora &schedule, std::uint64_t totalStep) {
  auto count = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  config.peftType = PeftType::AdaLora;
  config.r = 8; // PEFT's default: it warns of any other
  config.adalora.initR = adapter.rank();
  config.adalora.targetR = schedule.target_rank();
  config.adalora.tinit = count(schedule.tinit());
  config.adalora.tfinal = count(schedule.tfinal());
  config.adalora.deltaT = count(schedule.delta_t());
  config.adalora.beta1 = schedule.beta1();
  config.adalora.beta2 = schedule.beta2();
  config.adalora.orthRegWeight = schedule.orth_reg_weight();
  config.adalora.totalStep =
      count(schedule.total_step() ? schedule.total_step() : totalStep);
}

/// Both describe the same adapter only if they scale it alike.
void checkScaling(const Plan &plan, const PeftConfig &found,
                  const std::filesystem::path &directory) {
  // AdaLoRA's total_step bears on nothing here.
  PeftConfig expected = adapterConfig(plan, "", 1);
  auto methodOf = [](const PeftConfig &config) {
    return config.isAdaLora() ? "AdaLoRA" : "LoRA";
  };
  std::string file = (directory / kAdapterConfigFile).string();
  if (found.peftType != expected.peftType)
    fail(ExitCode::BadInput, file, ": is of ", methodOf(found),
         ", the plan's adapter of ", methodOf(expected));
  if (found.isAdaLora() && found.adalora.initR != expected.adalora.initR)
    fail(ExitCode::BadInput, file, ": init_r is ", found.adalora.initR,
         ", the plan's ", expected.adalora.initR);
  for (auto &module : stringsOf(plan.adapter().modules())) {
    double theirs = found.scalingOf(module), ours = expected.scalingOf(module);
    if (std::abs(theirs - ours) > 1e-9 * std::abs(ours))
      fail(ExitCode::BadInput, file, ": scales ", quoteName(module), " by ",
           theirs, ", the plan by ", ours,
           "; compile the plan with this adapter's r, alpha and rslora");
  }
}

} // namespace

PeftConfig adapterConfig(const Plan &plan, const std::string &baseModel,
                         std::uint64_t totalStep) {
  const fb::Adapter &adapter = plan.adapter();
  bool causal = plan.task().head() == fb::Head::CausalLM;
  PeftConfig config;
  config.taskType = causal ? "CAUSAL_LM" : "SEQ_CLS";
  config.baseModel = baseModel;
  // A plan that trains the head alone has no rank; PEFT knows no such adapter.
  config.r = std::max<std::int64_t>(1, adapter.rank());
  if (auto *schedule = adapter.adalora())
    setAdaLora(config, adapter, *schedule, totalStep);
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

namespace {

/// This rank's part of a tensor.
std::vector<float> readPart(Session &session, const fb::Tensor &tensor) {
  const Plan &plan = session.plan();
  std::vector<std::byte> bytes(plan.bytes(tensor.buffer()));
  std::vector<float> values(plan.elements(tensor.buffer()));
  session.readTensor(tensor.role(), viewOf(tensor.name()), bytes);
  toFloat(toFileDType(plan.buffer(tensor.buffer()).dtype()), bytes, values);
  return values;
}

/// Elements of a float tensor of a file that this rank holds.
std::vector<float> partOf(const TensorView &view, const TensorSlice &slice) {
  std::vector<float> values(slice.elements());
  auto size = bitsOf(view.dtype) / 8;
  slice.forEachRun(0, values.size(), [&](auto index, auto at, auto count) {
    toFloat(view.dtype, view.bytes.subspan(index * size, count * size),
            std::span(values).subspan(at, count));
  });
  return values;
}

} // namespace

AdapterTensors readTensors(Session &session, fb::Role role,
                           const Ranks &ranks) {
  const Plan &plan = session.plan();
  AdapterTensors tensors;
  for (std::size_t i = 0; i < plan.tensorCount(); ++i) {
    const fb::Tensor &tensor = plan.tensor(i);
    if (tensor.role() != role)
      continue;
    TensorSlice slice = ranks.slice(plan, tensor);
    std::string name(viewOf(tensor.name()));
    if (slice.isWhole()) {
      if (ranks.first())
        tensors[name] = {slice.whole, readPart(session, tensor)};
      continue;
    }
    // Replicas hold the same: one of them speaks.
    std::vector<float> part;
    if (ranks.dataRank() == 0)
      part = readPart(session, tensor);
    auto parts = ranks.gather({reinterpret_cast<const char *>(part.data()),
                               part.size() * sizeof(float)});
    if (!ranks.first())
      continue;
    AdapterTensor &out = tensors[name];
    out = {slice.whole, std::vector<float>(elementsOf(slice.whole))};
    for (unsigned rank = 0; rank < ranks.size(); ++rank) {
      if (ranks.dataRankOf(rank) != 0)
        continue;
      auto theirs = ranks.slice(plan, tensor, rank);
      if (parts[rank].size() != theirs.elements() * sizeof(float))
        fail(ExitCode::PeerLost, "rank ", rank, " sent ", parts[rank].size(),
             " bytes of ", quoteName(name));
      theirs.forEachRun(0, theirs.elements(),
                        [&](auto index, auto at, auto count) {
                          std::memcpy(&out.data[index],
                                      parts[rank].data() + at * sizeof(float),
                                      count * sizeof(float));
                        });
    }
  }
  return tensors;
}

namespace {

const std::vector<bool> *maskOf(const KeptTriplets *kept,
                                std::string_view name) {
  auto factor = tripletFactorOf(name);
  if (!kept || !factor)
    return nullptr;
  auto found = kept->find(factor->module);
  return found == kept->end() ? nullptr : &found->second;
}

/// What a file has of a tensor of shape `whole`.
Shape shapeInFile(std::string_view name, Shape whole,
                  const KeptTriplets *kept) {
  if (auto *mask = maskOf(kept, name))
    whole[tripletFactorOf(name)->dimension()] =
        static_cast<std::uint64_t>(std::ranges::count(*mask, true));
  return whole;
}

/// This rank's part of a factor whose masked triplets the file leaves out.
/// \param values its part as the session has it.
void putKept(const TensorView &view, const TensorSlice &slice,
             std::string_view name, const std::vector<bool> &mask,
             std::vector<float> &values) {
  std::vector<float> file(view.elements());
  toFloat(view.dtype, view.bytes, file);
  auto factor = *tripletFactorOf(name);
  bool rows = factor.dimension() == 0;
  std::vector<std::uint64_t> place; // of each triplet among those kept
  std::uint64_t kept = 0;
  for (bool bit : mask)
    place.push_back(bit ? kept++ : 0);
  auto columns = slice.whole[1];
  slice.forEachRun(0, values.size(), [&](auto index, auto at, auto count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      auto row = (index + i) / columns, column = (index + i) % columns;
      auto triplet = rows ? row : column;
      float &value = values[at + i];
      if (mask[triplet])
        value = file[rows ? place[triplet] * columns + column
                          : row * kept + place[triplet]];
      else if (factor.letter == 'E')
        value = 0;
    }
  });
}

} // namespace

void writeParameters(Session &session, const AdapterViews &tensors,
                     const std::string &source, const Ranks &ranks,
                     const KeptTriplets *kept) {
  const Plan &plan = session.plan();
  // Everything is checked before anything is written.
  std::set<std::string_view> expected;
  forEachParameter(plan, [&](const fb::Tensor &tensor) {
    auto found = tensors.find(std::string(viewOf(tensor.name())));
    if (found == tensors.end())
      fail(ExitCode::BadInput, source, ": tensor ",
           quoteName(viewOf(tensor.name())), " is missing");
    TensorSlice slice = ranks.slice(plan, tensor);
    Shape shape = shapeInFile(found->first, slice.whole, kept);
    if (found->second.shape != shape)
      fail(ExitCode::BadInput, source, ": tensor ", quoteName(found->first),
           " has shape ", toString(found->second.shape),
           ", the plan's adapter has ", toString(shape));
    std::vector<float> values(found->second.elements());
    if (shape == slice.whole)
      values = partOf(found->second, slice);
    else
      toFloat(found->second.dtype, found->second.bytes, values);
    if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
      fail(ExitCode::BadInput, source, ": tensor ", quoteName(found->first),
           " has elements that are not finite");
    expected.insert(found->first);
  });
  for (auto &[name, tensor] : tensors)
    if (!expected.count(name))
      fail(ExitCode::BadInput, source, ": tensor ", quoteName(name),
           " is not in the plan's adapter");

  forEachParameter(plan, [&](const fb::Tensor &tensor) {
    auto &view = tensors.at(std::string(viewOf(tensor.name())));
    auto slice = ranks.slice(plan, tensor);
    auto *mask = maskOf(kept, viewOf(tensor.name()));
    auto values = mask ? readPart(session, tensor) : partOf(view, slice);
    if (mask)
      putKept(view, slice, viewOf(tensor.name()), *mask, values);
    auto dtype = plan.buffer(tensor.buffer()).dtype();
    std::vector<std::byte> bytes(values.size() * sizeOf(dtype));
    fromFloat(toFileDType(dtype), values, bytes);
    session.writeTensor(tensor.role(), viewOf(tensor.name()), bytes);
  });
}

void writeAdapterFiles(const Plan &plan, const std::filesystem::path &directory,
                       const std::string &baseModel, std::uint64_t totalStep,
                       AdapterTensors tensors, std::span<const float> kept) {
  PeftAdapter adapter{adapterConfig(plan, baseModel, totalStep),
                      std::move(tensors)};
  if (adapter.config.isAdaLora())
    adapter.config.adalora.kept = keptTriplets(plan, kept);
  if (auto &triplets = adapter.config.adalora.kept)
    removeMasked(adapter.tensors, *triplets);
  writePeftAdapter(directory, adapter);
}

void saveAdapter(Session &session, const std::filesystem::path &directory,
                 const std::string &baseModel, const Ranks &ranks,
                 std::uint64_t totalStep) {
  const Plan &plan = session.plan();
  auto tensors = readParameters(session, ranks);
  if (ranks.first()) {
    std::vector<float> kept;
    if (plan.adapter().adalora())
      kept = readKept(session);
    writeAdapterFiles(plan, directory, baseModel, totalStep, std::move(tensors),
                      kept);
  }
  // The others go on when it is on the disk: a job that ends well has saved.
  ranks.gather({});
}

void loadAdapter(Session &session, const std::filesystem::path &path,
                 const Ranks &ranks) {
  if (!std::filesystem::is_directory(path))
    return writeParameters(session, mapPyTorchParameters(path).tensors,
                           path.string(), ranks);
  const Plan &plan = session.plan();
  MappedAdapter adapter = mapPeftAdapter(path);
  checkScaling(plan, adapter.config, path);
  auto &kept = adapter.config.adalora.kept;
  writeParameters(session, adapter.weights.tensors, path.string(), ranks,
                  kept ? &*kept : nullptr);
  if (adapter.config.isAdaLora() &&
      plan.findTensor(fb::Role::State, kKeptTensor))
    writeKept(session, keptValues(plan, kept));
}

} // namespace llamarun
