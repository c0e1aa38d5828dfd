//===- LlmOps.td - All ops of the llm dialect -----------------------------===//
#ifndef LLM_OPS_TD
#define LLM_OPS_TD

include "dialects/llm/LlmGraphOps.td"
include "dialects/llm/LlmTrainOps.td"
include "dialects/llm/LlmFusedOps.td"
include "dialects/llm/LlmShardOps.td"
include "dialects/llm/LlmTripletOps.td"
include "dialects/llm/LlmProbeOps.td"

#endif // LLM_OPS_TD
