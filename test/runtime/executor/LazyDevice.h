//===- LazyDevice.h - A CPU that works as late as it may -------*- C++ -*-===//
//
// What is put in runs only when somebody waits for it: the worst that an
// asynchronous device may do to a host that reuses its buffers too early.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/device/Device.h"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace llamarun::test {

class LazyDevice final : public Device {
public:
  explicit LazyDevice(std::unique_ptr<Device> inner)
      : inner(std::move(inner)) {}
  ~LazyDevice() override { synchronize(); }

  std::string_view kind() const override { return inner->kind(); }
  std::string name() const override { return "lazy " + inner->name(); }
  std::uint64_t alignment() const override { return inner->alignment(); }
  MemoryInfo memoryInfo() const override { return inner->memoryInfo(); }
  void *allocate(std::uint64_t bytes, std::uint64_t alignment,
                 fb::Category category) override {
    return inner->allocate(bytes, alignment, category);
  }
  void free(void *pointer) override {
    synchronize();
    inner->free(pointer);
  }
  std::uint64_t allocatedBytes(fb::Category category) const override {
    return inner->allocatedBytes(category);
  }
  void copyRowsToDevice(void *target, std::uint64_t pitch, const void *source,
                        std::uint64_t width, std::uint64_t rows) override {
    synchronize();
    inner->copyRowsToDevice(target, pitch, source, width, rows);
  }
  void copyRowsFromDevice(void *target, const void *source, std::uint64_t pitch,
                          std::uint64_t width, std::uint64_t rows) override {
    synchronize();
    inner->copyRowsFromDevice(target, source, pitch, width, rows);
  }

  bool isAsynchronous() const override { return true; }
  void *allocateStaging(std::uint64_t bytes) override {
    ++stagingBlocks;
    return inner->allocateStaging(bytes);
  }
  void freeStaging(void *pointer) override {
    synchronize();
    inner->freeStaging(pointer);
  }
  void enqueueRowsToDevice(void *target, std::uint64_t pitch,
                           const void *source, std::uint64_t width,
                           std::uint64_t rows) override {
    put([=, this] {
      inner->copyRowsToDevice(target, pitch, source, width, rows);
    });
  }
  void enqueueFromDevice(void *target, const void *source,
                         std::uint64_t bytes) override {
    put([=, this] { inner->copyFromDevice(target, source, bytes); });
  }

  struct LazyMark final : Mark {
    std::unique_ptr<Mark> inner;
    std::uint64_t work = 0; ///< pieces of work before it
  };
  std::unique_ptr<Mark> makeMark() override {
    auto mark = std::make_unique<LazyMark>();
    mark->inner = inner->makeMark();
    return mark;
  }
  void record(Mark &mark, StreamId stream) override {
    auto &lazy = static_cast<LazyMark &>(mark);
    put([this, &lazy, stream] { inner->record(*lazy.inner, stream); });
    lazy.work = putIn;
  }
  void wait(Mark &mark) override {
    while (done < static_cast<LazyMark &>(mark).work)
      next();
  }
  double secondsBetween(Mark &from, Mark &to) override {
    return inner->secondsBetween(*static_cast<LazyMark &>(from).inner,
                                 *static_cast<LazyMark &>(to).inner);
  }

  CodeHandle loadCode(fb::CodeFormat format, std::string_view arch,
                      std::span<const std::byte> data) override {
    return inner->loadCode(format, arch, data);
  }
  KernelHandle findKernel(CodeHandle code, const std::string &symbol) override {
    return inner->findKernel(code, symbol);
  }
  void prepareGemm(const GemmCall &call) override { inner->prepareGemm(call); }
  void prepareLaunch(const LaunchCall &call) override {
    inner->prepareLaunch(call);
  }
  void gemm(StreamId stream, const GemmCall &call) override {
    work([=, this] { inner->gemm(stream, call); });
  }
  void launch(StreamId stream, const LaunchCall &call) override {
    work([=, this] { inner->launch(stream, call); });
  }
  void copy(StreamId stream, DeviceRange target, DeviceRange source) override {
    work([=, this] { inner->copy(stream, target, source); });
  }
  void fill(StreamId stream, DeviceRange target, fb::DType dtype,
            double value) override {
    work([=, this] { inner->fill(stream, target, dtype, value); });
  }
  EventId recordEvent(StreamId stream) override {
    return inner->recordEvent(stream);
  }
  void waitEvent(StreamId stream, EventId event) override {
    inner->waitEvent(stream, event);
  }
  void beginCapture(unsigned) override { capturing = true; }
  std::unique_ptr<Graph> endCapture() override {
    capturing = false;
    auto graph = std::make_unique<LazyGraph>();
    graph->works = std::exchange(captured, {});
    return graph;
  }
  void run(Graph &graph) override {
    for (auto &work : static_cast<LazyGraph &>(graph).works)
      put(work);
  }
  void synchronize() override {
    while (!queue.empty())
      next();
  }

  std::size_t stagingBlocks = 0;
  /// Work that nobody has waited for.
  std::size_t waiting() const { return queue.size(); }

private:
  using Work = std::function<void()>;
  struct LazyGraph final : Graph {
    std::vector<Work> works;
  };
  void put(Work work) {
    if (capturing) {
      captured.push_back(std::move(work));
      return;
    }
    queue.push_back(std::move(work));
    ++putIn;
  }
  void work(Work work) { put(std::move(work)); }
  void next() {
    auto work = std::move(queue.front());
    queue.pop_front();
    ++done;
    work();
  }

  std::unique_ptr<Device> inner;
  std::deque<Work> queue;
  std::vector<Work> captured;
  std::uint64_t putIn = 0, done = 0;
  bool capturing = false;
};

} // namespace llamarun::test
