#include "runtime/device/cuda/CudaTrace.h"

#include "runtime/device/GraphActivity.h"
#include "runtime/device/cuda/CuptiLibrary.h"
#include "runtime/support/Error.h"

#include <cstdlib>
#include <mutex>
#include <utility>

namespace llamarun {
namespace {

// CUPTI fills whole buffers; a kernel's record has some 200 bytes.
constexpr std::size_t kBuffer = std::size_t{4} << 20, kAlignment = 8;

constexpr CUpti_ActivityKind kKinds[] = {
    CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, // KIND_KERNEL would keep them apart
    CUPTI_ACTIVITY_KIND_MEMCPY, CUPTI_ACTIVITY_KIND_MEMSET};

constexpr CUpti_CallbackId kCallbacks[] = {
    CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED,
    CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED};

const char *copyName(std::uint8_t kind) {
  switch (kind) {
  case CUPTI_ACTIVITY_MEMCPY_KIND_HTOD:
    return "copy to device";
  case CUPTI_ACTIVITY_MEMCPY_KIND_DTOH:
    return "copy from device";
  default:
    return "copy";
  }
}

std::int64_t signedTime(std::uint64_t time) {
  return static_cast<std::int64_t>(time);
}

/// CUPTI's callbacks for buffers bring no pointer of ours: there is one trace
/// at a time. Its threads call some of them.
class CudaTrace final : public DeviceTrace {
public:
  CudaTrace(const CudaContext &context, const CuptiLibrary &cupti,
            std::function<WorkTag()> tag)
      : context(context), cupti(cupti), currentTag(std::move(tag)) {}

  /// Empty if all went well.
  std::string open() {
    if (auto result = cupti.cuptiSubscribeFn(&subscriber, onResource, this);
        result != CUPTI_SUCCESS)
      return "CUPTI cannot be subscribed to: " + cupti.describe(result);
    subscribed = true;
    // Before any kind is enabled: all times are then of the host's clock.
    if (auto result = cupti.cuptiActivityRegisterTimestampCallbackFn(hostClock);
        result != CUPTI_SUCCESS)
      return "CUPTI takes no clock: " + cupti.describe(result);
    for (auto id : kCallbacks)
      if (auto result = cupti.cuptiEnableCallbackFn(
              1, subscriber, CUPTI_CB_DOMAIN_RESOURCE, id);
          result != CUPTI_SUCCESS)
        return "CUPTI tells of no nodes of graphs: " + cupti.describe(result);
    if (auto result =
            cupti.cuptiActivityRegisterCallbacksFn(giveBuffer, takeBuffer);
        result != CUPTI_SUCCESS)
      return "CUPTI takes no buffers: " + cupti.describe(result);
    // Whether it is allowed to shows only here.
    auto result = enable();
    disable();
    return result == CUPTI_SUCCESS
               ? ""
               : "CUPTI records no kernels: " + cupti.describe(result);
  }

  ~CudaTrace() override {
    disable();
    if (subscribed) {
      // Buffers that it still has come back while somebody takes them.
      cupti.cuptiActivityFlushAllFn(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
      cupti.cuptiUnsubscribeFn(subscriber);
    }
    std::lock_guard lock(mutex);
    current = nullptr;
  }

  void start() override {
    LLAMAC_CU(context.use(), cuCtxSynchronize);
    if (auto result = enable(); result != CUPTI_SUCCESS)
      fail(ExitCode::BadInput,
           "CUPTI records no kernels: ", cupti.describe(result));
  }
  void stop() override {
    LLAMAC_CU(context.use(), cuCtxSynchronize);
    // Off, it may drop what it still has.
    flush();
    disable();
  }
  DeviceRecords take() override {
    LLAMAC_CU(context.use(), cuCtxSynchronize);
    flush();
    std::lock_guard lock(mutex);
    auto records = activities.take(nodes, nextRun);
    records.lost += std::exchange(dropped, 0);
    return records;
  }
  std::string_view source() const override { return "CUPTI activity records"; }

  /// The one that callbacks are for.
  static void use(CudaTrace *trace) {
    std::lock_guard lock(mutex);
    current = trace;
  }

private:
  static inline std::mutex mutex; ///< of what follows, and of records
  static inline CudaTrace *current = nullptr;

  const CudaContext &context;
  const CuptiLibrary &cupti;
  std::function<WorkTag()> currentTag;
  CUpti_SubscriberHandle subscriber = nullptr;
  bool subscribed = false;
  GraphNodes nodes;
  GpuActivities activities;
  std::uint32_t nextRun = 0;
  std::uint64_t dropped = 0;

  CUptiResult enable() {
    for (auto kind : kKinds)
      if (auto result = cupti.cuptiActivityEnableFn(kind);
          result != CUPTI_SUCCESS)
        return result;
    return CUPTI_SUCCESS;
  }
  void disable() noexcept {
    for (auto kind : kKinds)
      cupti.cuptiActivityDisableFn(kind);
  }
  void flush() {
    if (auto result =
            cupti.cuptiActivityFlushAllFn(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
        result != CUPTI_SUCCESS)
      fail(ExitCode::BadInput, "CUPTI: ", cupti.describe(result));
  }

  static std::uint64_t CUPTIAPI hostClock() {
    return static_cast<std::uint64_t>(traceClock());
  }

  /// In the thread that captures or instantiates.
  static void CUPTIAPI onResource(void *self, CUpti_CallbackDomain domain,
                                  CUpti_CallbackId id, const void *data) {
    if (domain != CUPTI_CB_DOMAIN_RESOURCE)
      return;
    auto &trace = *static_cast<CudaTrace *>(self);
    auto &resource = *static_cast<const CUpti_ResourceData *>(data);
    auto &graph =
        *static_cast<const CUpti_GraphData *>(resource.resourceDescriptor);
    std::uint64_t node = 0, original = 0;
    if (trace.cupti.cuptiGetGraphNodeIdFn(graph.node, &node) != CUPTI_SUCCESS)
      return;
    std::lock_guard lock(mutex);
    if (id == CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED)
      trace.nodes.created(node, trace.currentTag());
    else if (trace.cupti.cuptiGetGraphNodeIdFn(graph.originalNode, &original) ==
             CUPTI_SUCCESS)
      trace.nodes.cloned(original, node);
  }

  static void CUPTIAPI giveBuffer(std::uint8_t **buffer, std::size_t *size,
                                  std::size_t *most) {
    *buffer =
        static_cast<std::uint8_t *>(std::aligned_alloc(kAlignment, kBuffer));
    *size = *buffer ? kBuffer : 0;
    *most = 0; // as many as fit
  }

  static void CUPTIAPI takeBuffer(CUcontext cuda, std::uint32_t stream,
                                  std::uint8_t *buffer, std::size_t,
                                  std::size_t valid) {
    {
      std::lock_guard lock(mutex);
      if (current && valid)
        current->read(cuda, stream, buffer, valid);
    }
    std::free(buffer);
  }

  void read(CUcontext cuda, std::uint32_t stream, std::uint8_t *buffer,
            std::size_t valid) {
    CUpti_Activity *record = nullptr;
    while (cupti.cuptiActivityGetNextRecordFn(buffer, valid, &record) ==
           CUPTI_SUCCESS)
      add(*record);
    std::size_t lost = 0;
    if (cupti.cuptiActivityGetNumDroppedRecordsFn(cuda, stream, &lost) ==
        CUPTI_SUCCESS)
      dropped += lost;
  }

  // Later versions of a record have more at the end, which is not read.
  void add(const CUpti_Activity &record) {
    auto put = [&](const auto &its, std::string_view name) {
      activities.add({its.graphNodeId, its.correlationId, its.streamId,
                      activities.name(name), signedTime(its.start),
                      signedTime(its.end)});
    };
    switch (record.kind) {
    case CUPTI_ACTIVITY_KIND_KERNEL:
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL: {
      auto &kernel = reinterpret_cast<const CUpti_ActivityKernel10 &>(record);
      return put(kernel, kernel.name ? kernel.name : "");
    }
    case CUPTI_ACTIVITY_KIND_MEMCPY: {
      auto &copy = reinterpret_cast<const CUpti_ActivityMemcpy6 &>(record);
      return put(copy, copyName(copy.copyKind));
    }
    case CUPTI_ACTIVITY_KIND_MEMSET:
      return put(reinterpret_cast<const CUpti_ActivityMemset4 &>(record),
                 "fill");
    default:
      return;
    }
  }
};

} // namespace

std::unique_ptr<DeviceTrace> makeCudaTrace(const CudaContext &context,
                                           std::function<WorkTag()> tag,
                                           std::string &why) {
  auto *cupti = CuptiLibrary::find(why);
  if (!cupti)
    return nullptr;
  context.use();
  auto trace = std::make_unique<CudaTrace>(context, *cupti, std::move(tag));
  CudaTrace::use(trace.get());
  why = trace->open();
  return why.empty() ? std::move(trace) : nullptr;
}

} // namespace llamarun
