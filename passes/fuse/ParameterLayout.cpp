//===- ParameterLayout.cpp - Where parameters lie in the flat buffers -----===//
#include "passes/fuse/ParameterLayout.h"

#include "dialects/llm/LlmDialect.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace llamac;

ParameterLayout::ParameterLayout(ModuleOp module) {
  int64_t end = 0;
  module.walk([&](llm::ParameterOp op) {
    auto type = cast<RankedTensorType>(op.getType());
    if (entries.insert({op.getName(), Entry{type, end, op}}).second)
      end = llvm::alignTo(end + type.getNumElements() * 4, kAlignment);
  });
  rows = llvm::divideCeil(end, kColumns * 4);
}

RankedTensorType ParameterLayout::flatType(MLIRContext *context) const {
  return RankedTensorType::get({rows, kColumns}, Float32Type::get(context));
}
