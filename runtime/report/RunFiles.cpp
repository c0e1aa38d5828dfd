#include "runtime/report/RunFiles.h"

#include "runtime/io/MappedFile.h"
#include "runtime/report/RunRecord.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>

namespace llamarun {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::vector<Point> &SeriesSet::operator[](const std::string &name) {
  auto at =
      std::ranges::find(all, name, [](auto &entry) { return entry.first; });
  if (at != all.end())
    return at->second;
  return all.emplace_back(name, std::vector<Point>()).second;
}

const std::vector<Point> *SeriesSet::find(const std::string &name) const {
  auto at =
      std::ranges::find(all, name, [](auto &entry) { return entry.first; });
  return at == all.end() ? nullptr : &at->second;
}

namespace {

std::optional<double> numberOf(const Json &value) {
  if (value.is_null())
    return std::numeric_limits<double>::quiet_NaN();
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

/// Takes lines of metrics.jsonl one after the other.
class Reader {
public:
  explicit Reader(Run &run) : run(run) {}

  void take(const Json &line, std::uint64_t step) {
    run.lastStep = std::max(run.lastStep, step);
    if (line.contains("split"))
      takeEvaluation(line, step);
    else if (line.contains("ranks"))
      takeAllocation(line, step);
    else if (line.contains("train_loss"))
      run.end = line;
    else
      takeStep(line, step);
  }

private:
  void takeStep(const Json &line, std::uint64_t step) {
    for (auto &[key, value] : line.items())
      if (auto number = numberOf(value);
          number && key != "step" && key != "epoch" && key != "tokens" &&
          key != "seconds" && key != "tokens_per_second")
        run.training[key].push_back({step, *number});
    auto count = numberOf(line.value("tokens", Json()));
    auto clock = numberOf(line.value("seconds", Json()));
    if (!count || !clock)
      return;
    // A run that is resumed may be slower or on another machine: what counts
    // is the time between two lines, not the mean since the begin.
    if (*clock > seconds && *count > tokens)
      run.training["throughput"].push_back(
          {step, (*count - tokens) / (*clock - seconds)});
    tokens = *count;
    seconds = *clock;
  }

  void takeEvaluation(const Json &line, std::uint64_t step) {
    std::string split = line["split"].is_string()
                            ? line["split"].get<std::string>()
                            : std::string("dev");
    for (auto &[key, value] : line.items())
      if (auto number = numberOf(value);
          number && key.starts_with("eval_") && key != "eval_samples")
        run.evaluation[split + " " + key.substr(5)].push_back({step, *number});
  }

  void takeAllocation(const Json &line, std::uint64_t step) {
    if (!line["ranks"].is_object())
      return;
    run.ranks = line["ranks"];
    run.ranksStep = step;
    if (auto total = numberOf(line.value("rank", Json())))
      run.training["rank"].push_back({step, *total});
    for (auto &[column, ranks] : run.ranks.items()) {
      if (!ranks.is_array())
        continue;
      double sum = 0;
      for (auto &rank : ranks)
        sum += rank.is_number() ? rank.get<double>() : 0;
      run.training["rank/" + column].push_back({step, sum});
    }
  }

  Run &run;
  double tokens = 0, seconds = 0;
};

} // namespace

Run readRun(const fs::path &path) {
  std::error_code error;
  fs::path folder = fs::is_directory(path, error) ? path : path.parent_path();
  fs::path file = folder == path ? path / "metrics.jsonl" : path;
  Run run;
  fs::path whole = fs::weakly_canonical(folder.empty() ? "." : folder, error);
  run.name = (whole.filename().empty() ? whole.parent_path() : whole)
                 .filename()
                 .string();
  if (!fs::exists(file, error))
    fail(ExitCode::BadInput, file.string(),
         ": no such file; a run's output directory has metrics.jsonl");
  MappedFile mapped = MappedFile::open(file);
  std::string_view text = mapped.text();
  Reader reader(run);
  std::size_t number = 0;
  for (std::size_t end; (end = text.find('\n')) != text.npos;
       text.remove_prefix(end + 1)) {
    ++number;
    Json line = Json::parse(text.substr(0, end), nullptr, false);
    if (!line.is_object() || !line.contains("step") ||
        !line["step"].is_number_unsigned())
      fail(ExitCode::BadInput, file.string(), ":", number,
           ": is no JSON object with a \"step\"");
    reader.take(line, line["step"].get<std::uint64_t>());
  }
  if (number == 0)
    fail(ExitCode::BadInput, file.string(), ": has no line yet");
  if (fs::path record = folder / kRunFile; fs::exists(record, error)) {
    run.record = Json::parse(MappedFile::open(record).text(), nullptr, false);
    if (!run.record.is_object())
      fail(ExitCode::BadInput, record.string(), ": is no JSON object");
  }
  return run;
}

} // namespace llamarun
