#include "runtime/train/TensorUpload.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

namespace llamarun {

static constexpr std::size_t kSlots = 4;
static constexpr std::uint64_t kSlotBytes = 32 << 20;
// What one thread makes at a time; a multiple of every element size.
static constexpr std::uint64_t kPiece = 1 << 20;

static unsigned threadsOf(unsigned wanted) {
  unsigned all = std::max(1u, std::thread::hardware_concurrency());
  return std::min(wanted ? wanted : all, 16u);
}

/// No slot is larger than the largest tensor.
static std::uint64_t largestUpTo(const Plan &plan, std::uint64_t limit) {
  std::uint64_t largest = kPiece;
  for (std::size_t i = 0; i < plan.tensorCount(); ++i)
    largest = std::max(largest, plan.bytes(plan.tensor(i).buffer()));
  return std::min(largest, limit);
}

TensorUpload::TensorUpload(Session &session, unsigned threads)
    : session(session), slotBytes(largestUpTo(session.plan(), kSlotBytes)),
      pool(threadsOf(threads)) {}

TensorUpload::~TensorUpload() {
  try {
    finish();
  } catch (const Error &) { // said where finish() is called
  }
}

void TensorUpload::finish() {
  for (auto &slot : slots)
    session.device().wait(*slot->arrived);
}

void TensorUpload::write(const fb::Tensor &tensor,
                         const ElementSource &source) {
  const Plan &plan = session.plan();
  auto size = sizeOf(plan.buffer(tensor.buffer()).dtype());
  auto bytes = plan.bytes(tensor.buffer());
  for (std::uint64_t begin = 0; begin < bytes; begin += slotBytes) {
    if (slots.size() < kSlots)
      slots.push_back(std::make_unique<Slot>(session.device(), slotBytes));
    Slot &slot = *slots[next++ % kSlots];
    session.device().wait(*slot.arrived);

    struct Work {
      const ElementSource &source;
      char *memory;
      std::uint64_t begin, bytes, size;
      std::atomic<bool> failed{false};
      std::exception_ptr error{};
    } work{source, slot.memory.at(0), begin, std::min(slotBytes, bytes - begin),
           size};
    auto pieces =
        static_cast<std::uint32_t>((work.bytes + kPiece - 1) / kPiece);
    pool.run(
        pieces,
        [](void *context, std::uint32_t i) {
          auto &work = *static_cast<Work *>(context);
          try {
            auto at = i * kPiece;
            work.source((work.begin + at) / work.size,
                        {reinterpret_cast<std::byte *>(work.memory + at),
                         std::min(kPiece, work.bytes - at)});
          } catch (...) {
            if (!work.failed.exchange(true))
              work.error = std::current_exception();
          }
        },
        &work);
    if (work.error)
      std::rethrow_exception(work.error);
    session.enqueueTensorPart(
        tensor, {reinterpret_cast<const std::byte *>(work.memory), work.bytes},
        begin);
    session.device().record(*slot.arrived, 0);
  }
}

} // namespace llamarun
