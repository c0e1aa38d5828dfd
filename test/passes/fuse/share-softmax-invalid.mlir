// The pass cannot fail. A gradient of another shape than its logits is refused
// before it.
// RUN: llama-opt %s --fuse-share-softmax -verify-diagnostics

func.func @f(%z: tensor<4x16xf32>, %l: tensor<3xi32>, %s: tensor<1xf32>) -> tensor<1xf32> {
  // expected-error @+1 {{'llm.cross_entropy' op}}
  %loss = llm.cross_entropy %z, %l, %s : tensor<4x16xf32>, tensor<3xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
