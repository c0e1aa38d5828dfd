//===- ConvertPrecision.cpp - Compute in float32 --------------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/graph/Passes.h"

#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_CONVERTPRECISION
#include "passes/graph/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct ConvertPrecision : llamac::impl::ConvertPrecisionBase<ConvertPrecision> {
  void runOnOperation() override {
    auto f32 = Float32Type::get(&getContext());
    AttrTypeReplacer replacer;
    replacer.addReplacement([&](BFloat16Type) -> Type { return f32; });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
  }
};

} // namespace
