#include "runtime/device/cuda/CudaStreams.h"

namespace llamarun {

CudaGraph::~CudaGraph() {
  // A graph that still runs is freed once it is done (cuGraphExecDestroy).
  context.useQuietly().cuGraphExecDestroyFn(executable);
}

void CudaGraph::launch(CUstream stream) {
  LLAMAC_CU(context.use(), cuGraphLaunch, executable, stream);
}

CudaMark::CudaMark(const CudaContext &context) : context(context) {
  LLAMAC_CU(context.use(), cuEventCreate, &event, CU_EVENT_DEFAULT);
}

CudaMark::~CudaMark() { context.useQuietly().cuEventDestroyFn(event); }

void CudaMark::wait() { LLAMAC_CU(context.use(), cuEventSynchronize, event); }

bool CudaMark::isReached() {
  auto &cuda = context.use();
  auto result = cuda.cuEventQueryFn(event);
  if (result == CUDA_ERROR_NOT_READY)
    return false;
  cuda.check(result, "cuEventQuery");
  return true;
}

void CudaMark::recordOn(CUstream stream) {
  LLAMAC_CU(context.use(), cuEventRecord, event, stream);
}

double CudaMark::secondsSince(CudaMark &earlier) {
  float milliseconds = 0;
  LLAMAC_CU(context.use(), cuEventElapsedTime, &milliseconds, earlier.event,
            event);
  return 1e-3 * static_cast<double>(milliseconds);
}

void CudaStreams::record(CudaMark &mark, StreamId stream) {
  LLAMAC_CU(context.use(), cuEventRecordWithFlags, mark.event, get(stream),
            captured ? CU_EVENT_RECORD_EXTERNAL : CU_EVENT_RECORD_DEFAULT);
  if (captured) // a node of its own: what follows depends on it
    endsInKernel(stream, false);
}

CudaStreams::~CudaStreams() {
  auto &cuda = context.useQuietly();
  dropEvents();
  for (auto stream : streams)
    cuda.cuStreamDestroyFn(stream);
}

/// What memory-assign-streams puts there is wanted by nobody for long: whatever
/// waits for a multiprocessor on other streams goes first (docs/plan.md).
static constexpr unsigned kPatient = 1;

void CudaStreams::grow(unsigned count) {
  int least = 0, greatest = 0;
  LLAMAC_CU(context.use(), cuCtxGetStreamPriorityRange, &least, &greatest);
  while (streams.size() < count) {
    CUstream stream = nullptr;
    LLAMAC_CU(context.use(), cuStreamCreateWithPriority, &stream,
              CU_STREAM_NON_BLOCKING,
              streams.size() == kPatient ? least : greatest);
    streams.push_back(stream);
  }
}

void CudaStreams::dropEvents() {
  for (auto event : events)
    context.useQuietly().cuEventDestroyFn(event);
  events.clear();
}

EventId CudaStreams::recordEvent(StreamId stream) {
  auto &cuda = context.use();
  CUevent event = nullptr;
  LLAMAC_CU(cuda, cuEventCreate, &event, CU_EVENT_DISABLE_TIMING);
  events.push_back(event);
  LLAMAC_CU(cuda, cuEventRecord, event, get(stream));
  return static_cast<EventId>(events.size() - 1);
}

void CudaStreams::waitEvent(StreamId stream, EventId event) {
  if (event >= events.size())
    fail(ExitCode::BadInput, "wait for event ", event, " of another capture");
  LLAMAC_CU(context.use(), cuStreamWaitEvent, get(stream), events[event], 0);
  endsInKernel(stream, false);
}

void CudaStreams::beginCapture(unsigned count) {
  grow(count);
  dropEvents();
  tails.clear();
  // Relaxed: cuBLASLt may load a kernel the first time it is asked for it.
  LLAMAC_CU(context.use(), cuStreamBeginCapture, get(0),
            CU_STREAM_CAPTURE_MODE_RELAXED);
  captured = count;
  if (count > 1) {
    auto start = recordEvent(0);
    for (unsigned i = 1; i < count; ++i)
      waitEvent(i, start);
  }
}

/// Makes ordinary dependences of those programmatic ones whose kernel does not
/// wait by itself. An edge costs less than a node between the two: 1 ms of a
/// step with 130 collectives (bench/results/2026-11-23-h200-peer-sums.md).
void CudaStreams::finishEdges(CUgraph graph) {
  auto &cuda = context.use();
  std::size_t count = 0;
  LLAMAC_CU(cuda, cuGraphGetEdges, graph, nullptr, nullptr, nullptr, &count);
  std::vector<CUgraphNode> from(count), to(count);
  std::vector<CUgraphEdgeData> data(count);
  if (count)
    LLAMAC_CU(cuda, cuGraphGetEdges, graph, from.data(), to.data(), data.data(),
              &count);
  for (std::size_t i = 0; i < count; ++i) {
    if (data[i].type != CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC)
      continue;
    CUgraphNodeType type{};
    LLAMAC_CU(cuda, cuGraphNodeGetType, to[i], &type);
    if (type == CU_GRAPH_NODE_TYPE_KERNEL) {
      CUDA_KERNEL_NODE_PARAMS kernel{};
      LLAMAC_CU(cuda, cuGraphKernelNodeGetParams, to[i], &kernel);
      if (waiting.contains(kernel.func))
        continue;
    }
    CUgraphEdgeData whole{};
    LLAMAC_CU(cuda, cuGraphRemoveDependencies, graph, &from[i], &to[i],
              &data[i], 1);
    LLAMAC_CU(cuda, cuGraphAddDependencies, graph, &from[i], &to[i], &whole, 1);
  }
}

std::unique_ptr<Graph> CudaStreams::endCapture() {
  auto &cuda = context.use();
  CUgraph graph = nullptr;
  tails.clear();
  try {
    for (unsigned i = 1; i < captured; ++i)
      waitEvent(0, recordEvent(i));
  } catch (...) {
    // Whatever fails, stream 0 must leave capture.
    captured = 0;
    if (cuda.cuStreamEndCaptureFn(get(0), &graph) == CUDA_SUCCESS && graph)
      cuda.cuGraphDestroyFn(graph);
    throw;
  }
  captured = 0;
  LLAMAC_CU(cuda, cuStreamEndCapture, get(0), &graph);
  try {
    finishEdges(graph);
  } catch (...) {
    cuda.cuGraphDestroyFn(graph);
    throw;
  }
  CUgraphExec executable = nullptr;
  auto made = cuda.cuGraphInstantiateWithFlagsFn(
      &executable, graph, CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
  cuda.cuGraphDestroyFn(graph);
  cuda.check(made, "cuGraphInstantiateWithFlags");
  auto result = std::make_unique<CudaGraph>(context, executable);
  // Now, not in front of the first run.
  LLAMAC_CU(cuda, cuGraphUpload, executable, get(0));
  return result;
}

} // namespace llamarun
