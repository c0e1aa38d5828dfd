#include "runtime/train/TensorUpload.h"

#include "runtime/support/Error.h"
#include "test/runtime/executor/LazyDevice.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <gtest/gtest.h>

namespace llamarun {
namespace {

using namespace llamarun::test;

// Larger than the ring's four slots of 32 MiB together.
constexpr std::uint64_t kRows = 40'000, kColumns = 1027, kPitch = 1040;

PlanBuilder builder() {
  PlanBuilder b;
  auto w = b.tensor(fb::Role::Weight, "w", {kRows, kColumns});
  b.plan.buffers[w]->pitch = kPitch;
  b.plan.allocations[b.plan.buffers[w]->allocation]->bytes = kRows * kPitch * 4;
  b.tensor(fb::Role::Weight, "v", {5});
  auto &program = b.program(fb::ProgramKind::Evaluate, 16, 4);
  b.step(program, fb::FillT{}).target = program.outputs.back()->buffer;
  return b;
}

std::uint32_t element(std::uint64_t i) {
  return static_cast<std::uint32_t>(i * 2654435761u + 12345);
}

void make(std::uint64_t first, std::span<std::byte> out) {
  auto *values = reinterpret_cast<std::uint32_t *>(out.data());
  for (std::size_t i = 0; i < out.size() / 4; ++i)
    values[i] = element(first + i);
}

TEST(TensorUpload, EveryElementArrivesWhereItBelongs) {
  auto device =
      std::make_unique<LazyDevice>(createDevice("cpu", {.threads = 1}));
  auto *lazy = device.get();
  Session session(builder().load(), std::move(device));
  auto &w = *session.plan().findTensor(fb::Role::Weight, "w");
  auto &v = *session.plan().findTensor(fb::Role::Weight, "v");
  {
    TensorUpload upload(session, 3);
    upload.write(v, make);
    upload.write(w, make);
    EXPECT_GT(lazy->waiting(), 0u) << "it waited for the device";
    upload.finish();
  }
  EXPECT_EQ(lazy->stagingBlocks, 4u);
  std::vector<std::uint32_t> got(kRows * kColumns), five(5);
  session.readTensor(fb::Role::Weight, "w",
                     std::as_writable_bytes(std::span(got)));
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(got[i], element(i)) << i;
  session.readTensor(fb::Role::Weight, "v",
                     std::as_writable_bytes(std::span(five)));
  EXPECT_EQ(five[4], element(4));
}

TEST(TensorUpload, RethrowsWhatASourceThrows) {
  Session session(builder().load(), createDevice("cpu", {.threads = 1}));
  TensorUpload upload(session, 2);
  try {
    upload.write(*session.plan().findTensor(fb::Role::Weight, "w"),
                 [](std::uint64_t first, std::span<std::byte>) {
                   if (first > 20'000'000)
                     fail(ExitCode::BadInput, "no more");
                 });
    FAIL() << "nothing was thrown";
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(), "no more");
  }
}

} // namespace
} // namespace llamarun
