#include "runtime/report/RunPage.h"

#include "runtime/report/Chart.h"
#include "runtime/report/Html.h"
#include "runtime/report/RankTable.h"
#include "runtime/report/Style.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

namespace llamarun {
namespace {

using Json = nlohmann::ordered_json;

std::string colourOf(std::size_t run) {
  return std::string("c").append(std::to_string(run % kColours));
}

/// Names and titles of what every run may have; other values of metrics.jsonl
/// follow under their own names.
constexpr std::pair<const char *, const char *> kTitles[] = {
    {"loss", "Loss"},
    {"task_loss", "Task loss (without AdaLoRA's regulariser)"},
    {"learning_rate", "Learning rate"},
    {"grad_norm", "Gradient norm before clipping"},
    {"throughput", "Throughput, tokens a second"},
    {"budget", "AdaLoRA: budget"},
    {"rank", "AdaLoRA: rank of all matrices together"}};

std::string charts(const std::vector<Run> &runs, SeriesSet Run::*which,
                   const std::vector<std::string> &names, auto titleOf) {
  std::string out;
  for (auto &name : names) {
    std::vector<Line> lines;
    for (std::size_t i = 0; i < runs.size(); ++i)
      if (auto *points = (runs[i].*which).find(name))
        lines.push_back({runs[i].name, i, *points});
    out += chart(titleOf(name), lines);
  }
  return out;
}

std::vector<std::string> namesOf(const std::vector<Run> &runs,
                                 SeriesSet Run::*which) {
  std::vector<std::string> names;
  for (auto &run : runs)
    for (auto &[name, points] : (run.*which).all)
      if (std::ranges::find(names, name) == names.end())
        names.push_back(name);
  return names;
}

std::string trainingCharts(const std::vector<Run> &runs) {
  std::vector<std::string> names;
  for (auto &[name, title] : kTitles)
    names.push_back(name);
  for (auto &name : namesOf(runs, &Run::training))
    if (std::ranges::find(names, name) == names.end() &&
        !name.starts_with("rank/"))
      names.push_back(name);
  return charts(runs, &Run::training, names, [](const std::string &name) {
    auto known = std::ranges::find(
        kTitles, name, [](auto &entry) { return std::string(entry.first); });
    return known == std::end(kTitles) ? name : std::string(known->second);
  });
}

std::string cell(const std::string &text, const char *attributes = "") {
  return std::string("<td") + attributes + ">" + htmlText(text) + "</td>";
}

std::string headings(const std::vector<Run> &runs) {
  std::string out = "<tr><th></th>";
  for (std::size_t i = 0; i < runs.size(); ++i)
    out += "<th class=\"" + colourOf(i) + "\"><i></i>" +
           htmlText(runs[i].name) + "</th>";
  return out + "</tr>\n";
}

/// A row for each name, a column for each run.
std::string
table(const std::vector<Run> &runs,
      const std::vector<std::pair<std::string, std::vector<std::string>>> &rows,
      bool markDifferences) {
  std::string out = "<div class=\"scroll\"><table>\n" + headings(runs);
  for (auto &[name, values] : rows) {
    bool differ = markDifferences &&
                  std::ranges::adjacent_find(values, std::not_equal_to<>()) !=
                      values.end();
    out += std::string(differ ? "<tr class=\"differ\">" : "<tr>") + "<th>" +
           htmlText(name) + "</th>";
    for (auto &value : values)
      out += cell(value);
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

std::string textOf(const Json &value) {
  if (value.is_string())
    return value.get<std::string>();
  if (value.is_number())
    return shortNumber(value.get<double>());
  return value.is_null() ? "-" : value.dump();
}

const Json &member(const Json &object, const char *key) {
  static const Json kNone;
  if (!object.is_object())
    return kNone;
  auto at = object.find(key);
  return at == object.end() ? kNone : *at;
}

std::string summary(const std::vector<Run> &runs) {
  std::vector<std::pair<std::string, std::vector<std::string>>> rows;
  auto row = [&](const std::string &name, auto value) {
    std::vector<std::string> values;
    for (auto &run : runs)
      values.push_back(value(run));
    if (std::ranges::any_of(values, [](auto &v) { return v != "-"; }))
      rows.emplace_back(name, values);
  };
  row("state", [](const Run &run) -> std::string {
    if (run.end.is_null())
      return "not at its end";
    if (!member(run.end, "signal").is_null())
      return "stopped by signal " + textOf(member(run.end, "signal"));
    return "complete";
  });
  row("steps", [](const Run &run) {
    auto &all = member(run.record, "steps");
    return std::to_string(run.lastStep) +
           (all.is_number() ? " of " + textOf(all) : "");
  });
  row("mean training loss",
      [](const Run &run) { return textOf(member(run.end, "train_loss")); });
  for (auto &name : namesOf(runs, &Run::evaluation))
    row(name + ", last", [&](const Run &run) -> std::string {
      auto *points = run.evaluation.find(name);
      return points ? shortNumber(points->back().value) : "-";
    });
  row("tokens",
      [](const Run &run) { return textOf(member(run.end, "tokens")); });
  row("seconds",
      [](const Run &run) { return textOf(member(run.end, "seconds")); });
  row("trainable parameters", [](const Run &run) {
    return textOf(member(run.record, "trainable_parameters"));
  });
  row("model", [](const Run &run) {
    return textOf(member(member(member(run.record, "plan"), "model"), "name"));
  });
  row("devices",
      [](const Run &run) { return textOf(member(run.record, "devices")); });
  row("plan's flags", [](const Run &run) {
    return textOf(member(member(run.record, "plan"), "flags"));
  });
  return "<section><h2>Summary</h2>\n" + table(runs, rows, true) +
         "</section>\n";
}

std::string settings(const std::vector<Run> &runs) {
  std::vector<std::string> names;
  for (auto &run : runs)
    for (auto &[name, value] : member(run.record, "arguments").items())
      if (std::ranges::find(names, name) == names.end())
        names.push_back(name);
  if (names.empty())
    return "";
  std::vector<std::pair<std::string, std::vector<std::string>>> rows;
  for (auto &name : names) {
    std::vector<std::string> values;
    for (auto &run : runs)
      values.push_back(
          textOf(member(member(run.record, "arguments"), name.c_str())));
    rows.emplace_back("--" + name, values);
  }
  return "<section><details><summary>Settings</summary>\n" +
         table(runs, rows, true) + "</details></section>\n";
}

/// Planned bytes of a device by category, as bars on one scale.
std::string memory(const std::vector<Run> &runs) {
  double most = 0;
  std::vector<std::string> categories;
  for (auto &run : runs) {
    auto &all = member(run.record, "memory");
    for (auto &[name, bytes] : all.items())
      if (bytes.is_number() && name == "total")
        most = std::max(most, bytes.get<double>());
      else if (bytes.is_number() && bytes.get<double>() > 0 &&
               std::ranges::find(categories, name) == categories.end())
        categories.push_back(name);
  }
  if (most == 0)
    return "";
  std::string out = "<section><h2>Memory of each device</h2>\n";
  for (auto &run : runs) {
    auto &all = member(run.record, "memory");
    if (!member(all, "total").is_number())
      continue;
    out += "<p class=\"bar-name\">" + htmlText(run.name) + ": " +
           bytesText(all["total"].get<double>()) + "</p>\n<div class=\"bar\">";
    for (std::size_t i = 0; i < categories.size(); ++i) {
      auto &bytes = member(all, categories[i].c_str());
      if (!bytes.is_number() || bytes.get<double>() <= 0)
        continue;
      char width[32];
      std::snprintf(width, sizeof width, "%.2f%%",
                    100 * bytes.get<double>() / most);
      out += "<span class=\"" + colourOf(i) + "\" style=\"width:" + width +
             "\" title=\"" + htmlText(categories[i]) + ": " +
             bytesText(bytes.get<double>()) + "\"></span>";
    }
    out += "</div>\n";
  }
  std::vector<std::pair<std::string, std::vector<std::string>>> rows;
  out += "<p class=\"legend\">";
  for (std::size_t i = 0; i < categories.size(); ++i) {
    out += "<span class=\"" + colourOf(i) + "\"><i></i>" +
           htmlText(categories[i]) + "</span> ";
    std::vector<std::string> values;
    for (auto &run : runs) {
      auto &bytes = member(member(run.record, "memory"), categories[i].c_str());
      values.push_back(bytes.is_number() ? bytesText(bytes.get<double>())
                                         : "-");
    }
    rows.emplace_back(categories[i], values);
  }
  return out + "</p>\n" + table(runs, rows, false) + "</section>\n";
}

std::string ranks(const std::vector<Run> &runs) {
  std::string out;
  for (auto &run : runs) {
    if (!run.ranks.is_object())
      continue;
    std::vector<Line> lines;
    for (auto &[name, points] : run.training.all)
      if (name.starts_with("rank/"))
        lines.push_back({name.substr(5), lines.size(), points});
    out += "<h3>" + htmlText(run.name) + ", step " +
           std::to_string(run.ranksStep) + "</h3>\n<div class=\"charts\">" +
           rankTable(run.ranks) +
           chart("Rank by projection, all layers", lines) + "</div>\n";
  }
  return out.empty()
             ? ""
             : "<section><h2>AdaLoRA's ranks</h2>\n" + out + "</section>\n";
}

} // namespace

std::string runPage(const std::vector<Run> &runs, const std::string &title) {
  std::string name = htmlText(title);
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">"
      "\n<title>" +
      name + "</title>\n<style>\n" + kStyle +
      "</style>\n</head>\n<body>\n<h1>" + name + "</h1>\n" + summary(runs);
  auto figures = [&](const char *heading, const std::string &drawn) {
    if (!drawn.empty())
      out += std::string("<section><h2>") + heading +
             "</h2>\n<div class=\"charts\">\n" + drawn + "</div></section>\n";
  };
  figures("Training", trainingCharts(runs));
  figures("Evaluation",
          charts(runs, &Run::evaluation, namesOf(runs, &Run::evaluation),
                 [](const std::string &metric) { return metric; }));
  return out + ranks(runs) + memory(runs) + settings(runs) +
         "</body>\n</html>\n";
}

} // namespace llamarun
