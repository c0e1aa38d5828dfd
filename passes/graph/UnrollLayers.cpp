//===- UnrollLayers.cpp - Expand llm.layers -------------------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/graph/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"

namespace llamac {
#define GEN_PASS_DEF_UNROLLLAYERS
#include "passes/graph/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

constexpr llvm::StringLiteral kPlaceholder = "{layer}";

/// Puts the layer's number into every string attribute of an op.
void nameLayer(Operation *op, int64_t layer) {
  std::string number = std::to_string(layer);
  for (NamedAttribute attr : op->getAttrDictionary()) {
    auto text = dyn_cast<StringAttr>(attr.getValue());
    if (!text || !text.getValue().contains(kPlaceholder))
      continue;
    std::string name = text.getValue().str();
    for (size_t at; (at = name.find(kPlaceholder)) != std::string::npos;)
      name.replace(at, kPlaceholder.size(), number);
    op->setAttr(attr.getName(), StringAttr::get(op->getContext(), name));
  }
}

struct UnrollLayers : llamac::impl::UnrollLayersBase<UnrollLayers> {
  void runOnOperation() override {
    SmallVector<llm::LayersOp> all;
    getOperation().walk([&](llm::LayersOp op) { all.push_back(op); });
    for (llm::LayersOp layers : all)
      unroll(layers);
  }

  void unroll(llm::LayersOp layers) {
    OpBuilder b(layers);
    Value carried = layers.getX();
    Block &body = layers.getBody().front();
    for (int64_t i = 0, n = layers.getCount(); i < n; ++i) {
      IRMapping map;
      map.map(body.getArgument(0), carried);
      map.map(body.getArguments().drop_front(), layers.getShared());
      auto name = b.getStringAttr("layers." + Twine(i));
      for (Operation &op : body.without_terminator()) {
        Operation *copy = b.clone(op, map);
        nameLayer(copy, i);
        copy->setLoc(NameLoc::get(name, op.getLoc()));
      }
      carried = map.lookup(body.getTerminator()->getOperand(0));
    }
    layers.getResult().replaceAllUsesWith(carried);
    layers.erase();
  }
};

} // namespace
