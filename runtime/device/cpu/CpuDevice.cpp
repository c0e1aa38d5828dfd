#include "runtime/device/cpu/CpuDevice.h"

#include "runtime/device/cpu/Blas.h"
#include "runtime/device/cpu/CpuCode.h"
#include "runtime/device/cpu/CpuGraph.h"
#include "runtime/device/cpu/CpuMemory.h"
#include "runtime/device/cpu/CpuWork.h"
#include "runtime/device/cpu/ThreadPool.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <sched.h>
#include <thread>

namespace llamarun {
namespace {

/// Cores this process may run on, at most the 256 that are of any use here.
unsigned availableThreads() {
  cpu_set_t set;
  unsigned count = std::thread::hardware_concurrency();
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    count = static_cast<unsigned>(CPU_COUNT(&set));
  return std::clamp(count, 1u, 256u);
}

struct CpuMark final : Mark {
  using Clock = std::chrono::steady_clock;
  Clock::time_point time;
};

class CpuDevice final : public Device {
public:
  explicit CpuDevice(const DeviceOptions &options)
      : pool(options.threads ? std::min(options.threads, 1024u)
                             : availableThreads()) {}

  std::string_view kind() const override { return "cpu"; }
  std::string name() const override {
    return "cpu, " + std::to_string(pool.threads()) +
           (pool.threads() == 1 ? " thread, " : " threads, ") + blas.name();
  }

  std::uint64_t alignment() const override { return 4096; }
  MemoryInfo memoryInfo() const override { return CpuMemory::info(); }
  void *allocate(std::uint64_t bytes, std::uint64_t alignment,
                 fb::Category category) override {
    return memory.allocate(bytes, alignment, category);
  }
  void free(void *pointer) override { memory.free(pointer); }
  std::uint64_t allocatedBytes(fb::Category category) const override {
    return memory.allocated(category);
  }
  void copyRowsToDevice(void *target, std::uint64_t pitch, const void *source,
                        std::uint64_t width, std::uint64_t rows) override {
    for (std::uint64_t i = 0; width && i < rows; ++i)
      std::memcpy(static_cast<char *>(target) + i * pitch,
                  static_cast<const char *>(source) + i * width, width);
  }
  void copyRowsFromDevice(void *target, const void *source, std::uint64_t pitch,
                          std::uint64_t width, std::uint64_t rows) override {
    for (std::uint64_t i = 0; width && i < rows; ++i)
      std::memcpy(static_cast<char *>(target) + i * width,
                  static_cast<const char *>(source) + i * pitch, width);
  }

  bool isAsynchronous() const override { return false; }
  void *allocateStaging(std::uint64_t bytes) override {
    return ::operator new (bytes, std::align_val_t{64});
  }
  void freeStaging(void *pointer) override {
    ::operator delete (pointer, std::align_val_t{64});
  }
  void enqueueRowsToDevice(void *target, std::uint64_t pitch,
                           const void *source, std::uint64_t width,
                           std::uint64_t rows) override {
    copyRowsToDevice(target, pitch, source, width, rows);
  }
  void enqueueFromDevice(void *target, const void *source,
                         std::uint64_t bytes) override {
    copyFromDevice(target, source, bytes);
  }

  // Work is done when record() is called, unless it is being captured: then a
  // mark says nothing.
  std::unique_ptr<Mark> makeMark() override {
    return std::make_unique<CpuMark>();
  }
  void record(Mark &mark, StreamId) override {
    static_cast<CpuMark &>(mark).time = CpuMark::Clock::now();
  }
  void wait(Mark &) override {}
  double secondsBetween(Mark &from, Mark &to) override {
    return std::chrono::duration<double>(static_cast<CpuMark &>(to).time -
                                         static_cast<CpuMark &>(from).time)
        .count();
  }

  CodeHandle loadCode(fb::CodeFormat format, std::string_view arch,
                      std::span<const std::byte> data) override {
    if (format != fb::CodeFormat::ElfSharedObject)
      fail(ExitCode::BadInput, "the CPU device runs ELF code objects only");
    checkCpuArch(arch);
    codes.push_back(std::make_unique<CpuCode>(data));
    return codes.back().get();
  }
  KernelHandle findKernel(CodeHandle code, const std::string &symbol) override {
    return reinterpret_cast<KernelHandle>(
        static_cast<CpuCode *>(code)->find(symbol));
  }

  void prepareGemm(const GemmCall &call) override { checkCpuGemm(call); }
  void prepareLaunch(const LaunchCall &) override {}

  void gemm(StreamId, const GemmCall &call) override {
    checkCpuGemm(call);
    submit(makeGemmWork(call, blas));
  }
  void launch(StreamId, const LaunchCall &call) override {
    submit(makeLaunchWork(call, pool.threads()));
  }
  void copy(StreamId, DeviceRange target, DeviceRange source) override {
    submit(makeCopyWork(target, source));
  }
  void fill(StreamId, DeviceRange target, fb::DType dtype,
            double value) override {
    submit(makeFillWork(target, dtype, value));
  }

  void hostWork(StreamId, std::vector<DeviceRange> reads,
                std::vector<DeviceRange> writes,
                std::function<void()> work) override {
    submit(makeHostWork(std::move(reads), std::move(writes), std::move(work)));
  }

  // Work is put in in an order that respects every event, and the graph keeps
  // all conflicts of that order: events have nothing to add.
  EventId recordEvent(StreamId) override { return 0; }
  void waitEvent(StreamId, EventId) override {}

  void beginCapture(unsigned) override {
    captured.clear();
    capturing = true;
  }
  std::unique_ptr<Graph> endCapture() override {
    capturing = false;
    return std::make_unique<CpuGraph>(std::exchange(captured, {}));
  }
  void run(Graph &graph) override {
    if (trace && trace->isOn())
      static_cast<CpuGraph &>(graph).run(pool, *trace);
    else
      static_cast<CpuGraph &>(graph).run(pool);
  }
  void synchronize() override {}

  void tagWork(WorkTag tag) override { currentTag = tag; }
  std::unique_ptr<DeviceTrace> makeTrace(std::string &) override {
    auto made = std::make_unique<OwnTrace>(*this);
    trace = made.get();
    return made;
  }

private:
  struct OwnTrace final : CpuTrace {
    CpuDevice &device;
    explicit OwnTrace(CpuDevice &device)
        : CpuTrace(device.pool.threads()), device(device) {}
    ~OwnTrace() override {
      if (device.trace == this)
        device.trace = nullptr;
    }
  };

  void submit(std::unique_ptr<CpuWork> work) {
    work->tag = currentTag;
    captured.push_back(std::move(work));
    if (!capturing)
      CpuGraph(std::exchange(captured, {})).run(pool);
  }

  Blas blas;
  CpuMemory memory;
  std::vector<std::unique_ptr<CpuCode>> codes;
  std::vector<std::unique_ptr<CpuWork>> captured;
  bool capturing = false;
  WorkTag currentTag = kNoTag;
  CpuTrace *trace = nullptr; ///< null: no times are kept
  ThreadPool pool;           // last: its threads end before what they may touch
};

} // namespace

std::unique_ptr<Device> createCpuDevice(const DeviceOptions &options) {
  return std::make_unique<CpuDevice>(options);
}

} // namespace llamarun
