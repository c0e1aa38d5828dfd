#include "runtime/executor/Session.h"

#include "runtime/comm/Communicator.h"
#include "runtime/executor/Executors.h"
#include "runtime/executor/MemoryNeed.h"
#include "runtime/executor/Sharers.h"
#include "runtime/plan/Inspect.h"
#include "runtime/plan/Verify.h"
#include "runtime/support/Error.h"

#include <algorithm>

namespace llamarun {

Session::Session(std::shared_ptr<const Plan> plan,
                 std::unique_ptr<Device> device, const SessionOptions &options)
    : thePlan(std::move(plan)), theDevice(std::move(device)), options(options) {
  auto kind = viewOf(thePlan->target().kind());
  if (kind != theDevice->kind())
    fail(ExitCode::BadInput, thePlan->path(), ": plan is for target '", kind,
         "', the device is '", theDevice->kind(), "' (", theDevice->name(),
         ")");
  std::uint64_t devices =
      options.communicators ? options.communicators->grid().devices() : 1;
  if (thePlan->gridSize() != devices)
    fail(ExitCode::BadInput, thePlan->path(), ": plan is for a grid of ",
         thePlan->gridSize(), " devices, this session has ",
         devices == 1 ? "one" : std::to_string(devices));
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
  auto memory = theDevice->memoryInfo();
  std::uint64_t needed = 0;
  for (auto bytes : plannedBytes(*thePlan))
    needed += bytes;
  if (needed > memory.freeBytes)
    refuseMemory(*thePlan, theDevice->name(), memory);
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
  if (options.communicators)
    sharers = sharersOf(*thePlan);
  unsigned streams = 1;
  for (std::size_t i = 0; i < thePlan->programCount(); ++i)
    streams = std::max<unsigned>(streams, thePlan->program(i).streams());
  for (std::size_t i = 0; i < thePlan->allocationCount(); ++i) {
    auto &allocation = thePlan->allocation(i);
    if (allocation.category() == fb::Category::Activations) {
      allocations.push_back(nullptr); // reserveActivations
      continue;
    }
    allocations.push_back(
        allocate(static_cast<std::uint32_t>(i), allocation.bytes()));
    if (allocation.category() == fb::Category::Workspace && allocation.bytes())
      theDevice->setWorkspace(allocations.back(), allocation.bytes(), streams);
  }
}

void *Session::allocate(std::uint32_t index, std::uint64_t bytes) {
  auto &allocation = thePlan->allocation(index);
  if (sharers.empty() || sharers[index].empty())
    return theDevice->allocate(bytes, allocation.alignment(),
                               allocation.category());
  auto *pointer = theDevice->allocateShared(bytes, allocation.alignment(),
                                            allocation.category());
  try {
    for (auto &key : sharers[index])
      options.communicators->share(key, pointer, bytes);
  } catch (...) {
    release(pointer);
    throw;
  }
  return pointer;
}

void Session::release(void *pointer) {
  if (options.communicators)
    options.communicators->forget(pointer);
  theDevice->free(pointer);
}

void Session::releaseAll() {
  // Before the memory and the device they refer to.
  graphs.clear();
  current = last = nullptr;
  slots.clear();
  for (auto *pointer : allocations)
    if (pointer)
      release(pointer);
  allocations.clear();
  activationBytes.clear();
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
