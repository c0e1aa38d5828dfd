#include "runtime/board/BoardLog.h"

#include "runtime/support/Error.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace llamarun {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kEval = "eval_";

/// null is what JSON has for NaN and infinity.
std::optional<double> numberOf(const Json &value) {
  if (value.is_null())
    return std::numeric_limits<double>::quiet_NaN();
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

/// How metrics of a split are told from those of the task's first one.
std::string suffixOf(const std::string &split) {
  if (split == "dev" || split == "dev_matched")
    return "";
  return "_" + (split == "dev_mismatched" ? "mm" : split);
}

void addEvaluation(Summary &out, const Json &line) {
  std::string suffix = suffixOf(line.value("split", "dev"));
  for (auto &[key, value] : line.items()) {
    auto number = numberOf(value);
    if (!number || key == "step" || key == "epoch")
      continue;
    std::string name = key.starts_with(kEval) ? key.substr(kEval.size())
                       : key == "seconds"     ? "runtime"
                                              : key;
    out.scalar("eval/" + name + suffix, *number);
  }
}

void addAllocation(Summary &out, const Json &line) {
  std::vector<std::uint32_t> all;
  auto add = [&](const Json &rank) {
    if (rank.is_number_unsigned() && rank.get<std::uint64_t>() <= 65536)
      all.push_back(rank.get<std::uint32_t>());
  };
  for (auto &[column, ranks] : line["ranks"].items()) {
    std::size_t before = all.size();
    if (ranks.is_array())
      for (auto &rank : ranks)
        add(rank);
    else
      add(ranks);
    double sum = 0;
    for (std::size_t i = before; i < all.size(); ++i)
      sum += all[i];
    out.scalar("train/rank/" + column, sum);
  }
  if (auto total = numberOf(line.value("rank", Json(0u))))
    out.scalar("train/rank", *total);
  out.histogram("train/ranks", all);
}

void addTraining(Summary &out, const Json &line) {
  bool last = line.contains("train_loss");
  for (auto &[key, value] : line.items()) {
    auto number = numberOf(value);
    // The seconds of a logging step are the x axis already.
    if (!number || key == "step" || key == "signal" ||
        (key == "seconds" && !last))
      continue;
    std::string name = key == "seconds"  ? "train_runtime"
                       : key == "tokens" ? "num_input_tokens_seen"
                                         : key;
    out.scalar("train/" + name, *number);
  }
}

/// Each line of `text` that is complete.
template <typename Each> void forLines(std::string_view text, Each each) {
  for (std::size_t end; (end = text.find('\n')) != text.npos;
       text.remove_prefix(end + 1))
    each(text.substr(0, end));
}

} // namespace

Summary summaryOfLine(std::string_view text, std::uint64_t &step) {
  Json line = Json::parse(text, nullptr, false);
  if (!line.is_object() || !line.contains("step") ||
      !line["step"].is_number_unsigned())
    fail(ExitCode::BadInput, "no line of metrics.jsonl: ", text.substr(0, 80));
  step = line["step"].get<std::uint64_t>();
  Summary out;
  if (line.contains("split"))
    addEvaluation(out, line);
  else if (line.contains("ranks"))
    addAllocation(out, line);
  else
    addTraining(out, line);
  return out;
}

static std::string markdownText(const std::string &bytes) {
  // TensorBoard refuses what is not UTF-8.
  auto text = Json::parse(Json(bytes).dump(-1, ' ', false,
                                           Json::error_handler_t::replace))
                  .get<std::string>();
  std::string out;
  for (char c : text) {
    bool control = static_cast<unsigned char>(c) < 0x20;
    if (!control && std::string_view("\\`*_{}[]<>()#+-.!|&~").find(c) !=
                        std::string_view::npos)
      out += '\\';
    out += control ? ' ' : c;
  }
  return out;
}

std::string settingsTable(
    const std::vector<std::pair<std::string, std::string>> &settings) {
  std::string out = "| setting | value |\n|---|---|\n";
  for (auto &[name, value] : settings)
    out += "| " + markdownText(name) + " | " + markdownText(value) + " |\n";
  return out;
}

BoardLog::BoardLog(const std::filesystem::path &directory,
                   std::function<double()> clock,
                   std::function<void(const std::string &)> warn)
    : clock(std::move(clock)), fresh(!holdsEvents(directory)),
      file(directory, this->clock(), std::move(warn)) {}

void BoardLog::begin(std::uint64_t step, std::string_view metricsSoFar) {
  // A reader takes the first of all that it sees for the begin, not for a
  // restart: there is one in each file.
  file.write(restartEvent(clock(), fresh ? 0 : step));
  forLines(metricsSoFar, [&](std::string_view line) {
    std::uint64_t at = 0;
    Summary summary = summaryOfLine(line, at);
    if ((fresh || at >= step) && !summary.empty())
      file.write(summaryEvent(clock(), at, summary));
  });
}

void BoardLog::text(std::string_view tag, std::string_view markdown) {
  Summary summary;
  summary.text(tag, markdown);
  file.write(summaryEvent(clock(), 0, summary));
}

void BoardLog::write(std::string_view line) {
  std::uint64_t step = 0;
  Summary summary = summaryOfLine(line, step);
  if (!summary.empty())
    file.write(summaryEvent(clock(), step, summary));
}

} // namespace llamarun
