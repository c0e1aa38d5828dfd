#include "runtime/train/Bench.h"

#include "runtime/data/Sampler.h"
#include "runtime/support/Error.h"
#include "runtime/train/CounterRandom.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <deque>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <unistd.h>

namespace llamarun {

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

LengthModel LengthModel::parse(const std::string &text) {
  if (text == "sst2-like")
    return {};
  constexpr std::string_view prefix = "fixed:";
  LengthModel model;
  const char *end = text.data() + text.size();
  if (text.starts_with(prefix)) {
    auto [rest, error] =
        std::from_chars(text.data() + prefix.size(), end, model.fixed);
    if (error == std::errc() && rest == end && model.fixed > 0)
      return model;
  }
  fail(ExitCode::Usage, "lengths are 'sst2-like' or 'fixed:N', not '", text,
       "'");
}

Dataset makeSyntheticData(const Plan &plan, const LengthModel &lengths,
                          std::size_t count, std::uint64_t seed) {
  CounterRandom lengthOf(seed, "bench.lengths"), token(seed, "bench.tokens"),
      label(seed, "bench.labels");
  Dataset data;
  data.name = "synthetic";
  data.file = "(synthetic data)";
  std::uint64_t drawn = 0;
  auto vocabulary = plan.model().vocab_size();
  for (std::size_t i = 0; i < count; ++i) {
    double length =
        lengths.fixed
            ? lengths.fixed
            : std::clamp(std::trunc(std::exp(0.75 * lengthOf.normal(i) + 2.25)),
                         3.0, 66.0);
    auto tokens = std::min<std::uint64_t>(static_cast<std::uint64_t>(length),
                                          plan.task().max_length());
    auto &ids = data.sequences.emplace_back();
    for (std::uint64_t j = 0; j < tokens; ++j)
      ids.push_back(
          static_cast<std::int32_t>(token.bits(drawn++) % vocabulary));
    if (plan.task().head() == fb::Head::Classification)
      data.labels.push_back(
          static_cast<float>(label.bits(i) % plan.task().labels()));
    else if (plan.task().head() == fb::Head::Regression)
      data.labels.push_back(static_cast<float>(5 * label.uniform(i)));
  }
  return data;
}

Percentiles Percentiles::of(std::vector<double> seconds) {
  Percentiles result;
  if (seconds.empty())
    return result;
  std::sort(seconds.begin(), seconds.end());
  auto rank = [&](double share) {
    auto n = static_cast<double>(seconds.size());
    return seconds[static_cast<std::size_t>(
        std::clamp(std::ceil(share * n) - 1, 0.0, n - 1))];
  };
  result.p50 = rank(0.50);
  result.p95 = rank(0.95);
  result.p99 = rank(0.99);
  for (double s : seconds)
    result.mean += s / static_cast<double>(seconds.size());
  return result;
}

double secondsSinceProcessStart() {
  // Field 22 of /proc/self/stat, in ticks since boot; the name before it, in
  // parentheses, may hold anything.
  std::ifstream stat("/proc/self/stat"), uptime("/proc/uptime");
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(
      text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string field;
  for (int i = 3; i <= 22; ++i)
    fields >> field;
  double now = 0;
  uptime >> now;
  double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  double start = std::strtod(field.c_str(), nullptr) / ticks;
  return now > start && start > 0 ? now - start : 0;
}

namespace {

/// Cost of a step by what its programs say.
struct Cost {
  const fb::Program *last = nullptr;
  double bytes = 0, flops = 0;
};

Cost costOf(const Plan &plan, const Dataset &data, const StepPlan &step,
            unsigned dataRank) {
  Cost cost;
  std::vector<MicroBatch> own;
  for (auto i : ownOf(step, dataRank))
    own.push_back(step[i]);
  own.resize(std::max<std::size_t>(own.size(), 1)); // it runs an empty one
  for (std::size_t i = 0; i < own.size(); ++i) {
    std::uint64_t tokens = 0;
    for (auto example : own[i])
      tokens += data.sequences[example].size();
    auto kind = i + 1 == own.size() ? fb::ProgramKind::Train
                                    : fb::ProgramKind::Accumulate;
    auto *program = plan.find(kind, tokens, own[i].size());
    if (!program) // planEpoch has said why there could be none
      fail(ExitCode::BadInput, plan.path(), ": no program for ", tokens,
           " tokens");
    cost.last = program;
    cost.bytes += static_cast<double>(program->bytes());
    cost.flops += static_cast<double>(program->flops());
  }
  return cost;
}

} // namespace

BenchResult benchTraining(Session &session, ProgramRunner &runner,
                          const Dataset &data, const BenchOptions &options) {
  const Plan &plan = session.plan();
  const Ranks &ranks = runner.ranks();
  auto steps =
      planEpoch(plan, data, sequentialOrder(data.size()), defaultDealing(plan));
  std::size_t wanted = std::size_t{options.warmup} + options.steps;
  if (steps.size() < wanted || options.steps == 0)
    fail(ExitCode::BadInput, data.file, ": ", data.size(), " examples make ",
         steps.size(), " steps, ", wanted, " are wanted");
  BenchResult result;
  Hyper hyper = options.hyper;
  hyper.totalSteps = static_cast<std::int64_t>(2 * wanted);

  auto schedule =
      budgetSchedule(plan, static_cast<std::uint64_t>(hyper.totalSteps));
  std::uint64_t started = 0;
  auto allocation = [&] {
    ranks.setStep(++started);
    return schedule ? schedule->at(started - 1) : Allocation{};
  };

  std::vector<Cost> costs;
  for (auto &step : steps)
    costs.push_back(costOf(plan, data, step, ranks.dataRank()));
  // Of the timed steps' programs each runs once before them: on whatever rank
  // uses it, but all take the same steps.
  std::string news;
  std::set<const fb::Program *> warm;
  for (std::size_t i = 0; i < wanted; ++i)
    news += warm.insert(costs[i].last).second ? '1' : '0';
  auto allNews = ranks.gather(news);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < wanted; ++i)
    if (i < options.warmup || std::ranges::any_of(allNews, [i](auto &theirs) {
          return i < theirs.size() && theirs[i] == '1';
        }))
      order.push_back(i);
  if (options.watch)
    options.watch->prepares();
  auto start = Clock::now();
  for (auto i : order) {
    session.prepare(*costs[i].last);
    ranks.progress();
  }
  session.synchronize();
  result.prepareSeconds = secondsSince(start);
  bool first = true;
  for (auto i : order) {
    auto done = runner.train(data, steps[i], hyper, allocation());
    if (first) {
      result.firstStepSeconds = secondsSinceProcessStart();
      result.firstLoss = done.loss;
    }
    first = false;
  }

  std::vector<double> seconds;
  std::map<const fb::Program *, std::vector<double>> byProgram;
  std::map<const fb::Program *, BucketResult> buckets;
  std::deque<std::pair<std::size_t, PendingStep>> pending;
  auto finish = [&] {
    auto &[i, step] = pending.front();
    auto done = runner.finish(step);
    result.lastLoss = done.loss;
    result.tokens += done.tokens;
    for (auto &batch : steps[i])
      result.samples += batch.size();
    double took = step.seconds();
    if (options.watch)
      options.watch->finished(static_cast<std::uint32_t>(i - options.warmup),
                              step);
    seconds.push_back(took);
    byProgram[costs[i].last].push_back(took);
    auto &bucket = buckets[costs[i].last];
    ++bucket.steps;
    bucket.tokens += done.ownTokens;
    bucket.bytes += costs[i].bytes;
    bucket.flops += costs[i].flops;
    pending.pop_front();
  };
  if (options.watch)
    options.watch->begins();
  ranks.gather({}); // all begin together
  start = Clock::now();
  for (std::size_t i = options.warmup; i < wanted; ++i) {
    if (options.watch)
      options.watch->starts(static_cast<std::uint32_t>(i - options.warmup));
    pending.emplace_back(i, runner.start(data, steps[i], hyper, allocation()));
    if (pending.size() >
        (session.device().isAsynchronous() ? options.ahead : 0))
      finish();
  }
  while (!pending.empty())
    finish();
  result.wallSeconds = secondsSince(start);

  result.steps = options.steps;
  result.seconds = Percentiles::of(seconds);
  auto all =
      ranks.gatherNumbers(std::array{result.seconds.p50, result.wallSeconds});
  for (std::size_t at = 0; at < all.size(); at += 2) {
    result.rankP50.push_back(all[at]);
    result.wallSeconds = std::max(result.wallSeconds, all[at + 1]);
  }
  for (auto &[program, bucket] : buckets) {
    result.bytes += bucket.bytes;
    result.flops += bucket.flops;
    bucket.program = viewOf(program->name());
    bucket.bucket = program->tokens();
    bucket.bytes /= bucket.steps;
    bucket.flops /= bucket.steps;
    bucket.seconds = Percentiles::of(byProgram[program]);
    if (!result.commonest || bucket.steps > buckets[result.commonest].steps)
      result.commonest = program;
    result.buckets.push_back(bucket);
  }
  std::ranges::sort(result.buckets, {}, &BucketResult::bucket);
  return result;
}

} // namespace llamarun
