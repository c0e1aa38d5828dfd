#include "runtime/train/BenchReport.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

double perSecond(double count, double seconds) {
  return seconds > 0 ? count / seconds : 0;
}

/// The floor as a share of the time; 0 where the ceiling is not known.
double share(double work, double ceiling, double seconds) {
  return ceiling > 0 ? perSecond(work / ceiling, seconds) : 0;
}

nlohmann::ordered_json toJson(const Percentiles &p) {
  return {{"p50_ms", 1e3 * p.p50},
          {"p95_ms", 1e3 * p.p95},
          {"p99_ms", 1e3 * p.p99},
          {"mean_ms", 1e3 * p.mean}};
}

} // namespace

void printBench(std::FILE *out, const Plan &plan, const BenchContext &context,
                const BenchResult &result) {
  auto &all = result.seconds;
  double steps = result.steps;
  std::fprintf(out, "%s on %s, weights %s, lengths %s\n", plan.path().c_str(),
               context.device.c_str(), context.weights.c_str(),
               context.lengths.c_str());
  std::fprintf(out,
               "step            p50 %.3f  p95 %.3f  p99 %.3f  mean %.3f ms, "
               "wall %.3f ms, %u steps\n",
               1e3 * all.p50, 1e3 * all.p95, 1e3 * all.p99, 1e3 * all.mean,
               1e3 * result.wallSeconds / steps, result.steps);
  std::fprintf(
      out, "throughput      %.0f tokens/s, %.1f samples/s\n",
      perSecond(static_cast<double>(result.tokens), result.wallSeconds),
      perSecond(static_cast<double>(result.samples), result.wallSeconds));
  if (result.rankP50.size() > 1) {
    auto slowest = std::ranges::max_element(result.rankP50);
    std::fprintf(out, "ranks           p50 ms");
    for (double p50 : result.rankP50)
      std::fprintf(out, " %.3f", 1e3 * p50);
    std::fprintf(out, "; slowest: rank %td with %.3f\n",
                 slowest - result.rankP50.begin(), 1e3 * *slowest);
  }
  double seconds = all.mean * steps;
  if (context.ceilings.bytesPerSecond > 0)
    std::fprintf(
        out,
        "floors          bytes %.3f ms (%.0f%% of the mean step) at %.2f TB/s, "
        "FLOPs %.3f ms (%.0f%%) at %.1f TFLOP/s\n",
        1e3 * result.bytes / steps / context.ceilings.bytesPerSecond,
        100 * share(result.bytes, context.ceilings.bytesPerSecond, seconds),
        context.ceilings.bytesPerSecond / 1e12,
        1e3 * result.flops / steps / context.ceilings.flopsPerSecond,
        100 * share(result.flops, context.ceilings.flopsPerSecond, seconds),
        context.ceilings.flopsPerSecond / 1e12);
  std::fprintf(out,
               "memory          %.2f GiB allocated, %.2f GiB of the device in "
               "use\n",
               static_cast<double>(context.allocatedBytes) / kGiB,
               static_cast<double>(context.usedBytes) / kGiB);
  std::fprintf(out,
               "start           weights %.2f s, programs %.2f s, first step "
               "done %.2f s after process start\n",
               context.loadSeconds, result.prepareSeconds,
               result.firstStepSeconds);
  std::fprintf(out, "loss            %.5f to %.5f\n", result.firstLoss,
               result.lastLoss);
  std::fprintf(out, "%-16s %6s %8s %9s %9s %9s %7s %7s\n", "program", "steps",
               "tokens", "p50 ms", "p95 ms", "tokens/s", "bytes%", "FLOPs%");
  for (auto &bucket : result.buckets) {
    double tokens = static_cast<double>(bucket.tokens) / bucket.steps;
    std::fprintf(out, "%-16s %6u %8.1f %9.3f %9.3f %9.0f %7.0f %7.0f\n",
                 bucket.program.c_str(), bucket.steps, tokens,
                 1e3 * bucket.seconds.p50, 1e3 * bucket.seconds.p95,
                 perSecond(tokens, bucket.seconds.mean),
                 100 * share(bucket.bytes, context.ceilings.bytesPerSecond,
                             bucket.seconds.mean),
                 100 * share(bucket.flops, context.ceilings.flopsPerSecond,
                             bucket.seconds.mean));
  }
  std::fflush(out);
}

std::string benchJson(const Plan &plan, const BenchContext &context,
                      const BenchResult &result) {
  nlohmann::ordered_json json;
  json["plan"] = plan.path();
  json["plan_hash"] = plan.hash();
  json["flags"] = std::string(viewOf(plan.root().flags()));
  json["device"] = context.device;
  json["weights"] = context.weights;
  json["lengths"] = context.lengths;
  json["batch"] =
      result.commonest ? result.commonest->sequences() : plan.task().batch();
  json["steps"] = result.steps;
  json["step"] = toJson(result.seconds);
  json["ranks"] = result.rankP50.size();
  json["rank_p50_ms"] = nlohmann::ordered_json::array();
  for (double p50 : result.rankP50)
    json["rank_p50_ms"].push_back(1e3 * p50);
  json["wall_ms"] = 1e3 * result.wallSeconds / result.steps;
  json["real_tokens_per_second"] =
      perSecond(static_cast<double>(result.tokens), result.wallSeconds);
  json["samples_per_second"] =
      perSecond(static_cast<double>(result.samples), result.wallSeconds);
  double seconds = result.seconds.mean * result.steps;
  json["bytes_per_step"] = result.bytes / result.steps;
  json["flops_per_step"] = result.flops / result.steps;
  json["ceiling_bytes_per_second"] = context.ceilings.bytesPerSecond;
  json["ceiling_flops_per_second"] = context.ceilings.flopsPerSecond;
  json["fraction_of_byte_floor"] =
      share(result.bytes, context.ceilings.bytesPerSecond, seconds);
  json["fraction_of_flop_floor"] =
      share(result.flops, context.ceilings.flopsPerSecond, seconds);
  json["allocated_gib"] = static_cast<double>(context.allocatedBytes) / kGiB;
  json["device_used_gib"] = static_cast<double>(context.usedBytes) / kGiB;
  json["load_seconds"] = context.loadSeconds;
  json["prepare_seconds"] = result.prepareSeconds;
  json["first_step_seconds"] = result.firstStepSeconds;
  json["first_loss"] = result.firstLoss;
  json["last_loss"] = result.lastLoss;
  json["buckets"] = nlohmann::ordered_json::array();
  for (auto &bucket : result.buckets)
    json["buckets"].push_back(
        {{"program", bucket.program},
         {"tokens", bucket.bucket},
         {"steps", bucket.steps},
         {"real_tokens", static_cast<double>(bucket.tokens) / bucket.steps},
         {"step", toJson(bucket.seconds)},
         {"bytes", bucket.bytes},
         {"flops", bucket.flops}});
  return json.dump(2, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace llamarun
