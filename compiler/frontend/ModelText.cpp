//===- ModelText.cpp - model.mlir, written for people ---------------------===//
//
// The text is a template with $sizes$, not a printed module: MLIR's printer
// would number the values and drop the comments. importHfDirectory parses it
// back, so the two cannot disagree.
//
//===----------------------------------------------------------------------===//
#include "compiler/frontend/ModelText.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/ErrorHandling.h"

#include <charconv>
#include <cmath>

using namespace llvm;

namespace llamac {

static constexpr StringLiteral kHidden = R"(
// $name$: a Llama decoder as a training graph. Made by `llamac import` from a
// Hugging Face config.json; to change a size, change the config and import again.
//
// Rows are tokens: all sequences of a batch lie one after another, sequence s in
// rows cu_seqlens[s] to cu_seqlens[s+1], and positions count from 0 in each. The
// number of rows (?) is fixed when the model is compiled. Weights have the names
// and shapes [out, in] of the checkpoint; {layer} is the number of the block.

!hidden = tensor<?x$hidden$x$type$> // what flows from block to block
!query = tensor<?x$query$x$type$> // $heads$ heads of $head_dim$
!kv = tensor<?x$kv$x$type$> // $kv_heads$ key or value heads of $head_dim$
!mlp = tensor<?x$intermediate$x$type$>
!angles = tensor<?x$angles$xf32> // one rotary angle for each pair of a head
!ints = tensor<?xi32>

module attributes {
  llm.level = "graph",
  llm.model = #llm.model<
    name = "$name$", hidden = $hidden$, intermediate = $intermediate$, layers = $layers$,
    heads = $heads$, kv_heads = $kv_heads$, head_dim = $head_dim$, vocab = $vocab$,
    max_positions = $max_positions$, tied_embeddings = $tied$>
} {

// Token ids to the hidden states that the head reads.
func.func @hidden(%ids: !ints, %positions: !ints, %cu_seqlens: !ints) -> !hidden {
  %table = llm.weight "model.embed_tokens.weight" : tensor<$vocab$x$hidden$x$type$>
  %x = llm.embedding %ids, %table : (!ints, tensor<$vocab$x$hidden$x$type$>) -> !hidden
  %cos, %sin = llm.rope_table %positions theta $theta$ max_positions $max_positions$$scaling$
      : !ints -> !angles

  %h = llm.layers count($layers$) carry(%x) shared(%cos, %sin, %cu_seqlens) : (!hidden, !angles, !angles, !ints) {
  ^block(%x: !hidden, %cos: !angles, %sin: !angles, %cu_seqlens: !ints):
    // Attention.
    %norm1_w = llm.weight "model.layers.{layer}.input_layernorm.weight" : tensor<$hidden$x$type$>
    %norm1 = llm.rms_norm %x, %norm1_w eps $eps$ : !hidden, tensor<$hidden$x$type$>
    %q_w = llm.weight "model.layers.{layer}.self_attn.q_proj.weight" : tensor<$query$x$hidden$x$type$>
    %k_w = llm.weight "model.layers.{layer}.self_attn.k_proj.weight" : tensor<$kv$x$hidden$x$type$>
    %v_w = llm.weight "model.layers.{layer}.self_attn.v_proj.weight" : tensor<$kv$x$hidden$x$type$>
    %q = llm.linear %norm1, %q_w : (!hidden, tensor<$query$x$hidden$x$type$>) -> !query
    %k = llm.linear %norm1, %k_w : (!hidden, tensor<$kv$x$hidden$x$type$>) -> !kv
    %v = llm.linear %norm1, %v_w : (!hidden, tensor<$kv$x$hidden$x$type$>) -> !kv
    %q_turned = llm.rope %q, %cos, %sin : !query, !angles
    %k_turned = llm.rope %k, %cos, %sin : !kv, !angles
    %mixed, %lse = llm.attention %q_turned, %k_turned, %v, %cu_seqlens
        heads($heads$) kv_heads($kv_heads$) scale $scale$
        : (!query, !kv, !kv, !ints) -> (!query, tensor<?x$heads$xf32>)
    %o_w = llm.weight "model.layers.{layer}.self_attn.o_proj.weight" : tensor<$hidden$x$query$x$type$>
    %o = llm.linear %mixed, %o_w : (!query, tensor<$hidden$x$query$x$type$>) -> !hidden
    %attended = llm.add %x, %o : !hidden

    // MLP.
    %norm2_w = llm.weight "model.layers.{layer}.post_attention_layernorm.weight" : tensor<$hidden$x$type$>
    %norm2 = llm.rms_norm %attended, %norm2_w eps $eps$ : !hidden, tensor<$hidden$x$type$>
    %gate_w = llm.weight "model.layers.{layer}.mlp.gate_proj.weight" : tensor<$intermediate$x$hidden$x$type$>
    %up_w = llm.weight "model.layers.{layer}.mlp.up_proj.weight" : tensor<$intermediate$x$hidden$x$type$>
    %gate = llm.linear %norm2, %gate_w : (!hidden, tensor<$intermediate$x$hidden$x$type$>) -> !mlp
    %up = llm.linear %norm2, %up_w : (!hidden, tensor<$intermediate$x$hidden$x$type$>) -> !mlp
    %activated = llm.swiglu %gate, %up : !mlp
    %down_w = llm.weight "model.layers.{layer}.mlp.down_proj.weight" : tensor<$hidden$x$intermediate$x$type$>
    %down = llm.linear %activated, %down_w : (!mlp, tensor<$hidden$x$intermediate$x$type$>) -> !hidden
    %out = llm.add %attended, %down : !hidden
    llm.yield %out : !hidden
  }

  %norm_w = llm.weight "model.norm.weight" : tensor<$hidden$x$type$>
  %norm = llm.rms_norm %h, %norm_w eps $eps$ : !hidden, tensor<$hidden$x$type$>
  return %norm : !hidden
}
)";

static constexpr StringLiteral kLogits = R"(
// Hidden states to the scores of the next token. $head_comment$
func.func @logits(%hidden: !hidden) -> tensor<?x$vocab$x$type$> {
  %w = llm.weight "$head_weight$" : tensor<$vocab$x$hidden$x$type$>
  %z = llm.linear %hidden, %w : (!hidden, tensor<$vocab$x$hidden$x$type$>) -> tensor<?x$vocab$x$type$>
  return %z : tensor<?x$vocab$x$type$>
}
)";

/// Shortest text that reads back as the same double, with the '.' that MLIR
/// wants: 1.0e-05, 500000.0.
static std::string floatText(double value) {
  char buffer[32];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string text(buffer, end);
  if (text.find('.') == std::string::npos) {
    size_t exponent = text.find('e');
    text.insert(exponent == std::string::npos ? text.size() : exponent, ".0");
  }
  return text;
}

static std::string substitute(StringRef pattern,
                              const StringMap<std::string> &values) {
  std::string text;
  while (true) {
    auto [before, rest] = pattern.split('$');
    text += before;
    if (before.size() == pattern.size())
      return text;
    auto [key, after] = rest.split('$');
    auto value = values.find(key);
    if (value == values.end())
      report_fatal_error("model template: no value for $" + key + "$");
    text += value->second;
    pattern = after;
  }
}

static std::string scalingText(const HfRopeScaling &scaling) {
  return "\n      scaling <factor = " + floatText(scaling.factor) +
         ", low_freq_factor = " + floatText(scaling.lowFreqFactor) +
         ", high_freq_factor = " + floatText(scaling.highFreqFactor) +
         ",\n               original_max_positions = " +
         std::to_string(scaling.originalMaxPositions) + ">";
}

std::string writeModelText(const HfConfig &config, StringRef name,
                           bool withLogits) {
  bool tied = config.tieWordEmbeddings;
  StringMap<std::string> values;
  auto set = [&](StringRef key, int64_t value) {
    values[key] = std::to_string(value);
  };
  values["name"] = name.str();
  values["type"] = config.dtype == HfDType::BF16 ? "bf16" : "f32";
  set("hidden", config.hiddenSize);
  set("intermediate", config.intermediateSize);
  set("layers", config.numLayers);
  set("heads", config.numHeads);
  set("kv_heads", config.numKvHeads);
  set("head_dim", config.headDim);
  set("query", config.numHeads * config.headDim);
  set("kv", config.numKvHeads * config.headDim);
  set("angles", config.headDim / 2);
  set("vocab", config.vocabSize);
  set("max_positions", config.maxPositions);
  values["tied"] = tied ? "true" : "false";
  values["eps"] = floatText(config.rmsNormEps);
  values["theta"] = floatText(config.ropeTheta);
  values["scale"] = floatText(1.0 / std::sqrt(double(config.headDim)));
  values["scaling"] =
      config.ropeScaling ? scalingText(*config.ropeScaling) : "";
  values["head_comment"] = tied ? "The embedding table is the head."
                                : "The head has weights of its own.";
  values["head_weight"] = tied ? "model.embed_tokens.weight" : "lm_head.weight";

  std::string text = substitute(kHidden.ltrim('\n'), values);
  if (withLogits)
    text += substitute(kLogits, values);
  return text + "}\n";
}

} // namespace llamac
