//===- RegisterPasses.cpp - Dialects and passes by name -------------------===//
#include "compiler/pipeline/Pipeline.h"

#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "passes/adapters/Passes.h"
#include "passes/autodiff/Passes.h"
#include "passes/codegen/Passes.h"
#include "passes/fuse/Passes.h"
#include "passes/graph/Passes.h"
#include "passes/lower/Passes.h"
#include "passes/memory/Passes.h"
#include "passes/shard/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/Passes.h"

void llamac::registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<llm::LlmDialect, plan::PlanDialect, mlir::func::FuncDialect,
                  mlir::arith::ArithDialect, mlir::math::MathDialect>();
}

void llamac::registerPasses() {
  registerLlamac_graphPasses();
  registerLlamac_adaptersPasses();
  registerLlamac_autodiffPasses();
  registerLlamac_shardPasses();
  registerLlamac_fusePasses();
  registerLlamac_lowerPasses();
  registerLlamac_memoryPasses();
  registerLlamac_codegenPasses();
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
}
