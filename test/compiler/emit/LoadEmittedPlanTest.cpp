// What the compiler writes passes the runtime's own verification.
#include "compiler/emit/EmitPlan.h"

#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "runtime/plan/Plan.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

TEST(LoadEmittedPlan, RuntimeAcceptsIt) {
  mlir::DialectRegistry registry;
  registry.insert<llm::LlmDialect, plan::PlanDialect>();
  mlir::MLIRContext context(registry);
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(
      LLAMAC_TEST_DIR "/small-plan.mlir", &context);
  ASSERT_TRUE(module);
  std::string bytes;
  ASSERT_TRUE(mlir::succeeded(llamac::emitPlan(*module, bytes)));
  auto plan = llamarun::Plan::fromBytes(
      std::as_bytes(std::span<const char>(bytes)), "small-plan.mlir");
  EXPECT_EQ(plan->programCount(), 1u);
  EXPECT_EQ(plan->gridSize(), 2u);
}
