//===- AdapterGradients.cpp - The backward pass of a layer ----------------===//
#include "passes/fuse/AdapterGradients.h"

using namespace mlir;
using namespace llamac;

bool llamac::findGradients(FoldableLayer &layer, LayerGradients &found) {
  auto plain = [](llm::MatmulOp op) {
    return !op.getTransposeA() && !op.getTransposeB() && !op.getAccumulate();
  };
  for (Operation *user : layer.weight->getUsers()) {
    auto op = cast<llm::MatmulOp>(user);
    if (found.dxBase || !plain(op) || op.getB() != layer.weight.getResult())
      return false;
    found.dxBase = op;
    found.dy = op.getA();
  }
  if (!layer.isAdapted())
    return static_cast<bool>(found.dy);
  for (Operation *user : layer.b.getUsers()) {
    auto op = dyn_cast<llm::MatmulOp>(user);
    if (!op || found.dt || !plain(op) || op.getB() != layer.b ||
        (found.dy && found.dy != op.getA()))
      return false;
    found.dt = op;
    found.dy = op.getA();
  }
  if (!found.dt)
    return false;
  for (Operation *user : layer.a.getUsers()) {
    auto op = dyn_cast<llm::MatmulOp>(user);
    if (!op || found.dxA || !plain(op) || op.getA() != found.dt.getResult() ||
        op.getB() != layer.a)
      return false;
    found.dxA = op;
  }
  for (Operation *user : found.dt->getUsers())
    if (user != found.dxA) {
      if (auto scatter = dyn_cast<shard::ReduceScatterOp>(user)) {
        if (found.scatter || !scatter->hasOneUse())
          return false;
        found.scatter = scatter;
        user = *scatter->user_begin();
      }
      auto op = dyn_cast<llm::MatmulOp>(user);
      if (!op || found.dA || !op.getTransposeA() || op.getTransposeB())
        return false;
      found.dA = op;
    }
  return true;
}
