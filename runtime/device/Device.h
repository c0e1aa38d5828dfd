//===- Device.h - What a plan needs of a machine ---------------*- C++ -*-===//
//
// One Device is one GPU or one host CPU with its threads. The interface is that
// of an asynchronous machine with streams, events and captured graphs; the CPU
// implements it with a recorded list of work and a thread pool.
//
// Rules that hold for every device
//  * Work (gemm, launch, copy, fill) is put on a stream and may run later.
//    Work of one stream runs in order; between streams only events order it.
//  * Between beginCapture and endCapture work is recorded, not run.
//  * Transfers between host and device wait for all work put in before them and
//    are complete on return; but for those named "enqueue", which are work.
//  * All methods are called from one thread. Errors are llamarun::Error.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/device/DeviceTrace.h"
#include "runtime/plan/plan_generated.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

namespace fb = ::llama::plan;

/// Which code object and function; made by Device, opaque to everyone else.
using CodeHandle = void *;
using KernelHandle = void *;
/// Streams are numbered from 0; stream 0 always exists.
using StreamId = unsigned;
using EventId = unsigned;

/// A range of device memory that one operation reads or writes. The pointer is
/// a device address: never dereferenced outside the device.
struct DeviceRange {
  void *pointer = nullptr;
  std::uint64_t bytes = 0;
};

/// `rows` rows of `width` bytes, one every `pitch` bytes.
struct DeviceRows {
  const void *pointer = nullptr;
  std::uint64_t pitch = 0, width = 0, rows = 1;
};

/// D = alpha op(A) op(B) + beta D, row-major: op(A) [m, k], op(B) [k, n],
/// D [m, n]; leading dimensions in elements. `bytes` of the ranges is what the
/// matrices span, so that a device may derive dependences from them.
struct GemmCall {
  DeviceRange a, b, d;
  fb::DType dtypeA{}, dtypeB{}, dtypeD{};
  bool transposeA = false, transposeB = false;
  std::uint64_t m = 0, n = 0, k = 0;
  std::uint64_t lda = 0, ldb = 0, ldd = 0;
  float alpha = 1, beta = 0;
};

/// One generated kernel. Buffers are passed as `reads`, then `writes`
/// (plan.fbs, table Kernel, has the calling convention).
struct LaunchCall {
  KernelHandle kernel = nullptr;
  std::vector<DeviceRange> reads;
  std::vector<DeviceRange> writes;
  std::vector<std::int64_t> scalars;
  std::array<std::uint32_t, 3> grid{1, 1, 1};
  std::array<std::uint32_t, 3> block{1, 1, 1};
  std::uint32_t sharedBytes = 0;
  std::uint32_t grain = 1;
  /// The kernel itself waits for the work before it on its stream: it may be
  /// started early. A device may ignore this.
  bool programmatic = false;
};

struct MemoryInfo {
  std::uint64_t freeBytes = 0;  ///< what allocate() could still get
  std::uint64_t totalBytes = 0; ///< of the device
};

/// A captured program: what Device::run replays. Made by endCapture; must not
/// outlive its device.
class Graph {
public:
  virtual ~Graph() = default;
};

/// A moment in a stream's work: Device::record. Made by a device, must not
/// outlive it.
class Mark {
public:
  virtual ~Mark() = default;
};

/// Device memory as it was at one point of the work: Device::snapshot. Must not
/// outlive the device.
class Snapshot {
public:
  virtual ~Snapshot() = default;
  /// All its bytes in order, piece by piece. From any thread, once, while work
  /// goes on.
  virtual void
  read(const std::function<void(std::span<const std::byte>)> &take) = 0;
};

/// How a device chooses among algorithms for a GEMM.
enum class Tune {
  Off,  ///< the library's own guess
  Load, ///< what tuneFile says, by timing what it lacks
  Force ///< by timing, whatever tuneFile says
};

struct DeviceOptions {
  unsigned threads = 0; ///< CPU: worker threads, 0 = one per hardware thread
  unsigned ordinal = 0; ///< CUDA: which of the visible devices
  Tune tune = Tune::Off;
  std::string tuneFile{}; ///< read and replaced; empty = kept in memory
  /// Told what a user may want to know, one line each, no newline.
  std::function<void(const std::string &)> note{};
};

class Device {
public:
  virtual ~Device() = default;

  /// "cpu" or "cuda", as in Target.kind.
  virtual std::string_view kind() const = 0;
  /// For people: "cpu, 2 threads, OpenBLAS 0.3.21", "NVIDIA H200".
  virtual std::string name() const = 0;

  // --- memory ---------------------------------------------------------------
  /// Alignment that every allocation has at least.
  virtual std::uint64_t alignment() const = 0;
  virtual MemoryInfo memoryInfo() const = 0;
  /// Zero-filled memory. `alignment` is a power of two.
  /// \throws Error(DoesNotFit).
  virtual void *allocate(std::uint64_t bytes, std::uint64_t alignment,
                         fb::Category category) = 0;
  /// The same for memory that a communicator may show to other processes' GPUs
  /// (Communicators::share).
  virtual void *allocateShared(std::uint64_t bytes, std::uint64_t alignment,
                               fb::Category category) {
    return allocate(bytes, alignment, category);
  }
  /// Takes what either of them gave.
  virtual void free(void *pointer) = 0;
  /// Bytes now allocated for `category`, as counted by the device itself.
  virtual std::uint64_t allocatedBytes(fb::Category category) const = 0;
  /// Lends a Workspace allocation to the libraries behind gemm, in equal parts
  /// for streams [0, streams). Not called if the plan has none.
  virtual void setWorkspace(void *pointer, std::uint64_t bytes,
                            unsigned streams) {}

  /// `rows` rows of `width` bytes: one after another on the host, one every
  /// `pitch` bytes on the device (at least `width`; any for one row).
  virtual void copyRowsToDevice(void *target, std::uint64_t pitch,
                                const void *source, std::uint64_t width,
                                std::uint64_t rows) = 0;
  virtual void copyRowsFromDevice(void *target, const void *source,
                                  std::uint64_t pitch, std::uint64_t width,
                                  std::uint64_t rows) = 0;
  void copyToDevice(void *target, const void *source, std::uint64_t bytes) {
    copyRowsToDevice(target, bytes, source, bytes, 1);
  }
  void copyFromDevice(void *target, const void *source, std::uint64_t bytes) {
    copyRowsFromDevice(target, source, bytes, bytes, 1);
  }

  // --- asynchronous transfers -----------------------------------------------
  /// False if work is complete when the call that puts it in returns.
  virtual bool isAsynchronous() const = 0;
  /// Host memory that the device reads and writes by itself. Page-locked: to
  /// be had in moderation. \throws Error(DoesNotFit).
  virtual void *allocateStaging(std::uint64_t bytes) = 0;
  virtual void freeStaging(void *pointer) = 0;
  /// As the copies above, put on stream 0; `source` and `target` on the host
  /// are staging memory that must stay as it is until the copy is done.
  virtual void enqueueRowsToDevice(void *target, std::uint64_t pitch,
                                   const void *source, std::uint64_t width,
                                   std::uint64_t rows) = 0;
  virtual void enqueueFromDevice(void *target, const void *source,
                                 std::uint64_t bytes) = 0;

  /// Parts one after another, as the work put on stream 0 so far leaves them;
  /// waits for nothing. Null where copying to the host at once is as good, or
  /// where there is no room for a copy.
  virtual std::unique_ptr<Snapshot>
  snapshot(std::span<const DeviceRows> parts) {
    return nullptr;
  }

  // --- marks ----------------------------------------------------------------
  virtual std::unique_ptr<Mark> makeMark() = 0;
  /// Marks the work put on `stream` so far, in place of what it marked before.
  /// During a capture the graph sets the mark each time it runs.
  virtual void record(Mark &mark, StreamId stream) = 0;
  /// Waits until the marked work is done; at once if nothing was marked.
  virtual void wait(Mark &mark) = 0;
  /// Whether wait would return at once.
  virtual bool isReached(Mark &mark) { return true; }
  /// Between two marks that were reached, by the device's own clock.
  virtual double secondsBetween(Mark &from, Mark &to) = 0;

  // --- code -----------------------------------------------------------------
  /// Loads the bytes of a CodeObject. \throws Error(BadInput) if the format or
  /// architecture is not this device's. Lives as long as the device.
  virtual CodeHandle loadCode(fb::CodeFormat format, std::string_view arch,
                              std::span<const std::byte> data) = 0;
  /// \throws Error(BadInput) if there is no such function.
  virtual KernelHandle findKernel(CodeHandle code,
                                  const std::string &symbol) = 0;

  // --- preparation ----------------------------------------------------------
  /// Called outside capture for each GEMM before the program that has it is
  /// captured: check it (dtypes, sizes), choose an algorithm. Must leave the
  /// operands' contents as they are. \throws Error(BadInput) if unsupported.
  virtual void prepareGemm(const GemmCall &call) = 0;
  /// The same for a launch: grid and block limits, shared memory.
  virtual void prepareLaunch(const LaunchCall &call) = 0;
  /// Called after the last of them, before the program is captured.
  virtual void finishPreparation() {}

  // --- work -----------------------------------------------------------------
  virtual void gemm(StreamId stream, const GemmCall &call) = 0;
  virtual void launch(StreamId stream, const LaunchCall &call) = 0;
  /// Ranges of the same size that do not overlap.
  virtual void copy(StreamId stream, DeviceRange target,
                    DeviceRange source) = 0;
  /// Every element of `target` becomes `value` converted to `dtype`.
  virtual void fill(StreamId stream, DeviceRange target, fb::DType dtype,
                    double value) = 0;

  /// A function of the host as work, with the memory that it touches: only
  /// where isAsynchronous() is false. Functions run one after another in the
  /// order they were put in, whatever their streams. What one throws comes out
  /// of the call that runs it (run, or this one outside a capture); work put in
  /// after it is then dropped.
  virtual void hostWork(StreamId stream, std::vector<DeviceRange> reads,
                        std::vector<DeviceRange> writes,
                        std::function<void()> work);

  /// Marks the work put on `stream` so far; waitEvent makes later work of
  /// another stream wait for it. An event belongs to the capture it was made
  /// in.
  virtual EventId recordEvent(StreamId stream) = 0;
  virtual void waitEvent(StreamId stream, EventId event) = 0;

  /// Starts recording on streams [0, streams): they all begin where stream 0
  /// is, and endCapture joins them to stream 0 again.
  virtual void beginCapture(unsigned streams) = 0;
  virtual std::unique_ptr<Graph> endCapture() = 0;
  /// Puts a captured graph on stream 0; may return before it is done.
  virtual void run(Graph &graph) = 0;
  /// Waits for all work.
  virtual void synchronize() = 0;

  // --- times ----------------------------------------------------------------
  /// Whose work is put in from now on, in what a trace tells of graphs.
  virtual void tagWork(WorkTag tag) {}
  /// One at a time, made before the graphs that it is to see are captured. Null
  /// where the device keeps no times; then `why` says what is missing.
  virtual std::unique_ptr<DeviceTrace> makeTrace(std::string &why) {
    why = "devices of kind '" + std::string(kind()) + "' keep no times";
    return nullptr;
  }

  /// Work that is under way may never end, because a peer is lost: from now on
  /// nothing is freed and no destructor waits. The process is about to end.
  virtual void abandon() noexcept {}
};

/// Makes a device by its kind; the table of kinds is in Registry.cpp.
/// \throws Error(Usage) for an unknown kind, Error(BadInput) if the machine
/// lacks what the device needs.
std::unique_ptr<Device> createDevice(std::string_view kind,
                                     const DeviceOptions &options = {});

} // namespace llamarun
