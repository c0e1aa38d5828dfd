// Ops for parts of tensors: parse, print, and become rows.
// RUN: llama-opt %s | llama-opt | FileCheck %s
// RUN: llama-opt %s --fuse-lower-to-rowwise | FileCheck %s --check-prefix=ROWS

// ROWS-LABEL: func.func @parts
// ROWS-NOT: llm.{{local_ids|first_row|local_rows|softmax_stats|join_softmax_stats|cross_entropy_parts|join_columns|dropout}} %
// ROWS: return
// CHECK-LABEL: func.func @parts
func.func @parts(%ids: tensor<8xi32>, %place: tensor<2xi32>, %z: tensor<8x64xf32>, %g: tensor<16x3xf32>, %scale: tensor<1xf32>, %random: tensor<2xi64>) -> (tensor<1xf32>, tensor<8x64xf32>, tensor<8x3xf32>, tensor<4x128xf32>, tensor<8x64xf32>) {
  // CHECK: llm.local_ids %{{.*}}, %{{.*}} axis 1 size 64 : tensor<8xi32>, tensor<2xi32>
  %l = llm.local_ids %ids, %place axis 1 size 64 : tensor<8xi32>, tensor<2xi32>
  // CHECK: llm.softmax_stats %{{.*}}, %{{.*}} : tensor<8x64xf32>, tensor<8xi32> -> tensor<8x3xf32>
  %s = llm.softmax_stats %z, %l : tensor<8x64xf32>, tensor<8xi32> -> tensor<8x3xf32>
  // CHECK: llm.join_softmax_stats %{{.*}} : tensor<16x3xf32> -> tensor<8x2xf32>
  %j = llm.join_softmax_stats %g : tensor<16x3xf32> -> tensor<8x2xf32>
  // CHECK: llm.cross_entropy_parts %{{.*}} : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  %loss = llm.cross_entropy_parts %j, %ids, %scale : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  // CHECK: llm.cross_entropy_parts_grad
  %d = llm.cross_entropy_parts_grad %z, %j, %ids, %l, %scale, %loss : tensor<8x64xf32>, tensor<8x2xf32>, tensor<8xi32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>
  // CHECK: llm.join_columns %{{.*}} : tensor<8x64xf32> -> tensor<4x128xf32>
  %c = llm.join_columns %z : tensor<8x64xf32> -> tensor<4x128xf32>
  // CHECK: llm.dropout %{{.*}} key "k" p 1.000000e-01 part %{{.*}} axis 1 of 2 : tensor<8x64xf32>, tensor<2xi64>, tensor<2xi32>
  %o = llm.dropout %z, %random key "k" p 1.0e-01 part %place axis 1 of 2 : tensor<8x64xf32>, tensor<2xi64>, tensor<2xi32>
  // CHECK: %[[FIRST:.*]] = llm.first_row %{{.*}} axis 1 rows 4 : tensor<2xi32> -> tensor<1xi64>
  %first = llm.first_row %place axis 1 rows 4 : tensor<2xi32> -> tensor<1xi64>
  // CHECK: llm.local_rows %{{.*}}, %[[FIRST]] : (tensor<8xi32>, tensor<1xi64>) -> tensor<4xi32>
  %li = llm.local_rows %ids, %first : (tensor<8xi32>, tensor<1xi64>) -> tensor<4xi32>
  // CHECK: llm.local_rows %{{.*}}, %[[FIRST]] : (tensor<8x64xf32>, tensor<1xi64>) -> tensor<4x64xf32>
  %lz = llm.local_rows %z, %first : (tensor<8x64xf32>, tensor<1xi64>) -> tensor<4x64xf32>
  // CHECK: llm.dropout %{{.*}} key "k" p 1.000000e-01 part %[[FIRST]] axis 0 of 1 rows : tensor<4x64xf32>, tensor<2xi64>, tensor<1xi64>
  %lo = llm.dropout %lz, %random key "k" p 1.0e-01 part %first axis 0 of 1 rows : tensor<4x64xf32>, tensor<2xi64>, tensor<1xi64>
  return %loss, %d, %s, %c, %o : tensor<1xf32>, tensor<8x64xf32>, tensor<8x3xf32>, tensor<4x128xf32>, tensor<8x64xf32>
}
