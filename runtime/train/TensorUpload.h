//===- TensorUpload.h - Many bytes to a device, made by threads -*- C++ -*-===//
#pragma once

#include "runtime/device/cpu/ThreadPool.h"
#include "runtime/executor/Session.h"
#include "runtime/executor/Staging.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace llamarun {

/// Makes elements [first, ...) of a tensor, row-major, in its buffer's dtype:
/// as many as fill `out`. Called from several threads at once.
using ElementSource =
    std::function<void(std::uint64_t first, std::span<std::byte> out)>;

/// Fills tensors of a Session through a ring of staging buffers: while the
/// device copies one, threads fill the next. The host never holds more than the
/// ring.
class TensorUpload {
public:
  /// \param threads that call sources; 0 = one per hardware thread, at most 16.
  TensorUpload(Session &session, unsigned threads);
  /// Waits for the copies.
  ~TensorUpload();
  TensorUpload(const TensorUpload &) = delete;
  TensorUpload &operator=(const TensorUpload &) = delete;

  /// Makes and sends all elements; on return all are made, not all have
  /// arrived. Rethrows what a source throws.
  void write(const fb::Tensor &tensor, const ElementSource &source);
  /// Waits until all have arrived.
  void finish();

private:
  struct Slot {
    Slot(Device &device, std::uint64_t bytes)
        : memory(device, bytes), arrived(device.makeMark()) {}
    StagingBlock memory;
    std::unique_ptr<Mark> arrived;
  };

  Session &session;
  std::uint64_t slotBytes;
  std::vector<std::unique_ptr<Slot>> slots;
  std::size_t next = 0;
  ThreadPool pool;
};

} // namespace llamarun
