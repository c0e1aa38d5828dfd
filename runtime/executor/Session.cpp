#include "runtime/executor/Session.h"

#include "runtime/executor/Executors.h"
#include "runtime/plan/Inspect.h"
#include "runtime/plan/Verify.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <set>

namespace llamarun {

/// "1234.5 MiB"
static std::string mebibytes(std::uint64_t bytes) {
  char text[48];
  std::snprintf(text, sizeof text, "%.1f MiB",
                static_cast<double>(bytes) / (1 << 20));
  return text;
}

Session::Session(std::shared_ptr<const Plan> plan,
                 std::unique_ptr<Device> device, const SessionOptions &options)
    : thePlan(std::move(plan)), theDevice(std::move(device)), options(options) {
  auto kind = viewOf(thePlan->target().kind());
  if (kind != theDevice->kind())
    fail(ExitCode::BadInput, thePlan->path(), ": plan is for target '", kind,
         "', the device is '", theDevice->kind(), "' (", theDevice->name(),
         ")");
  if (thePlan->gridSize() != 1)
    fail(ExitCode::BadInput, thePlan->path(), ": plan is for a grid of ",
         thePlan->gridSize(), " devices, this session has one");
  checkMemory();
  try {
    loadCode(); // before memory: the cheaper one to refuse
    allocateAll();
    uploadConstants();
  } catch (...) {
    releaseAll();
    throw;
  }
}

Session::~Session() { releaseAll(); }

void Session::checkMemory() const {
  std::uint64_t needed = 0;
  for (auto bytes : plannedBytes(*thePlan))
    needed += bytes;
  auto memory = theDevice->memoryInfo();
  if (needed <= memory.freeBytes)
    return;
  std::string table;
  auto byCategory = plannedBytes(*thePlan);
  for (std::size_t c = 0; c < kCategories; ++c)
    if (byCategory[c])
      table += "\n  " + std::string(nameOf(static_cast<fb::Category>(c))) +
               ": " + mebibytes(byCategory[c]);
  std::vector<std::size_t> order(thePlan->allocationCount());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto x, auto y) {
    return thePlan->allocation(x).bytes() > thePlan->allocation(y).bytes();
  });
  order.resize(std::min<std::size_t>(order.size(), 8));
  table += "\nlargest allocations:";
  for (auto i : order)
    table += "\n  " + std::string(viewOf(thePlan->allocation(i).name())) +
             " (" + nameOf(thePlan->allocation(i).category()) +
             "): " + mebibytes(thePlan->allocation(i).bytes());
  fail(ExitCode::DoesNotFit, thePlan->path(), ": the plan needs ",
       mebibytes(needed), ", ", theDevice->name(), " has ",
       mebibytes(memory.freeBytes), " free of ", mebibytes(memory.totalBytes),
       table);
}

void Session::loadCode() {
  auto &root = thePlan->root();
  std::vector<CodeHandle> codes;
  for (std::size_t i = 0; i < sizeOf(root.code_objects()); ++i) {
    auto *object = root.code_objects()->Get(static_cast<std::uint32_t>(i));
    auto *data = reinterpret_cast<const std::byte *>(object->data()->data());
    try {
      codes.push_back(theDevice->loadCode(object->format(),
                                          viewOf(object->arch()),
                                          {data, object->data()->size()}));
    } catch (const Error &error) {
      fail(error.code(), thePlan->path(), ": code object ", i, ": ",
           error.what());
    }
  }
  for (std::size_t i = 0; i < sizeOf(root.kernels()); ++i) {
    auto *kernel = root.kernels()->Get(static_cast<std::uint32_t>(i));
    try {
      kernels.push_back(theDevice->findKernel(codes[kernel->code_object()],
                                              kernel->symbol()->str()));
    } catch (const Error &error) {
      fail(error.code(), thePlan->path(), ": kernel ", i, ": ", error.what());
    }
  }
}

void Session::allocateAll() {
  unsigned streams = 1;
  for (std::size_t i = 0; i < thePlan->programCount(); ++i)
    streams = std::max<unsigned>(streams, thePlan->program(i).streams());
  for (std::size_t i = 0; i < thePlan->allocationCount(); ++i) {
    auto &allocation = thePlan->allocation(i);
    allocations.push_back(theDevice->allocate(
        allocation.bytes(), allocation.alignment(), allocation.category()));
    if (allocation.category() == fb::Category::Workspace && allocation.bytes())
      theDevice->setWorkspace(allocations.back(), allocation.bytes(), streams);
  }
}

void Session::releaseAll() {
  // Before the memory and the device they refer to.
  graphs.clear();
  current = last = nullptr;
  slots.clear();
  for (auto *pointer : allocations)
    theDevice->free(pointer);
  allocations.clear();
}

void Session::uploadConstants() {
  for (std::size_t i = 0; i < thePlan->tensorCount(); ++i) {
    auto &tensor = thePlan->tensor(i);
    if (tensor.init()->kind() != fb::InitKind::Data)
      continue;
    auto *data =
        thePlan->root().constants()->Get(tensor.init()->constant())->data();
    writeTensor(tensor.role(), viewOf(tensor.name()),
                std::as_bytes(std::span(data->data(), data->size())));
  }
}

DeviceRange Session::range(std::size_t i) const {
  auto &buffer = thePlan->buffer(i);
  auto *base = static_cast<char *>(allocations[buffer.allocation()]);
  return {base + buffer.offset(), thePlan->rows(i).span()};
}

} // namespace llamarun
