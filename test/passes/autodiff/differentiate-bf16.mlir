// Gradients of a bf16 model: those of activations are rounded like the activations,
// those of parameters are sums in f32 that nothing rounds, whatever the products
// read; a cast's gradient is cast back where the types differ, and only there.
// RUN: llama-opt %s --autodiff-differentiate | FileCheck %s --implicit-check-not=llm.cast

// CHECK: %[[A16:.*]] = llm.cast %{{.*}} : tensor<2x4xf32> -> tensor<2x4xbf16>
// CHECK: %[[B16:.*]] = llm.cast %{{.*}} : tensor<6x2xf32> -> tensor<6x2xbf16>
// CHECK: %[[T:.*]] = llm.linear %[[X:.*]], %[[A16]] :
// CHECK: %[[F:.*]] = llm.cast %{{.*}} : tensor<8x6xbf16> -> tensor<8x6xf32>
// CHECK: %[[DZ:.*]] = llm.cross_entropy_grad
// CHECK-NEXT: %[[DF:.*]] = llm.matmul %[[DZ]], %{{.*}} : (tensor<8x3xf32>, tensor<3x6xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: %[[DH:.*]] = llm.matmul %[[DZ]], %[[F]] transpose_a : (tensor<8x3xf32>, tensor<8x6xf32>) -> tensor<3x6xf32>
// CHECK-NEXT: %[[DS:.*]] = llm.cast %[[DF]] : tensor<8x6xf32> -> tensor<8x6xbf16>
// CHECK-NEXT: llm.gradient "score.weight", %[[DH]] : tensor<3x6xf32>
// CHECK-NEXT: %[[DT:.*]] = llm.matmul %[[DS]], %[[B16]] alpha 2.000000e+00 : (tensor<8x6xbf16>, tensor<6x2xbf16>) -> tensor<8x2xbf16>
// CHECK-NEXT: %[[DB:.*]] = llm.matmul %[[DS]], %[[T]] transpose_a alpha 2.000000e+00 : (tensor<8x6xbf16>, tensor<8x2xbf16>) -> tensor<6x2xf32>
// CHECK-NEXT: %[[DA:.*]] = llm.matmul %[[DT]], %[[X]] transpose_a : (tensor<8x2xbf16>, tensor<8x4xbf16>) -> tensor<2x4xf32>
// CHECK-NEXT: llm.gradient "b", %[[DB]] : tensor<6x2xf32>
// CHECK-NEXT: llm.gradient "a", %[[DA]] : tensor<2x4xf32>

func.func @train_8(%x: tensor<8x4xbf16> {llm.input = "x"}, %labels: tensor<8xi32> {llm.input = "labels"}, %scale: tensor<1xf32> {llm.input = "loss_scale"}) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %w = llm.weight "w" : tensor<6x4xbf16>
  %a = llm.parameter "a" init <uniform, 0.5> : tensor<2x4xf32>
  %a16 = llm.cast %a : tensor<2x4xf32> -> tensor<2x4xbf16>
  %b = llm.parameter "b" init <zero, 0.0> : tensor<6x2xf32>
  %b16 = llm.cast %b : tensor<6x2xf32> -> tensor<6x2xbf16>
  %y = llm.linear %x, %w : (tensor<8x4xbf16>, tensor<6x4xbf16>) -> tensor<8x6xbf16>
  %t = llm.linear %x, %a16 : (tensor<8x4xbf16>, tensor<2x4xbf16>) -> tensor<8x2xbf16>
  %u = llm.linear %t, %b16 alpha 2.0 : (tensor<8x2xbf16>, tensor<6x2xbf16>) -> tensor<8x6xbf16>
  %s = llm.add %y, %u : tensor<8x6xbf16>
  %h = llm.parameter "score.weight" init <normal, 0.02> : tensor<3x6xf32>
  %f = llm.cast %s : tensor<8x6xbf16> -> tensor<8x6xf32>
  %z = llm.linear %f, %h : (tensor<8x6xf32>, tensor<3x6xf32>) -> tensor<8x3xf32>
  %loss = llm.cross_entropy %z, %labels, %scale : tensor<8x3xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
