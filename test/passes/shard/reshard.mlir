// The identity program between two layouts: what of every tensor lies where, and
// the copies. Four parameters, one of each kind of split.
// RUN: llama-opt %s --shard-reshard="target-tp=2" | FileCheck %s --check-prefixes=CHECK,SPLIT
// RUN: llama-opt %s --shard-reshard="source-tp=2 source-dp=3" | FileCheck %s --check-prefixes=CHECK,MERGE
// RUN: llama-opt %s --shard-reshard="source-tp=2 target-tp=4" | FileCheck %s --check-prefix=FINER
// RUN: llama-opt %s --shard-reshard="source-dp=4 target-dp=2" | FileCheck %s --check-prefix=DDP
// What it makes, whatever the layouts, is what the verifier proves.
// RUN: llama-opt %s --shard-reshard="source-dp=4 target-tp=4" --shard-verify-reshard -o /dev/null
// RUN: llama-opt %s --shard-reshard="source-tp=4 target-dp=4" --shard-verify-reshard -o /dev/null
// RUN: llama-opt %s --shard-reshard="source-tp=2 target-tp=4" --shard-verify-reshard -o /dev/null
// RUN: llama-opt %s --shard-reshard="source-tp=4 target-tp=2 target-dp=2" --shard-verify-reshard -o /dev/null

// CHECK: llm.level = "plan"
// SPLIT-SAME: plan.source_grid = [#plan.axis<name = "dp", size = 1>, #plan.axis<name = "tp", size = 1>]
// SPLIT-SAME: plan.target_grid = [#plan.axis<name = "dp", size = 1>, #plan.axis<name = "tp", size = 2>]
// CHECK-NOT: func.func

// Parts begin at multiples of 64 bytes: four of 64 bytes and one of 96.
// SPLIT: plan.allocation @source_parameters category(parameters) bytes(384)
// SPLIT-NEXT: plan.tensor "l.q_proj.lora_A.weight" role(parameter) in @source_parameters at 0 : tensor<2x8xf32> init(zero) global [2, 8] sharding {{\[}}[], []] part(source, 0)
// SPLIT-NEXT: plan.tensor "l.q_proj.lora_B.weight" role(parameter) in @source_parameters at 64 : tensor<8x2xf32> init(zero) global [8, 2] sharding {{\[}}[], []] part(source, 0)
// SPLIT: plan.allocation @target_parameters category(parameters)
// SPLIT: plan.tensor "l.q_proj.lora_B.weight" role(parameter) in @target_parameters at 64 : tensor<4x2xf32> init(zero) global [8, 2] sharding {{\[}}[1], []] part(target, 0)
// SPLIT-NEXT: plan.tensor "l.q_proj.lora_B.weight" role(parameter) in @target_parameters at 128 : tensor<4x2xf32> init(zero) global [8, 2] sharding {{\[}}[1], []] part(target, 1)
// SPLIT-NEXT: plan.tensor "l.o_proj.lora_A.weight" role(parameter) in @target_parameters at 192 : tensor<2x4xf32> init(zero) global [2, 8] sharding {{\[}}[], [1]] part(target, 0)
// SPLIT-NEXT: plan.tensor "l.o_proj.lora_A.weight" role(parameter) in @target_parameters at 256 : tensor<2x4xf32> init(zero) global [2, 8] sharding {{\[}}[], [1]] part(target, 1)
// SPLIT: plan.allocation @source_first_moments category(optimizer_state)
// SPLIT: plan.allocation @target_second_moments category(optimizer_state)
// CHECK: plan.allocation @source_optimizer_state category(optimizer_state) bytes(192)
// CHECK-NEXT: plan.tensor "optimizer.step" role(state) in @source_optimizer_state at 0 : tensor<1xi64> init(zero) global [1] sharding {{\[}}[]] part(source, 0)
// CHECK: plan.program @reshard kind(reshard) tokens(1) sequences(1) {

// A factor that is whole on both sides.
// SPLIT-NEXT: %[[A0:.*]] = plan.buffer in @source_parameters at 0 : tensor<2x8xf32>
// SPLIT-NEXT: %[[A1:.*]] = plan.buffer in @target_parameters at 0 : tensor<2x8xf32>
// SPLIT-NEXT: plan.copy %[[A0]] to %[[A1]]
// Rows: both sides in one piece.
// SPLIT-NEXT: %[[B0:.*]] = plan.buffer in @source_parameters at 64 : tensor<4x2xf32>
// SPLIT-NEXT: %[[B1:.*]] = plan.buffer in @target_parameters at 64 : tensor<4x2xf32>
// SPLIT-NEXT: plan.copy %[[B0]] to %[[B1]] : tensor<4x2xf32>, tensor<4x2xf32>
// SPLIT-NEXT: %[[B2:.*]] = plan.buffer in @source_parameters at 96 : tensor<4x2xf32>
// SPLIT-NEXT: %[[B3:.*]] = plan.buffer in @target_parameters at 128 : tensor<4x2xf32>
// SPLIT-NEXT: plan.copy %[[B2]] to %[[B3]] : tensor<4x2xf32>, tensor<4x2xf32>
// Columns: read with a pitch.
// SPLIT-NEXT: %[[C0:.*]] = plan.buffer in @source_parameters at 128 : tensor<2x8xf32>
// SPLIT-NEXT: %[[C1:.*]] = plan.view %[[C0]] at 0 pitch(8) : tensor<2x8xf32> -> tensor<2x4xf32>
// SPLIT-NEXT: %[[C2:.*]] = plan.buffer in @target_parameters at 192 : tensor<2x4xf32>
// SPLIT-NEXT: plan.copy %[[C1]] to %[[C2]] : tensor<2x4xf32>, tensor<2x4xf32>
// SPLIT-NEXT: %[[C3:.*]] = plan.buffer in @source_parameters at 128 : tensor<2x8xf32>
// SPLIT-NEXT: %[[C4:.*]] = plan.view %[[C3]] at 4 pitch(8) : tensor<2x8xf32> -> tensor<2x4xf32>

// And the other way: written with one. dp has no part in it: one copy of each.
// MERGE: plan.view %{{.*}} at 0 pitch(8) : tensor<2x8xf32> -> tensor<2x4xf32>
// MERGE-NEXT: plan.copy
// MERGE: plan.view %{{.*}} at 4 pitch(8) : tensor<2x8xf32> -> tensor<2x4xf32>
// MERGE-NEXT: plan.copy
// CHECK: in @source_optimizer_state at 128 : tensor<1xf64>
// CHECK: plan.copy %{{.*}} : tensor<1xf64>, tensor<1xf64>
// CHECK-NEXT: }

// Each half into two quarters: two copies of rows, two of columns.
// FINER: plan.program @reshard
// FINER: plan.copy %{{.*}} : tensor<2x8xf32>, tensor<2x8xf32>
// FINER-COUNT-4: plan.copy %{{.*}} : tensor<2x2xf32>, tensor<2x2xf32>
// FINER: plan.view %{{.*}} at 0 pitch(4) : tensor<2x4xf32> -> tensor<2x2xf32>
// FINER: plan.view %{{.*}} at 2 pitch(4) : tensor<2x4xf32> -> tensor<2x2xf32>

// Nothing is split, every tensor is copied once: three of each of five
// parameters, and three of state.
// DDP: plan.program @reshard
// DDP-COUNT-18: plan.copy
// DDP-NOT: plan.copy

module attributes {llm.level = "train"} {
func.func @train_8() attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "l.q_proj.lora_A.weight" init <normal, 1.0> : tensor<2x8xf32>
  %b = llm.parameter "l.q_proj.lora_B.weight" init <zero, 0.0> : tensor<8x2xf32>
  %c = llm.parameter "l.o_proj.lora_A.weight" init <normal, 1.0> : tensor<2x8xf32>
  %d = llm.parameter "l.o_proj.lora_B.weight" init <zero, 0.0> : tensor<8x2xf32>
  %s = llm.parameter "score.weight" init <uniform, 0.5> : tensor<3x8xf32>
  return
}
// The same parameters once more.
func.func @evaluate_8() attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 8>} {
  %b = llm.parameter "l.q_proj.lora_B.weight" init <zero, 0.0> : tensor<8x2xf32>
  return
}
}
