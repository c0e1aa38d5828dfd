// RUN: llama-opt %s --codegen-generate-cpu-kernels | FileCheck %s
// RUN: llama-opt %s --codegen-generate-cpu-kernels=cpu=x86-64-v4 | FileCheck %s --check-prefix=V4
// RUN: llama-opt %s --codegen-generate-cpu-kernels > %t.1
// RUN: llama-opt %s --codegen-generate-cpu-kernels > %t.2
// RUN: cmp %t.1 %t.2

// CHECK: plan.code_object @cpu_kernels format(elf) arch("x86-64-v3") data("\7FELF
// V4: plan.code_object @cpu_kernels format(elf) arch("x86-64-v4") data("\7FELF

// One object exports every kernel.
// CHECK-SAME: attention_1
// CHECK-SAME: attention_grad_2
// CHECK-SAME: fold_into_3

// CHECK: plan.kernel @scale_0 "scale, 20 columns" code_object(@cpu_kernels)
// CHECK-NOT: llm.rowwise
plan.kernel @scale_0 "scale, 20 columns" {
^bb0(%a: tensor<4x20xf32>):
  %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<4x20xf32>)
      maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x20xf32>) {
  ^bb0(%x: f32):
    %two = arith.constant 2.0 : f32
    %d = arith.mulf %x, %two : f32
    llm.yield %d : f32
  }
}

// CHECK: plan.kernel @attention_1 "attention" code_object(@cpu_kernels)
plan.kernel @attention_1 "attention" {
^bb0(%q: tensor<8x64xf32>, %k: tensor<8x32xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>):
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 2.5e-01
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>)
        -> (tensor<8x64xf32>, tensor<8x4xf32>)
}

// CHECK: plan.kernel @attention_grad_2 "attention_grad" code_object(@cpu_kernels)
plan.kernel @attention_grad_2 "attention_grad" {
^bb0(%q: tensor<8x64xf32>, %k: tensor<8x32xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>,
     %o: tensor<8x64xf32>, %lse: tensor<8x4xf32>, %do: tensor<8x64xf32>):
  %dq, %dk, %dv = llm.attention_grad %q, %k, %v, %cu, %o, %lse, %do
      heads(4) kv_heads(2) scale 2.5e-01
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>,
         tensor<8x64xf32>, tensor<8x4xf32>, tensor<8x64xf32>)
        -> (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>)
}

// CHECK: plan.kernel @fold_into_3 "fold_into" code_object(@cpu_kernels)
plan.kernel @fold_into_3 "fold_into" {
^bb0(%params: tensor<2x1024xf32>, %segments: tensor<4x6xi64>):
  %w = llm.fold_into %params, %segments : (tensor<2x1024xf32>, tensor<4x6xi64>) -> tensor<8192xf32>
}
