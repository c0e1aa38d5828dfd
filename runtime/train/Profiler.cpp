#include "runtime/train/Profiler.h"

#include "runtime/support/Error.h"
#include "runtime/trace/HostTrace.h"
#include "runtime/train/BenchProgram.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <unistd.h>
#include <utility>

namespace llamarun {
namespace {

std::string hostName() {
  char text[256] = "";
  if (::gethostname(text, sizeof text - 1) != 0)
    return "unknown";
  return text;
}

double medianOf(std::vector<double> values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Keeps one rank's times while steps are taken.
class Recorder final : public BenchWatch {
public:
  Recorder(Session &session, const Ranks &ranks, const ProfileOptions &options)
      : session(session), ranks(ranks), compare(options.compare) {}
  ~Recorder() override { session.traceHost(nullptr); }

  /// All ranks or none: what takes its place has collectives, too.
  void prepares() override {
    std::string why;
    trace = session.device().makeTrace(why);
    auto all = ranks.gather(trace ? "" : why.empty() ? "?" : why);
    for (unsigned rank = 0; rank < all.size() && missing.empty(); ++rank)
      if (!all[rank].empty())
        missing = (ranks.alone() ? "" : "rank " + std::to_string(rank) + ": ") +
                  all[rank];
    if (!missing.empty())
      trace.reset();
  }
  /// Why there are no times of steps; empty if there are.
  const std::string &whatIsMissing() const { return missing; }
  void begins() override {
    if (!compare)
      turn(true);
  }
  void starts(std::uint32_t step) override {
    if (compare)
      turn(isTraced(step));
  }
  void finished(std::uint32_t step, const PendingStep &done) override {
    std::vector<double> seconds;
    for (auto &run : done.runs)
      seconds.push_back(run.seconds());
    finished(step, *done.last, seconds);
  }
  /// \param seconds of the step's runs.
  void finished(std::uint32_t step, const fb::Program &last,
                const std::vector<double> &seconds) {
    double all = 0;
    for (double s : seconds) {
      if (isTraced(step))
        measured.emplace_back(step, s);
      all += s;
    }
    (isTraced(step) ? on : off)[&last].push_back(all);
  }

  std::optional<double> overhead() const {
    if (!trace)
      return std::nullopt;
    double with = 0, without = 0;
    for (auto &[program, seconds] : on)
      if (auto other = off.find(program); other != off.end()) {
        auto weight = static_cast<double>(seconds.size());
        with += weight * medianOf(seconds);
        without += weight * medianOf(other->second);
      }
    return without > 0 ? std::optional(with / without - 1) : std::nullopt;
  }

  /// After the last step, where nothing is missing.
  RankTrace take() {
    turn(false);
    RankTrace result = frame();
    result.source = trace->source();
    result.synchronous = !session.device().isAsynchronous();
    DeviceRecords records = trace->take();
    result.lost = records.lost;
    result.names = std::move(records.names);
    for (std::size_t i = 0; i < std::min(host.runs.size(), measured.size());
         ++i)
      result.runs.push_back({host.runs[i].program, measured[i].first,
                             measured[i].second, host.runs[i].begin,
                             host.runs[i].end});
    auto known = [&](const TracedWork &work) {
      return work.tag == kNoTag ||
             (work.run < result.runs.size() &&
              result.runs[work.run].program == programOf(work.tag));
    };
    for (auto &work : records.steps)
      if (known(work))
        result.steps.push_back(work);
    for (auto &work : records.pieces)
      if (known(work))
        result.pieces.push_back(work);
    result.lost += records.steps.size() - result.steps.size();
    addSpans(result);
    return result;
  }

  /// Instead: one run of `program`, its steps one after another, each as long
  /// as the device's own marks between them say. Not what happens in training,
  /// where they overlap, but all that there is.
  RankTrace takeSteps(const fb::Program &program) {
    turn(false);
    constexpr unsigned kRuns = 20;
    auto &seconds = on[&program];
    RankTrace result = frame();
    result.source = "marks between steps, one after another";
    result.synchronous = false;
    auto number = session.indexOf(program);
    auto begin = traceClock(), end = begin;
    auto times = session.profile(program, kRuns);
    for (std::uint32_t i = 0; i < times.size(); ++i) {
      TracedWork work{workTag(number, i), 0, 0, 0, end, 0};
      end += static_cast<std::int64_t>(1e9 * times[i]);
      work.end = end;
      result.steps.push_back(work);
    }
    result.runs.push_back(
        {number, 0, seconds.empty() ? 0 : medianOf(seconds), begin, end});
    return result;
  }

private:
  Session &session;
  const Ranks &ranks;
  bool compare;
  std::string missing;
  std::unique_ptr<DeviceTrace> trace;
  HostTrace host;
  bool tracing = false;
  std::vector<std::pair<std::uint32_t, double>> measured; ///< of traced runs
  std::map<const fb::Program *, std::vector<double>> on, off;

  /// In turns that cancel what grows with time: with, without, without, with.
  bool isTraced(std::uint32_t step) const {
    return !compare || step % 4 == 0 || step % 4 == 3;
  }
  void turn(bool to) {
    if (tracing == to || !trace)
      return;
    tracing = to;
    session.traceHost(to ? &host : nullptr);
    if (to)
      trace->start();
    else
      trace->stop();
  }

  RankTrace frame() const {
    RankTrace result;
    result.rank = ranks.rank();
    result.host = hostName();
    result.device = session.device().name();
    result.pid = ::getpid();
    return result;
  }

  void addSpans(RankTrace &result) const {
    std::map<std::string_view, std::uint32_t> names;
    for (auto &span : host.spans) {
      auto [it, isNew] = names.try_emplace(
          span.name, static_cast<std::uint32_t>(result.names.size()));
      if (isNew)
        result.names.push_back(span.name);
      result.spans.push_back({static_cast<std::uint32_t>(span.lane), it->second,
                              span.begin, span.end});
    }
    // What encloses others comes before them.
    std::ranges::stable_sort(result.spans, [](auto &x, auto &y) {
      return x.begin != y.begin ? x.begin < y.begin : x.end > y.end;
    });
  }
};

std::vector<RankTrace> gatherTraces(RankTrace mine, const Ranks &ranks) {
  mine.clock = exchangeClocks(ranks);
  std::vector<RankTrace> traces;
  auto all = ranks.gather(mine.encode());
  if (!ranks.first())
    return traces;
  for (auto &bytes : all) {
    traces.push_back(RankTrace::decode(bytes));
    traces.back().align();
  }
  return traces;
}

/// \param program that stands for the others where steps have no times.
JobProfile resultOf(Recorder &recorder, const Ranks &ranks,
                    const fb::Program &program) {
  JobProfile profile;
  profile.overhead = recorder.overhead();
  bool whole = recorder.whatIsMissing().empty();
  if (!whole)
    profile.note = recorder.whatIsMissing() +
                   ": one program by itself, its steps one after another";
  profile.traces = gatherTraces(
      whole ? recorder.take() : recorder.takeSteps(program), ranks);
  return profile;
}

void refuseDebugSync(const Session &session) {
  if (session.debugSync())
    fail(ExitCode::Usage, "--debug-sync waits for every step: what it would "
                          "show is not how the plan runs");
}

} // namespace

ClockOffset exchangeClocks(const Ranks &ranks, const std::string &identity) {
  auto identities = ranks.gather(identity);
  if (!identities[0].empty() && std::ranges::all_of(identities, [&](auto &its) {
        return its == identities[0];
      }))
    return {};
  constexpr int kRounds = 50;
  std::vector<ClockExchange> mine;
  for (int i = 0; i < kRounds; ++i) {
    ClockExchange exchange{traceClock(), 0};
    ranks.exchange({});
    exchange.end = traceClock();
    mine.push_back(exchange);
  }
  auto size = mine.size() * sizeof(ClockExchange);
  auto first =
      ranks.fromFirst({reinterpret_cast<const char *>(mine.data()), size});
  if (first.size() != size)
    fail(ExitCode::PeerLost, "rank 0 sent ", first.size(), " bytes, not ",
         size);
  std::vector<ClockExchange> theirs(mine.size());
  std::memcpy(theirs.data(), first.data(), size);
  return ranks.first() ? ClockOffset{} : clockOffset(theirs, mine);
}

JobProfile profileTraining(Session &session, ProgramRunner &runner,
                           const Dataset &data, const ProfileOptions &options) {
  refuseDebugSync(session);
  Recorder recorder(session, runner.ranks(), options);
  BenchOptions bench;
  bench.steps = options.compare ? 2 * options.steps : options.steps;
  bench.warmup = options.warmup;
  bench.ahead = options.compare ? 0 : 1;
  bench.watch = &recorder;
  auto result = benchTraining(session, runner, data, bench);
  JobProfile profile = resultOf(recorder, runner.ranks(), *result.commonest);
  profile.bench = std::move(result);
  return profile;
}

JobProfile profileProgram(Session &session, const Ranks &ranks,
                          std::uint64_t seed, const ProfileOptions &options) {
  refuseDebugSync(session);
  const Plan &plan = session.plan();
  auto *program = largestProgram(plan);
  Recorder recorder(session, ranks, options);
  recorder.prepares();
  session.prepare(*program);
  drawInputs(session, *program, seed, ranks);
  for (std::uint32_t i = 0; i <= options.warmup; ++i)
    session.run(*program).wait();
  recorder.begins();
  ranks.gather({}); // all begin together
  auto steps = options.compare ? 2 * options.steps : options.steps;
  for (std::uint32_t i = 0; i < steps; ++i) {
    recorder.starts(i);
    auto run = session.run(*program);
    recorder.finished(i, *program, {run.seconds()});
  }
  return resultOf(recorder, ranks, *program);
}

} // namespace llamarun
