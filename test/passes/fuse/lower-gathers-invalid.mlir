// RUN: llama-opt %s --fuse-lower-gathers -verify-diagnostics

shard.grid @grid(shape = 1x2)
func.func @f(%x: tensor<8x4x2xf32>) -> tensor<8x8x2xf32> {
  // expected-error @+1 {{which no kernel can do}}
  %y = shard.all_gather %x on @grid grid_axes = [1] gather_axis = 1 : tensor<8x4x2xf32> -> tensor<8x8x2xf32>
  return %y : tensor<8x8x2xf32>
}
