#include "runtime/train/TaskData.h"

#include "runtime/data/TextFile.h"
#include "runtime/io/JsonFile.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <thread>

namespace llamarun {

HeadKind headOf(const Plan &plan) {
  switch (plan.task().head()) {
  case fb::Head::Classification:
    return HeadKind::Classification;
  case fb::Head::Regression:
    return HeadKind::Regression;
  case fb::Head::CausalLM:
    break;
  }
  return HeadKind::CausalLM;
}

void cutPadding(std::vector<std::int32_t> &ids, std::int32_t pad) {
  while (ids.size() > 1 && ids.back() == pad)
    ids.pop_back();
}

std::optional<std::int32_t> padTokenOf(const std::filesystem::path &weights) {
  JsonFile config = JsonFile::open(weights / "config.json");
  std::int64_t pad = config.getInt("pad_token_id", -1);
  if (pad < 0 || pad > std::numeric_limits<std::int32_t>::max())
    return std::nullopt;
  return static_cast<std::int32_t>(pad);
}

struct TaskData::Text {
  std::string file;
  std::vector<Row> rows;
  std::vector<float> labels;
};

TaskData::TaskData(std::shared_ptr<const Plan> plan,
                   const std::filesystem::path &weights,
                   std::filesystem::path data, unsigned threads,
                   std::function<void()> progress)
    : plan(std::move(plan)), data(std::move(data)), threads(threads),
      progress(std::move(progress)) {
  const fb::Task &planTask = this->plan->task();
  auto name = viewOf(planTask.name());
  if (planTask.head() != fb::Head::CausalLM) {
    task = findGlueTask(name);
    if (!task)
      fail(ExitCode::BadInput, this->plan->path(), ": task '", name,
           "' is none that this llamarun can read");
    if (task->isRegression != (planTask.head() == fb::Head::Regression) ||
        static_cast<std::uint32_t>(task->headSize()) != planTask.labels())
      fail(ExitCode::BadInput, this->plan->path(), ": a head of ",
           planTask.labels(), " outputs does not suit task '", name, "'");
    pad = padTokenOf(weights);
  }
  tokenizer = Tokenizer::load(weights);
  if (!threads)
    this->threads = std::max(1u, std::thread::hardware_concurrency());
}

std::vector<Split> TaskData::evaluationSplits() const {
  if (!task)
    return std::filesystem::is_regular_file(data) ? std::vector<Split>{}
                                                  : std::vector{Split::Dev};
  std::vector<Split> splits;
  for (Split split : {Split::Dev, Split::DevMismatched})
    if (hasSplit(task->task, split))
      splits.push_back(split);
  return splits;
}

std::vector<Split> TaskData::testSplits() const {
  std::vector<Split> splits;
  if (task)
    for (Split split : {Split::Test, Split::TestMismatched})
      if (hasSplit(task->task, split))
        splits.push_back(split);
  return splits;
}

TaskData::Text TaskData::readLines(const std::filesystem::path &file,
                                   std::size_t most) const {
  Text text;
  text.file = file.string();
  LineReader reader(file);
  std::string line;
  while (text.rows.size() < most && reader.next(line))
    if (line.find_first_not_of(" \t") != line.npos)
      text.rows.push_back({line, "", false, reader.lineNumber()});
  text.labels.assign(text.rows.size(), std::nanf(""));
  return text;
}

TaskData::Text TaskData::readText(Split split, std::size_t most) const {
  if (!task) {
    if (std::filesystem::is_regular_file(data))
      return readLines(data, most);
    const char *name = split == Split::Train ? "train.txt"
                       : split == Split::Dev ? "dev.txt"
                                             : "test.txt";
    if (std::filesystem::exists(data / name))
      return readLines(data / name, most);
  }
  GlueData glue = readGlue(data, task ? task->task : GlueTask::Sst2, split);
  Text text;
  text.file = glue.file.string();
  std::size_t count = std::min(most, glue.examples.size());
  for (Example &example : std::span(glue.examples).first(count)) {
    text.labels.push_back(example.label);
    text.rows.push_back({std::move(example.a), std::move(example.b),
                         example.hasPair, example.line});
  }
  return text;
}

void TaskData::encode(const Text &text, std::size_t first, std::size_t last,
                      Dataset &out) const {
  std::size_t limit = plan->task().max_length();
  std::int64_t vocabulary = plan->model().vocab_size();
  for (std::size_t i = first; i < last; ++i) {
    // The first part is the calling thread's.
    if (progress && first == 0 && i % 256 == 0)
      progress();
    const Row &row = text.rows[i];
    auto &ids = out.sequences[i];
    ids = row.hasPair ? tokenizer->encodePair(row.a, row.b, limit)
                      : tokenizer->encodeSingle(row.a, limit);
    ids.shrink_to_fit();
    if (pad)
      cutPadding(ids, *pad);
    // A causal LM may leave it out; a classifier needs something to pool.
    if (ids.empty() && task)
      fail(ExitCode::BadInput, text.file, ":", row.line,
           ": the text has no tokens");
    for (std::int32_t id : ids)
      if (id < 0 || id >= vocabulary)
        fail(ExitCode::BadInput, text.file, ":", row.line, ": token id ", id,
             " of the tokenizer is not below the model's vocabulary of ",
             vocabulary);
  }
}

Dataset TaskData::load(Split split, std::size_t maxSamples) const {
  Text text = readText(split, maxSamples);
  Dataset out;
  out.name =
      !task && std::filesystem::is_regular_file(data)
          ? data.stem().string()
          : std::string(splitName(task ? task->task : GlueTask::Sst2, split));
  out.file = text.file;
  out.labels = std::move(text.labels);
  out.sequences.resize(text.rows.size());

  std::size_t parts = std::min<std::size_t>(threads, text.rows.size());
  std::vector<std::exception_ptr> errors(parts);
  std::vector<std::thread> workers;
  auto work = [&](std::size_t part) {
    try {
      encode(text, text.rows.size() * part / parts,
             text.rows.size() * (part + 1) / parts, out);
    } catch (...) {
      errors[part] = std::current_exception();
    }
  };
  for (std::size_t part = 1; part < parts; ++part)
    workers.emplace_back(work, part);
  if (parts)
    work(0);
  for (auto &worker : workers)
    worker.join();
  for (auto &error : errors) // the first of the file, however many threads
    if (error)
      std::rethrow_exception(error);

  if (!task) {
    std::erase_if(out.sequences, [](auto &ids) { return ids.size() < 2; });
    out.labels.resize(out.sequences.size());
  }
  if (out.sequences.empty())
    fail(ExitCode::BadInput, out.file, ": nothing to read in it");
  return out;
}

} // namespace llamarun
