// Copies that cover the target once, however they are cut, are left as they are.
// RUN: llama-opt %s --shard-verify-reshard | FileCheck %s

// From rows to columns: four quarters. The last one in two single rows, one of
// them read as a view of one row.
// CHECK-COUNT-5: plan.copy
module attributes {plan.source_grid = [#plan.axis<name = "dp", size = 2>, #plan.axis<name = "tp", size = 2>],
                   plan.target_grid = [#plan.axis<name = "dp", size = 1>, #plan.axis<name = "tp", size = 2>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x4xf32> init(zero) global [4, 4] sharding [[1], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x4xf32> init(zero) global [4, 4] sharding [[1], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 64 : tensor<4x2xf32> init(zero) global [4, 4] sharding [[], [1]] part(target, 0)
  plan.tensor "w" role(parameter) in @target at 128 : tensor<4x2xf32> init(zero) global [4, 4] sharding [[], [1]] part(target, 1)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %top = plan.buffer in @source at 0 : tensor<2x4xf32>
    %bottom = plan.buffer in @source at 64 : tensor<2x4xf32>
    %00 = plan.view %top at 0 pitch(4) : tensor<2x4xf32> -> tensor<2x2xf32>
    %01 = plan.view %top at 2 pitch(4) : tensor<2x4xf32> -> tensor<2x2xf32>
    %10 = plan.view %bottom at 0 pitch(4) : tensor<2x4xf32> -> tensor<2x2xf32>
    %to00 = plan.buffer in @target at 64 : tensor<2x2xf32>
    %to10 = plan.buffer in @target at 80 : tensor<2x2xf32>
    %to01 = plan.buffer in @target at 128 : tensor<2x2xf32>
    plan.copy %10 to %to10 : tensor<2x2xf32>, tensor<2x2xf32>
    plan.copy %00 to %to00 : tensor<2x2xf32>, tensor<2x2xf32>
    plan.copy %01 to %to01 : tensor<2x2xf32>, tensor<2x2xf32>
    %row2 = plan.view %bottom at 2 pitch(4) : tensor<2x4xf32> -> tensor<1x2xf32>
    %row3 = plan.buffer in @source at 88 : tensor<2xf32>
    %to2 = plan.buffer in @target at 144 : tensor<1x2xf32>
    %to3 = plan.buffer in @target at 152 : tensor<2xf32>
    plan.copy %row3 to %to3 : tensor<2xf32>, tensor<2xf32>
    plan.copy %row2 to %to2 : tensor<1x2xf32>, tensor<1x2xf32>
  }
}
