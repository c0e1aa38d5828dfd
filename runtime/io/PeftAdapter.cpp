//===- PeftAdapter.cpp - Adapters in PEFT's files -------------------------===//
#include "runtime/io/PeftAdapter.h"

#include "runtime/io/AtomicFile.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <span>

namespace llamarun {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kHead = "score.weight";

/// Endings of the names of a module's factors, and the dimension of each that
/// is the rank.
struct Factor {
  std::string_view ending;
  std::size_t rankDimension;
};
constexpr Factor kLora[] = {{".lora_A.weight", 0}, {".lora_B.weight", 1}};
constexpr Factor kAdaLora[] = {{".lora_A", 0}, {".lora_E", 0}, {".lora_B", 1}};

std::span<const Factor> factorsOf(const PeftConfig &config) {
  return config.isAdaLora() ? std::span<const Factor>(kAdaLora)
                            : std::span<const Factor>(kLora);
}

AdapterFile mapTensors(const std::filesystem::path &path) {
  AdapterFile result{SafetensorsFile::open(path), {}};
  for (const TensorView &view : result.file.tensors()) {
    std::optional<std::string> name = fromPeftName(view.name);
    if (!name)
      fail(ExitCode::BadInput, path.string(), ": tensor ", quoteName(view.name),
           " is not named as PEFT names adapter tensors");
    if (!isConvertibleToFloat(view.dtype))
      fail(ExitCode::BadInput, path.string(), ": tensor ", quoteName(view.name),
           " is ", nameOf(view.dtype), ", which is no floating-point type");
    if (!result.tensors.emplace(*name, view).second)
      fail(ExitCode::BadInput, path.string(), ": tensor ", quoteName(view.name),
           " and another one both stand for ", quoteName(*name));
  }
  return result;
}

AdapterTensors readTensors(const AdapterFile &mapped) {
  AdapterTensors tensors;
  for (auto &[name, view] : mapped.tensors) {
    AdapterTensor &tensor = tensors[name];
    tensor = {view.shape, std::vector<float>(view.elements())};
    mapped.file.readFloat(view, tensor.data);
  }
  return tensors;
}

/// What a factor's shape has to be, for messages: "[4, in]".
std::string expectedShape(const Factor &factor, std::uint64_t rank) {
  std::string r = std::to_string(rank);
  if (factor.ending == ".lora_E")
    return "[" + r + ", 1]";
  return factor.rankDimension == 0 ? "[" + r + ", in]" : "[out, " + r + "]";
}

void checkFactors(const PeftConfig &config, const AdapterViews &tensors,
                  const std::string &path) {
  auto refuse = [&](std::string_view name, const auto &...what) {
    fail(ExitCode::BadInput, path, ": tensor ", quoteName(toPeftName(name)),
         what...);
  };
  auto factors = factorsOf(config);
  for (const auto &[name, tensor] : tensors) {
    auto factor = std::ranges::find_if(factors, [&](const Factor &f) {
      return name.ends_with(f.ending) && name.size() > f.ending.size();
    });
    if (factor == factors.end()) {
      if (name != kHead)
        refuse(name, " is neither ",
               config.isAdaLora() ? "an AdaLoRA" : "a LoRA",
               " factor nor the score head; adapters with such tensors are "
               "not supported");
      if (tensor.shape.size() != 2)
        refuse(name, " has shape ", toString(tensor.shape),
               ", expected two dimensions");
      continue;
    }
    std::string module = name.substr(0, name.size() - factor->ending.size());
    for (const Factor &other : factors)
      if (!tensors.count(module + std::string(other.ending)))
        refuse(name, " has no partner ",
               quoteName(toPeftName(module + std::string(other.ending))));
    auto rank = static_cast<std::uint64_t>(config.rankOf(module));
    bool column = factor->ending == ".lora_E";
    if (tensor.shape.size() != 2 ||
        tensor.shape[factor->rankDimension] != rank ||
        (column && tensor.shape[1] != 1))
      refuse(name, " has shape ", toString(tensor.shape), ", expected ",
             expectedShape(*factor, rank), " by the rank in ",
             kAdapterConfigFile);
  }
  if (!config.isAdaLora() || !config.adalora.kept)
    return;
  for (const auto &[module, mask] : *config.adalora.kept)
    if (!tensors.count(module + ".lora_E"))
      fail(ExitCode::BadInput, path, ": tensor ",
           quoteName(toPeftName(module + ".lora_E")), " is missing, of which ",
           kAdapterConfigFile, " has a rank_pattern");
}

} // namespace

std::optional<std::string> fromPeftName(std::string_view name) {
  if (!name.starts_with(kPrefix))
    return std::nullopt;
  std::string ours(name.substr(kPrefix.size()));

  // A module trained whole lives in a wrapper beside its frozen original.
  constexpr std::string_view kWrapper = ".modules_to_save.default.";
  if (size_t at = ours.find(kWrapper); at != ours.npos && at > 0) {
    ours.erase(at, kWrapper.size() - 1); // keeps the last dot
    return ours;
  }
  for (std::string_view factor : {".lora_A", ".lora_B", ".lora_E"}) {
    size_t at = ours.rfind(factor);
    if (at == ours.npos || at == 0)
      continue;
    std::string_view rest = std::string_view(ours).substr(at + factor.size());
    if (rest.empty() || rest == ".default") // a parameter itself: AdaLoRA's
      return ours.substr(0, at).append(factor);
    if (rest == ".weight" || rest == ".default.weight")
      return ours.substr(0, at).append(factor).append(".weight");
  }
  // Other parts of a live model are frozen or unknown to us.
  for (std::string_view frozen : {".base_layer.", ".original_module.",
                                  ".modules_to_save.", ".lora_", ".default."})
    if (ours.find(frozen) != ours.npos)
      return std::nullopt;
  return ours.empty() ? std::nullopt : std::optional(ours);
}

std::string toPeftName(std::string_view name) {
  return std::string(kPrefix).append(name);
}

AdapterViews viewsOf(const AdapterTensors &tensors) {
  AdapterViews views;
  for (const auto &[name, tensor] : tensors)
    views[name] = {toPeftName(name), DType::F32, tensor.shape,
                   std::as_bytes(std::span(tensor.data))};
  return views;
}

MappedAdapter mapPeftAdapter(const std::filesystem::path &directory) {
  PeftConfig config = readPeftConfig(directory / kAdapterConfigFile);
  std::filesystem::path weights = directory / kAdapterWeightsFile;
  MappedAdapter adapter{std::move(config), mapTensors(weights)};
  checkFactors(adapter.config, adapter.weights.tensors, weights.string());
  if (adapter.config.taskType == "SEQ_CLS" &&
      !adapter.weights.tensors.count(std::string(kHead)))
    fail(ExitCode::BadInput, weights.string(), ": tensor ",
         quoteName(toPeftName(kHead)), " is missing (task_type is SEQ_CLS)");
  return adapter;
}

PeftAdapter readPeftAdapter(const std::filesystem::path &directory) {
  MappedAdapter adapter = mapPeftAdapter(directory);
  return {std::move(adapter.config), readTensors(adapter.weights)};
}

void writePeftAdapter(const std::filesystem::path &directory,
                      const PeftAdapter &adapter) {
  std::filesystem::path weights = directory / kAdapterWeightsFile;
  AdapterViews tensors = viewsOf(adapter.tensors);
  checkFactors(adapter.config, tensors, weights.string());
  std::vector<TensorView> views;
  for (const auto &[name, view] : tensors)
    views.push_back(view);
  makeDirectories(directory);
  AtomicFileSet files;
  writeSafetensors(files.add(weights), views);
  files.add(directory / kAdapterConfigFile).write(toJson(adapter.config));
  files.commit();
}

AdapterFile mapPyTorchParameters(const std::filesystem::path &path) {
  return mapTensors(path);
}

AdapterTensors readPyTorchParameters(const std::filesystem::path &path) {
  return readTensors(mapTensors(path));
}

} // namespace llamarun
