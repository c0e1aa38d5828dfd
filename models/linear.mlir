// One linear layer, 4096 to 4096, for a batch of 32: forward and backward.
//
// A model file that brings its own program: no head, task or token buckets. The
// loss is the sum of the outputs, so every element of the output has the
// gradient loss_scale. The program leaves the gradient of the weight in its
// slot, summed over the batch of all devices, and returns the outputs and the
// gradient of the input. In a layout tpN the rows of the weight are split
// (passes/shard/Layouts.h); in ddpN every device has a batch of 32.

module @linear {
func.func @linear(%x: tensor<32x4096xf32> {llm.input = "x", llm.gradient = "x.gradient"},
                  %scale: tensor<1xf32> {llm.input = "loss_scale"})
    -> (tensor<1xf32> {llm.output = "loss"}, tensor<32x4096xf32> {llm.output = "y"})
    attributes {llm.program = #llm.program<gradient, tokens = 32, sequences = 32>} {
  %w = llm.parameter "linear.weight" init <normal, 0.015625> : tensor<4096x4096xf32>
  %y = llm.linear %x, %w : (tensor<32x4096xf32>, tensor<4096x4096xf32>) -> tensor<32x4096xf32>
  %loss = llm.sum %y, %scale : tensor<32x4096xf32>, tensor<1xf32> -> tensor<1xf32>
  return %loss, %y : tensor<1xf32>, tensor<32x4096xf32>
}
}
