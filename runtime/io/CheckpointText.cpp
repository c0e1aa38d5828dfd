// checkpoint.json: its text, and reading it with suspicion.
#include "runtime/io/Checkpoint.h"
#include "runtime/io/JsonFile.h"
#include "runtime/io/QuoteName.h"
#include "runtime/io/SafetensorsHeader.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <set>

namespace llamarun {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr std::uint64_t kMaxDevices = 65536;
constexpr char kChecksum[] = "checksum";

json toJson(const CheckpointTensor &tensor) {
  json parts = json::array();
  for (const CheckpointPart &part : tensor.parts)
    parts.push_back({{"file", part.file}, {"xxh3_128", part.hash}});
  return {{"name", tensor.name},   {"role", tensor.role},
          {"shape", tensor.shape}, {"dtype", std::string(nameOf(tensor.dtype))},
          {"split", tensor.split}, {"parts", parts}};
}

/// Reads values of one JSON document; messages say where in it.
class Reader {
public:
  explicit Reader(const std::filesystem::path &path) : path(path) {}

  template <typename... Parts>
  [[noreturn]] void reject(const Parts &...parts) const {
    fail(ExitCode::BadInput, path.string(), ": ", parts...);
  }

  const json &member(const json &object, const char *key,
                     const std::string &where) const {
    auto found = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || found == object.end())
      reject(where, ": '", key, "' is missing");
    return *found;
  }
  std::string string(const json &object, const char *key,
                     const std::string &where) const {
    const json &value = member(object, key, where);
    if (!value.is_string())
      reject(where, ": '", key, "' is no string");
    return value.get<std::string>();
  }
  std::uint64_t count(const json &value, const std::string &where) const {
    if (!value.is_number_unsigned())
      reject(where, " is no whole number");
    return value.get<std::uint64_t>();
  }
  std::uint64_t count(const json &object, const char *key,
                      const std::string &where) const {
    return count(member(object, key, where), where + ": '" + key + "'");
  }
  const json &list(const json &object, const char *key,
                   const std::string &where) const {
    const json &value = member(object, key, where);
    if (!value.is_array())
      reject(where, ": '", key, "' is no list");
    return value;
  }

private:
  const std::filesystem::path &path;
};

class Parser {
public:
  Parser(const std::filesystem::path &directory, const JsonFile &file)
      : reader(file.path()), file(file) {
    checkpoint.directory = directory;
  }

  Checkpoint run() {
    json document = topLevel();
    checkpoint.planHash = reader.string(document, "plan_hash", "checkpoint");
    checkpoint.modelHash = reader.string(document, "model_hash", "checkpoint");
    TrainingPosition &position = checkpoint.position;
    for (auto [key, value] : {std::pair("step", &position.step),
                              {"epoch", &position.epoch},
                              {"epoch_step", &position.epochStep},
                              {"seed", &position.seed},
                              {"data_seed", &position.dataSeed}})
      *value = reader.count(document, key, "checkpoint");
    if (document.contains("sums"))
      readSums(document["sums"]);
    if (document.contains("generation"))
      checkpoint.generation =
          reader.count(document, "generation", "checkpoint");
    if (document.contains("settings"))
      readSettings(document["settings"]);
    readGrid(reader.list(document, "grid", "checkpoint"));
    readFiles(reader.member(document, "files", "checkpoint"));
    for (const json &tensor : reader.list(document, "tensors", "checkpoint"))
      readTensor(tensor);
    return std::move(checkpoint);
  }

private:
  Reader reader;
  const JsonFile &file;
  Checkpoint checkpoint;

  /// The document less its checksum, which is that of the rest.
  json topLevel() {
    static constexpr const char *kKeys[] = {
        "checksum",   "data_seed", "epoch",      "epoch_step",
        "files",      "format",    "generation", "grid",
        "model_hash", "plan_hash", "seed",       "settings",
        "step",       "sums",      "tensors",    "version"};
    json document = json::object();
    for (const char *key : kKeys)
      if (const json *value = file.find(key))
        document[key] = *value;
    if (reader.string(document, "format", "checkpoint") != "llamac checkpoint")
      reader.reject("is not the checkpoint.json of a checkpoint");
    if (auto version = reader.count(document, "version", "checkpoint");
        version != kVersion)
      reader.reject("is of version ", version, "; this build reads version ",
                    kVersion);
    std::string promised = reader.string(document, kChecksum, "checkpoint");
    document.erase(kChecksum);
    std::string text;
    try {
      text = document.dump();
    } catch (const json::exception &) {
      reader.reject("holds text that is not UTF-8");
    }
    if (hashOf(std::as_bytes(std::span(text))) != promised)
      reader.reject("has been changed or damaged: its checksum does not match");
    return document;
  }

  void readSums(const json &entry) {
    auto number = [&](const json &value) {
      if (!value.is_number())
        reader.reject("sums: holds something that is no number");
      return value.get<double>();
    };
    RunningSums sums;
    for (auto [key, value] : {std::pair("loss", &sums.loss),
                              {"task_loss", &sums.taskLoss},
                              {"all_loss", &sums.allLoss},
                              {"train_seconds", &sums.trainSeconds},
                              {"seconds", &sums.seconds}})
      *value = number(reader.member(entry, key, "sums"));
    for (auto [key, value] : {std::pair("count", &sums.count),
                              {"tokens", &sums.tokens},
                              {"samples", &sums.samples},
                              {"metrics_bytes", &sums.metricsBytes}})
      *value = reader.count(entry, key, "sums");
    for (const json &share : reader.list(entry, "shares", "sums"))
      sums.shares.push_back(number(share));
    const json &evaluated = reader.member(entry, "evaluated", "sums");
    if (!evaluated.is_boolean())
      reader.reject("sums: 'evaluated' is neither true nor false");
    sums.evaluated = evaluated.get<bool>();
    checkpoint.sums = std::move(sums);
  }

  void readSettings(const json &entry) {
    if (!entry.is_object())
      reader.reject("'settings' is no object");
    for (const auto &[key, value] : entry.items())
      checkpoint.settings[key] =
          reader.string(entry, key.c_str(), "'settings'");
  }

  void readGrid(const json &axes) {
    std::uint64_t devices = 1;
    for (const json &axis : axes) {
      CheckpointAxis read{reader.string(axis, "name", "grid"), 1};
      auto size = reader.count(axis, "size", "grid");
      if (size < 1 || size > kMaxDevices / devices || axes.size() > 8)
        reader.reject("grid: more than ", kMaxDevices, " devices or 8 axes");
      devices *= size;
      read.size = static_cast<unsigned>(size);
      for (const CheckpointAxis &other : checkpoint.grid)
        if (other.name == read.name)
          reader.reject("grid: axis ", quoteName(read.name), " twice");
      checkpoint.grid.push_back(std::move(read));
    }
  }

  void readFiles(const json &files) {
    if (!files.is_object())
      reader.reject("'files' is no object");
    for (const auto &[name, entry] : files.items()) {
      // Only our own names: a manifest must not lead out of its directory.
      unsigned rank = 0;
      if (std::sscanf(name.c_str(), "rank-%5u", &rank) != 1 ||
          rankFileName(rank) != name)
        reader.reject("file ", quoteName(name), " is no rank's");
      std::string where = "file " + quoteName(name);
      checkpoint.files[name] = {reader.count(entry, "bytes", where),
                                reader.string(entry, "xxh3_128", where)};
    }
  }

  void readTensor(const json &entry) {
    CheckpointTensor tensor;
    tensor.name = reader.string(entry, "name", "tensor");
    tensor.role = reader.string(entry, "role", "tensor");
    std::string where = "tensor " + quoteName(tensor.key());
    static constexpr std::string_view kRoles[] = {
        "parameter", "first_moment", "second_moment",
        "state",     "sensitivity",  "uncertainty"};
    if (std::ranges::find(kRoles, tensor.role) == std::end(kRoles))
      reader.reject(where, ": unknown role");
    auto dtype = parseDType(reader.string(entry, "dtype", where));
    if (!dtype)
      reader.reject(where, ": unknown dtype");
    tensor.dtype = *dtype;
    for (const json &extent : reader.list(entry, "shape", where))
      tensor.shape.push_back(reader.count(extent, where + ": extent"));
    if (!byteCount(tensor.dtype, tensor.shape).value_or(0))
      reader.reject(where, ": shape ", toString(tensor.shape),
                    " is empty or too large");
    readSplit(reader.list(entry, "split", where), tensor, where);
    for (const json &part : reader.list(entry, "parts", where)) {
      tensor.parts.push_back({reader.string(part, "file", where),
                              reader.string(part, "xxh3_128", where)});
      if (!checkpoint.files.count(tensor.parts.back().file))
        reader.reject(where, ": lies in ", quoteName(tensor.parts.back().file),
                      ", which is not listed");
    }
    checkpoint.partShape(tensor); // equal parts
    if (tensor.parts.size() != checkpoint.partCount(tensor))
      reader.reject(where, ": has ", tensor.parts.size(), " parts instead of ",
                    checkpoint.partCount(tensor));
    std::string key = tensor.key();
    if (!checkpoint.tensors.emplace(key, std::move(tensor)).second)
      reader.reject(where, ": is listed twice");
  }

  void readSplit(const json &split, CheckpointTensor &tensor,
                 const std::string &where) {
    std::set<std::string> used;
    for (const json &dimension : split) {
      auto &axes = tensor.split.emplace_back();
      if (!dimension.is_array())
        reader.reject(where, ": 'split' holds something that is no list");
      for (const json &axis : dimension) {
        bool known =
            axis.is_string() &&
            std::ranges::any_of(checkpoint.grid, [&](const CheckpointAxis &a) {
              return a.name == axis.get_ref<const std::string &>();
            });
        if (!known || !used.insert(axis.get<std::string>()).second)
          reader.reject(where, ": is split over a missing or used axis");
        axes.push_back(axis.get<std::string>());
      }
    }
    if (tensor.split.size() != tensor.shape.size())
      reader.reject(where, ": 'split' and 'shape' differ in length");
  }
};

} // namespace

Checkpoint Checkpoint::open(const std::filesystem::path &directory) {
  // Some 600 bytes a tensor: room for a hundred times the largest adapter.
  JsonFile file =
      JsonFile::open(directory / kCheckpointFile, std::size_t(256) << 20);
  return Parser(directory, file).run();
}

std::string Checkpoint::text() const {
  json axes = json::array(), list = json::array(), names = json::object();
  for (const CheckpointAxis &axis : grid)
    axes.push_back({{"name", axis.name}, {"size", axis.size}});
  for (const auto &[key, tensor] : tensors)
    list.push_back(toJson(tensor));
  for (const auto &[name, entry] : files)
    names[name] = {{"bytes", entry.bytes}, {"xxh3_128", entry.hash}};
  json document = {{"format", "llamac checkpoint"},
                   {"version", kVersion},
                   {"grid", axes},
                   {"step", position.step},
                   {"epoch", position.epoch},
                   {"epoch_step", position.epochStep},
                   {"seed", position.seed},
                   {"data_seed", position.dataSeed},
                   {"plan_hash", planHash},
                   {"model_hash", modelHash},
                   {"tensors", list},
                   {"files", names}};
  if (generation)
    document["generation"] = generation;
  if (!settings.empty())
    document["settings"] = settings;
  if (sums)
    document["sums"] = {
        {"loss", sums->loss},          {"task_loss", sums->taskLoss},
        {"all_loss", sums->allLoss},   {"count", sums->count},
        {"tokens", sums->tokens},      {"train_seconds", sums->trainSeconds},
        {"seconds", sums->seconds},    {"shares", sums->shares},
        {"samples", sums->samples},    {"metrics_bytes", sums->metricsBytes},
        {"evaluated", sums->evaluated}};
  std::string bytes = document.dump();
  document[kChecksum] = hashOf(std::as_bytes(std::span(bytes)));
  return document.dump(1) + "\n";
}

} // namespace llamarun
