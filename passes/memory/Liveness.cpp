//===- Liveness.cpp - First and last step that uses a buffer --------------===//
#include "passes/memory/Liveness.h"

#include "passes/memory/StreamOrder.h"

using namespace mlir;

llvm::SmallVector<llamac::LiveBuffer>
llamac::liveActivations(plan::ProgramOp program) {
  SmallVector<plan::StepOpInterface> order;
  llvm::DenseMap<Operation *, int64_t> number, done;
  for (auto step : program.getBlock().getOps<plan::StepOpInterface>()) {
    number[step] = static_cast<int64_t>(order.size());
    order.push_back(step);
  }
  auto steps = static_cast<int64_t>(order.size());
  // A step of another stream uses its buffers until stream 0 has waited for it.
  for (auto [i, step] : llvm::enumerate(order))
    if (step.getStepStream() != 0)
      done[step] = joinOf(order, static_cast<int64_t>(i));
  auto module = program->getParentOfType<ModuleOp>();
  llvm::DenseMap<StringAttr, bool> isArena;
  for (auto allocation : module.getOps<plan::AllocationOp>())
    isArena[allocation.getSymNameAttr()] =
        allocation.getCategory() == plan::Category::Activations;
  llvm::SmallVector<LiveBuffer> live;
  for (auto buffer : program.getBlock().getOps<plan::BufferOp>()) {
    if (!isArena.lookup(buffer.getAllocationAttr().getAttr()) ||
        buffer->use_empty())
      continue;
    auto type = cast<RankedTensorType>(buffer.getType());
    LiveBuffer entry{buffer, plan::placeBytes(type).value_or(0), steps, -1};
    SmallVector<Operation *> users(buffer->getUsers());
    for (size_t i = 0; i < users.size(); ++i) {
      Operation *user = users[i];
      if (isa<plan::ViewOp>(user)) {
        llvm::append_range(users, user->getUsers());
        continue;
      }
      // The host reads outputs after the last step; inputs it writes before
      // the first.
      int64_t at = isa<plan::OutputOp>(user)  ? steps
                   : isa<plan::InputOp>(user) ? 0
                                              : number.lookup(user);
      entry.first = std::min(entry.first, at);
      entry.last = std::max(entry.last, at);
      if (auto it = done.find(user); it != done.end())
        entry.last = std::max(entry.last, it->second);
    }
    live.push_back(entry);
  }
  return live;
}
