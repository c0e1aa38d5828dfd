//===- CudaStreams.h - Streams, events and captured graphs -----*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cuda/CudaContext.h"

#include <memory>
#include <unordered_set>
#include <vector>

namespace llamarun {

/// A program as an instantiated CUDA graph.
class CudaGraph final : public Graph {
public:
  CudaGraph(const CudaContext &context, CUgraphExec executable)
      : context(context), executable(executable) {}
  ~CudaGraph() override;
  CudaGraph(const CudaGraph &) = delete;
  CudaGraph &operator=(const CudaGraph &) = delete;

  void launch(CUstream stream);

private:
  const CudaContext &context;
  CUgraphExec executable;
};

/// An event that keeps the time.
class CudaMark final : public Mark {
public:
  explicit CudaMark(const CudaContext &context);
  ~CudaMark() override;
  CudaMark(const CudaMark &) = delete;
  CudaMark &operator=(const CudaMark &) = delete;

  void wait();
  bool isReached();
  /// Outside a capture, and of a stream that is nobody's but the caller's.
  void recordOn(CUstream stream);
  double secondsSince(CudaMark &earlier);

private:
  friend class CudaStreams;
  const CudaContext &context;
  CUevent event = nullptr;
};

/// Streams are made as they are asked for; none waits for the legacy default
/// stream.
class CudaStreams {
public:
  explicit CudaStreams(const CudaContext &context) : context(context) {
    grow(1);
  }
  ~CudaStreams();
  CudaStreams(const CudaStreams &) = delete;
  CudaStreams &operator=(const CudaStreams &) = delete;

  CUstream get(StreamId stream) {
    grow(stream + 1);
    return streams[stream];
  }

  /// Whether the work put on a stream last is a kernel that nothing else has to
  /// be waited for with: then one that waits by itself may start early.
  bool endsInKernel(StreamId stream) const {
    return stream < tails.size() && tails[stream];
  }
  void endsInKernel(StreamId stream, bool kernel) {
    if (stream >= tails.size())
      tails.resize(stream + 1);
    tails[stream] = kernel;
  }

  /// This kernel waits by itself for the one before it. Our kernels let the
  /// next one start as soon as they have started; NCCL's kernels for shared
  /// windows (2.27 to 2.29) are launched as if they waited, and do not. So in a
  /// captured graph every other kernel waits for the whole one before it.
  void startsEarly(CUfunction kernel) { waiting.insert(kernel); }
  bool isCapturing() const { return captured > 0; }

  /// In a capture: a node that records the event whenever the graph runs.
  void record(CudaMark &mark, StreamId stream);

  EventId recordEvent(StreamId stream);
  void waitEvent(StreamId stream, EventId event);

  void beginCapture(unsigned streams);
  std::unique_ptr<Graph> endCapture();

private:
  const CudaContext &context;
  std::vector<CUstream> streams;
  std::vector<bool> tails;     ///< by stream
  std::vector<CUevent> events; ///< of this capture
  std::unordered_set<CUfunction> waiting;
  unsigned captured = 0; ///< streams of the capture, 0 outside one

  void grow(unsigned count);
  void dropEvents();
  void finishEdges(CUgraph graph);
};

} // namespace llamarun
