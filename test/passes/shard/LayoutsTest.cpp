// The layout table against the names of a checkpoint and of its adapter, one by
// one, and the messages for what cannot be split.
#include "passes/shard/Layouts.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace llamac;

namespace {

constexpr int kWhole = -1;

int splitOf(StringRef name) {
  auto dimension = splitDimension(name);
  return dimension ? static_cast<int>(*dimension) : kWhole;
}

struct Layouts : ::testing::Test {
  MLIRContext context;
  Dialect *dialect = context.getOrLoadDialect<llm::LlmDialect>();
  Type f32 = Float32Type::get(&context);
  Location loc = UnknownLoc::get(&context);
  llm::ModelAttr model =
      llm::ModelAttr::get(&context, "m", /*hidden=*/96, /*intermediate=*/240,
                          /*layers=*/1, /*heads=*/12, /*kv_heads=*/6,
                          /*head_dim=*/8, /*vocab=*/300, /*max_positions=*/64,
                          /*tied_embeddings=*/false);

  RankedTensorType type(ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, f32);
  }
  /// The message, or "" on success.
  std::string check(StringRef name, ArrayRef<int64_t> shape, int64_t tp,
                    bool withModel = true) {
    std::string message;
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      message = diagnostic.str();
      return success();
    });
    bool ok = succeeded(checkSplit(loc, name, type(shape),
                                   withModel ? model : llm::ModelAttr(), tp));
    EXPECT_EQ(ok, message.empty());
    return message;
  }
};

TEST_F(Layouts, BaseWeights) {
  EXPECT_EQ(splitOf("model.embed_tokens.weight"), 0);
  EXPECT_EQ(splitOf("lm_head.weight"), 0);
  for (StringRef module : {"self_attn.q_proj", "self_attn.k_proj",
                           "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj"})
    EXPECT_EQ(splitOf(("model.layers.17." + module + ".weight").str()), 0);
  for (StringRef module : {"self_attn.o_proj", "mlp.down_proj"})
    EXPECT_EQ(splitOf(("model.layers.17." + module + ".weight").str()), 1);
  EXPECT_EQ(splitOf("model.layers.0.self_attn.q_proj.bias"), 0);
  EXPECT_EQ(splitOf("model.layers.0.self_attn.o_proj.bias"), kWhole);
  for (StringRef name :
       {"model.norm.weight", "model.layers.0.input_layernorm.weight",
        "model.layers.0.post_attention_layernorm.weight", "score.weight",
        "optimizer.step", "", ".weight", "model.layers.0.xq_proj.weight",
        "model.layers.0.self_attn.q_proj.scale", "q_proj.weight.other"})
    EXPECT_EQ(splitOf(name), kWhole) << name.str();
  EXPECT_EQ(splitOf("q_proj.weight"), 0);
}

TEST_F(Layouts, Adapters) {
  for (StringRef module :
       {"lm_head", "model.layers.3.self_attn.q_proj",
        "model.layers.3.self_attn.k_proj", "model.layers.3.self_attn.v_proj",
        "model.layers.3.mlp.gate_proj", "model.layers.3.mlp.up_proj"}) {
    EXPECT_EQ(splitOf((module + ".lora_A.weight").str()), kWhole);
    EXPECT_EQ(splitOf((module + ".lora_B.weight").str()), 0);
    EXPECT_EQ(splitOf((module + ".lora_E.weight").str()), kWhole);
  }
  for (StringRef module :
       {"model.layers.3.self_attn.o_proj", "model.layers.3.mlp.down_proj"}) {
    EXPECT_EQ(splitOf((module + ".lora_A.weight").str()), 1);
    EXPECT_EQ(splitOf((module + ".lora_B.weight").str()), kWhole);
    EXPECT_EQ(splitOf((module + ".lora_E.weight").str()), kWhole);
  }
}

TEST_F(Layouts, LocalShapes) {
  EXPECT_EQ(localType("model.embed_tokens.weight", type({300, 96}), 3),
            type({100, 96}));
  EXPECT_EQ(localType("m.o_proj.weight", type({96, 96}), 2), type({96, 48}));
  EXPECT_EQ(localType("m.o_proj.lora_A.weight", type({4, 96}), 2),
            type({4, 48}));
  EXPECT_EQ(localType("m.o_proj.lora_B.weight", type({96, 4}), 2),
            type({96, 4}));
  EXPECT_EQ(localType("model.norm.weight", type({96}), 6), type({96}));
}

TEST_F(Layouts, EvenSplits) {
  EXPECT_EQ(tensorParallelSizes(model), (SmallVector<int64_t>{1, 2, 3, 6}));
  EXPECT_EQ(check("a.q_proj.weight", {96, 96}, 6), "");
  EXPECT_EQ(check("a.k_proj.lora_B.weight", {48, 4}, 3), "");
  EXPECT_EQ(check("model.norm.weight", {97}, 4), "");
  // 48 rows have four equal parts, six heads have not.
  EXPECT_EQ(check("a.k_proj.weight", {48, 96}, 4),
            "tensor 'a.k_proj.weight': dimension 0 of 'tensor<48x96xf32>', 6 "
            "key/value heads, has no 4 equal parts; tp can be 1, 2, 3, 6");
  EXPECT_EQ(check("a.o_proj.lora_A.weight", {4, 96}, 8),
            "tensor 'a.o_proj.lora_A.weight': dimension 1 of "
            "'tensor<4x96xf32>', 12 heads, has no 8 equal parts; tp can be 1, "
            "2, 3, 6");
  EXPECT_EQ(check("lm_head.weight", {300, 96}, 8),
            "tensor 'lm_head.weight': dimension 0 of 'tensor<300x96xf32>', 300 "
            "vocabulary entries, has no 8 equal parts; tp can be 1, 2, 3, 6");
  EXPECT_EQ(check("a.down_proj.weight", {96, 240}, 0),
            "tensor 'a.down_proj.weight': dimension 1 of 'tensor<96x240xf32>', "
            "240 features, has no 0 equal parts; tp can be 1, 2, 3, 6");
  EXPECT_EQ(check("up_proj.weight", {6, 4}, 4, false),
            "tensor 'up_proj.weight': dimension 0 of 'tensor<6x4xf32>', 6 "
            "elements, has no 4 equal parts; tp can be 1, 2, 3, 6");
  EXPECT_EQ(check("a.down_proj.weight", {96}, 2),
            "tensor 'a.down_proj.weight' of type 'tensor<96xf32>' has no "
            "dimension 1, which the tp axis splits");
}

} // namespace
