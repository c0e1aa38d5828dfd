//===- GraphActivity.h - From a GPU's activity to plan steps ---*- C++ -*-===//
//
// A profiler of GPUs tells of kernels by the node of the graph that launched
// them. Nodes get numbers when they are captured, and their copies others when
// the graph is instantiated (CUPTI's sample cuda_graphs_trace has the same two
// callbacks). Knows no header of CUDA: tests feed it records by hand.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/device/DeviceTrace.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace llamarun {

/// Which step a node of a graph was made for.
class GraphNodes {
public:
  void created(std::uint64_t node, WorkTag tag) { tags[node] = tag; }
  /// `copy` is what `original` became in an executable graph.
  void cloned(std::uint64_t original, std::uint64_t copy) {
    if (auto found = tags.find(original); found != tags.end())
      tags[copy] = found->second;
  }
  /// kNoTag for nodes that were not seen, or made for no step.
  WorkTag find(std::uint64_t node) const {
    auto found = tags.find(node);
    return found == tags.end() ? kNoTag : found->second;
  }

private:
  std::unordered_map<std::uint64_t, WorkTag> tags;
};

/// One kernel, copy or fill as the profiler tells it.
struct GpuActivity {
  std::uint64_t node = 0; ///< of a graph; 0: launched by itself
  /// Of the call that launched it: rises from call to call, the same for all
  /// of a graph's launch.
  std::uint32_t correlation = 0;
  std::uint32_t stream = 0;
  std::uint32_t name = 0; ///< GpuActivities::name()
  std::int64_t begin = 0, end = 0;
};

/// Activity in any order, until it is taken.
class GpuActivities {
public:
  /// Equal texts have one number; 0 is the empty one.
  std::uint32_t name(std::string_view text);
  void add(const GpuActivity &activity) { activities.push_back(activity); }

  /// By step and run: launches of graphs are runs, counted from `firstRun`, in
  /// order of their correlation; a step lasts from its first piece to its last
  /// one and is named after its kernels, "a + b" if there are several. What a
  /// graph's node did that is of no step counts as lost; what no graph launched
  /// is a piece without a tag. Forgets the activity.
  /// \param firstRun becomes the number of the next run.
  DeviceRecords take(const GraphNodes &nodes, std::uint32_t &firstRun);

private:
  std::vector<GpuActivity> activities;
  std::map<std::string, std::uint32_t, std::less<>> numbers{{"", 0}};
  std::vector<std::string> names{""};
};

} // namespace llamarun
