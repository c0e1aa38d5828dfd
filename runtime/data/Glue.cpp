#include "runtime/data/Glue.h"

#include "runtime/data/TextFile.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace llamarun {

static std::vector<std::string_view> splitTabs(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    size_t tab = line.find('\t');
    fields.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos)
      return fields;
    line.remove_prefix(tab + 1);
  }
}

static std::filesystem::path findFile(const std::filesystem::path &root,
                                      const GlueTaskInfo &info, Split split) {
  std::vector<std::filesystem::path> folders;
  for (std::string_view folder : info.folders)
    folders.push_back(root / folder);
  folders.push_back(root);
  for (const auto &folder : folders)
    for (std::string_view name : splitFiles(info.task, split)) {
      std::error_code ignored;
      if (std::filesystem::exists(folder / name, ignored))
        return folder / name;
    }
  fail(ExitCode::BadInput, root.string(), ": has no ", info.name, " ",
       splitName(info.task, split), " data (neither ",
       (folders.front() / splitFiles(info.task, split).front()).string(),
       " nor ", (root / splitFiles(info.task, split).front()).string(), ")");
}

namespace {

/// Where the fields of a row stand.
struct Positions {
  int a = -1, b = -1, label = -1;
  size_t needed() const {
    return static_cast<size_t>(std::max({a, b, label})) + 1;
  }
};

std::string quoted(std::string_view text) {
  return std::string("'").append(text.substr(0, 60)).append("'");
}

Positions readHeader(std::string_view line, const GlueColumns &columns,
                     const std::string &file) {
  std::vector<std::string_view> names = splitTabs(line);
  auto position = [&](std::string_view name) {
    if (name.empty())
      return -1;
    auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end())
      fail(ExitCode::BadInput, file, ":1: the header has no column '", name,
           "' (it is ", quoted(line), ")");
    return static_cast<int>(at - names.begin());
  };
  return {position(columns.a), position(columns.b), position(columns.label)};
}

/// The label's value, NaN if `text` is no label of the task.
float parseLabel(std::string_view text, const GlueTaskInfo &info) {
  if (!info.isRegression) {
    const auto &texts = info.labelTexts;
    auto at = std::find(texts.begin(), texts.end(), text);
    return at == texts.end() ? std::nanf("")
                             : static_cast<float>(at - texts.begin());
  }
  float score = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), score);
  bool good = error == std::errc() && end == text.data() + text.size() &&
              score >= 0.0f && score <= 5.0f;
  return good ? score : std::nanf("");
}

std::string expectedLabels(const GlueTaskInfo &info) {
  if (info.isRegression)
    return "a number from 0 to 5";
  std::string text;
  for (size_t i = 0; i < info.labelTexts.size(); ++i)
    (text += i == 0 ? "" : " or ") += info.labelTexts[i];
  return text;
}

} // namespace

GlueData readGlue(const std::filesystem::path &root, GlueTask task,
                  Split split) {
  const GlueTaskInfo &info = glueTask(task);
  if (!hasSplit(task, split))
    fail(ExitCode::Usage, "task ", info.name, " has no split ",
         splitName(task, split));
  GlueData data;
  data.file = findFile(root, info, split);
  LineReader reader(data.file);
  GlueColumns columns = splitColumns(task, split);
  Positions at{columns.aIndex, -1, columns.labelIndex};
  std::string line;
  if (columns.hasHeader) {
    if (!reader.next(line))
      fail(ExitCode::BadInput, reader.name(), ": is empty");
    at = readHeader(line, columns, reader.name());
  }
  // A submission needs a prediction for every row: none is dropped from a test.
  bool skip = info.skipsShortRows && at.label >= 0;
  int blankLine = 0;
  while (reader.next(line)) {
    if (line.empty()) {
      blankLine = blankLine ? blankLine : reader.lineNumber();
      continue;
    }
    // QQP's questions hold line ends: what a row is broken into may be empty.
    if (blankLine && !skip)
      fail(ExitCode::BadInput, reader.name(), ":", blankLine, ": blank line");
    blankLine = 0;
    std::vector<std::string_view> fields = splitTabs(line);
    if (fields.size() < at.needed()) {
      if (!skip)
        fail(ExitCode::BadInput, reader.name(), ":", reader.lineNumber(), ": ",
             fields.size(), " columns, at least ", at.needed(), " are needed");
      ++data.skipped;
      continue;
    }
    Example example;
    example.a = fields[at.a];
    example.hasPair = at.b >= 0;
    if (example.hasPair)
      example.b = fields[at.b];
    example.line = reader.lineNumber();
    if (at.label >= 0) {
      example.label = parseLabel(fields[at.label], info);
      if (std::isnan(example.label))
        fail(ExitCode::BadInput, reader.name(), ":", reader.lineNumber(),
             ": label ", quoted(fields[at.label]), " is not ",
             expectedLabels(info));
    }
    data.examples.push_back(std::move(example));
  }
  if (data.examples.empty())
    fail(ExitCode::BadInput, reader.name(), ": holds no examples");
  return data;
}

} // namespace llamarun
