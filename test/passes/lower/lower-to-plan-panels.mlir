// Where parts and stacks of matrices come to lie: folded weights, what is computed
// straight into a wider matrix, what is changed in place.
// The graph of the test of folding goes through the fused level.
// RUN: llama-opt %S/../fuse/fold-adapters.mlir --adapters-attach-lora="r=4 alpha=8 targets=q_proj,v_proj,gate_proj,up_proj,down_proj rank-pattern=v_proj=2 alpha-pattern=v_proj=6" --autodiff-differentiate --fuse-lower-linear --fuse-fold-adapters --fuse-matmul-add --fuse-lower-to-rowwise --fuse-rowwise --fuse-verify -o %t.mlir
// RUN: llama-opt %t.mlir --lower-to-plan=strided-attention=true | FileCheck %s --implicit-check-not=plan.copy
// RUN: llama-opt %t.mlir --lower-to-plan | FileCheck %s --check-prefix=TOGETHER --implicit-check-not=plan.copy
// RUN: llama-opt %s --lower-to-plan=workspace=4096 | FileCheck %s --check-prefix=STACK

// Each weight is rows of its folded matrix, 64 + 8 elements apart; the next begins
// 64 rows of 288 bytes on. A's of one group are neighbours in the flat buffers.
// CHECK: plan.tensor "embed_tokens.weight" role(weight) in @weights at 0 : tensor<3x64xf32> init(checkpoint)
// CHECK-NEXT: plan.tensor "q_proj.weight" role(weight) in @weights at 768 pitch(72) : tensor<64x64xf32> init(checkpoint)
// CHECK-NEXT: plan.tensor "k_proj.weight" role(weight) in @weights at 19200 pitch(72) : tensor<32x64xf32> init(checkpoint)
// CHECK-NEXT: plan.tensor "v_proj.weight" role(weight) in @weights at 28416 pitch(72) : tensor<32x64xf32> init(checkpoint)
// CHECK-NEXT: plan.tensor "gate_proj.weight" role(weight) in @weights at 39936 pitch(72) : tensor<96x64xf32> init(checkpoint)
// CHECK: plan.tensor "down_proj.weight" role(weight) in @weights at 97536 pitch(104) : tensor<64x96xf32> init(checkpoint)
// CHECK: plan.tensor "q_proj.lora_A.weight" role(gradient) in @gradients at 16384 : tensor<4x64xf32>
// CHECK: plan.tensor "v_proj.lora_A.weight" role(gradient) in @gradients at 17408 : tensor<2x64xf32>

// The table of fold_into: q's A is elements 4096 to 4352 of the parameters, in rows
// of 64, and goes to row 128 of the folded matrix, which begins at element 192, rows
// 72 apart, times 1.0f. B of q begins at column 64 of row 0, times 2.0f; B of v four
// columns on in row 96, times 3.0f.
// CHECK: plan.constant @constant_1 dense<
// CHECK-SAME: {{\[\[}}4096, 256, 64, 9408, 72, 1065353216, -1],
// CHECK-SAME: [4352, 128, 64, 9696, 72, 1065353216, -1],
// CHECK-SAME: [4480, 256, 4, 256, 72, 1073741824, -1],
// CHECK-SAME: [4736, 64, 2, 7172, 72, 1077936128, -1],
// CHECK-SAME: tensor<10x7xi64>
// CHECK: plan.kernel @[[FOLD:.*]] "fold_into" {
// CHECK: llm.fold_into %{{.*}} : (tensor<7x1024xf32>, tensor<10x7xi64>) -> tensor<31872xf32>

// A program begins by folding: an item a row of 1024 parameters.
// CHECK-LABEL: plan.program @train_8
// CHECK: %[[COS:.*]] = plan.buffer in @inputs at 256 :
// CHECK: %[[SIN:.*]] = plan.buffer in @inputs at 512 :
// CHECK: %[[PARAMS:.*]] = plan.buffer in @parameters at 0 : tensor<7x1024xf32>
// CHECK-NEXT: %[[TABLE:.*]] = plan.buffer in @constants at 256 : tensor<10x7xi64>
// CHECK-NEXT: %[[ALL:.*]] = plan.buffer in @weights at 0 : tensor<31872xf32>
// CHECK-NEXT: plan.launch @[[FOLD]] reads(%[[PARAMS]], %[[TABLE]]) writes(%[[ALL]]) scalars [10] grid [7, 1, 1] grain(16)
// x and t are computed side by side; A are rows of the folded matrix.
// CHECK: %[[XT:.*]] = plan.buffer in @activations : tensor<8x72xf32>
// CHECK-NEXT: %[[X:.*]] = plan.view %[[XT]] at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
// CHECK-NEXT: plan.gemm %{{.*}}, %{{.*}} transpose_b into %[[X]] m(8) n(64) k(64) lda(64) ldb(64) ldd(72)
// CHECK-NEXT: %[[F:.*]] = plan.buffer in @weights at 768 : tensor<136x72xf32>
// CHECK-NEXT: %[[T:.*]] = plan.view %[[XT]] at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
// CHECK-NEXT: %[[A:.*]] = plan.view %[[F]] at 9216 pitch(72) : tensor<136x72xf32> -> tensor<8x64xf32>
// CHECK-NEXT: plan.gemm %[[X]], %[[A]] transpose_b into %[[T]] m(8) n(8) k(64) lda(72) ldb(72) ldd(72)
// CHECK-NEXT: %[[QKV:.*]] = plan.buffer in @activations : tensor<8x128xf32>
// CHECK-NEXT: %[[W:.*]] = plan.view %[[F]] at 0 pitch(72) : tensor<136x72xf32> -> tensor<128x72xf32>
// CHECK-NEXT: plan.gemm %[[XT]], %[[W]] transpose_b into %[[QKV]] m(8) n(128) k(72) lda(72) ldb(72) ldd(128)
// Queries and keys are rotated where they are.
// CHECK: %[[QK:.*]] = plan.view %[[QKV]] at 0 pitch(128) : tensor<8x128xf32> -> tensor<8x96xf32>
// CHECK-NEXT: %[[ROTATED:.*]] = plan.view %[[QKV]] at 0 pitch(128) : tensor<8x128xf32> -> tensor<8x96xf32>
// CHECK-NEXT: plan.launch @{{rope.*}} reads(%[[QK]], %[[QK]], %[[COS]], %[[SIN]]) writes(%[[ROTATED]])
// CHECK-NEXT: %[[Q:.*]] = plan.view %[[QKV]] at 0 pitch(128) : tensor<8x128xf32> -> tensor<8x64xf32>
// CHECK-NEXT: %[[K:.*]] = plan.view %[[QKV]] at 64 pitch(128) : tensor<8x128xf32> -> tensor<8x32xf32>
// CHECK-NEXT: %[[V:.*]] = plan.view %[[QKV]] at 96 pitch(128) : tensor<8x128xf32> -> tensor<8x32xf32>
// CHECK: plan.launch @[[ATTENTION:attention_[0-9]+]] reads(%[[Q]], %[[K]], %[[V]], %{{.*}}) writes(
// Logits are nobody's any more when their gradient is computed: in place.
// CHECK: plan.launch @{{cross_entropy_grad.*}} reads(%[[Z:[^,]*]], {{.*}}) writes(%[[Z]])
// The attention's gradients are computed side by side, beside them dt.
// CHECK: %[[DYT:.*]] = plan.buffer in @activations : tensor<8x136xf32>
// CHECK-NEXT: %[[DQ:.*]] = plan.view %[[DYT]] at 0 pitch(136) : tensor<8x136xf32> -> tensor<8x64xf32>
// CHECK-NEXT: %[[DK:.*]] = plan.view %[[DYT]] at 64 pitch(136) : tensor<8x136xf32> -> tensor<8x32xf32>
// CHECK-NEXT: %[[DV:.*]] = plan.view %[[DYT]] at 96 pitch(136) : tensor<8x136xf32> -> tensor<8x32xf32>
// CHECK-NEXT: plan.launch @{{attention_grad.*}} reads(%[[Q]], %[[K]], %[[V]], {{.*}}) writes(%[[DQ]], %[[DK]], %[[DV]])
// CHECK-NEXT: %[[DQK:.*]] = plan.view %[[DYT]] at 0 pitch(136) : tensor<8x136xf32> -> tensor<8x96xf32>
// CHECK-NEXT: %[[BACK:.*]] = plan.view %[[DYT]] at 0 pitch(136) : tensor<8x136xf32> -> tensor<8x96xf32>
// CHECK-NEXT: plan.launch @{{rope.*}} reads(%[[DQK]], %[[DQK]], %[[COS]], %[[SIN]]) writes(%[[BACK]])
// CHECK-NEXT: %[[DT:.*]] = plan.view %[[DYT]] at 128 pitch(136) : tensor<8x136xf32> -> tensor<8x8xf32>
// CHECK-NEXT: %[[SB:.*]] = plan.view %[[F]] at 64 pitch(72) : tensor<136x72xf32> -> tensor<128x8xf32>
// CHECK-NEXT: %[[DY:.*]] = plan.view %[[DYT]] at 0 pitch(136) : tensor<8x136xf32> -> tensor<8x128xf32>
// CHECK-NEXT: plan.gemm %[[DY]], %[[SB]] into %[[DT]] m(8) n(8) k(128) lda(136) ldb(72) ldd(136)
// Both A's gradients at once, into their slots: 4 + 2 rows without the padding.
// CHECK-NEXT: %[[DA:.*]] = plan.buffer in @gradients at 16384 : tensor<6x64xf32>
// CHECK-NEXT: %[[DT6:.*]] = plan.view %[[DYT]] at 128 pitch(136) : tensor<8x136xf32> -> tensor<8x6xf32>
// CHECK-NEXT: plan.gemm %[[DT6]] transpose_a, %[[X]] into %[[DA]] m(6) n(64) k(8) lda(136) ldb(72) ldd(64)
// CHECK: %[[WA:.*]] = plan.view %[[F]] at 0 pitch(72) : tensor<136x72xf32> -> tensor<136x64xf32>
// CHECK-NEXT: plan.gemm %[[DYT]], %[[WA]] into %[[DX:.*]] m(8) n(64) k(136) lda(136) ldb(72) ldd(64)
// B's gradients read their columns of dy and of t.
// CHECK: %[[TV:.*]] = plan.view %[[XT]] at 68 pitch(72) : tensor<8x72xf32> -> tensor<8x2xf32>
// CHECK-NEXT: plan.gemm %[[DV]] transpose_a, %[[TV]] into %{{.*}} m(32) n(2) k(8) lda(136) ldb(72) ldd(2) alpha 3.000000e+00
// CHECK: plan.launch @{{add.*}} reads(%[[DX]], %{{.*}}) writes(%[[DX]])

// An input of the program cannot be computed beside t: it is copied there.
// CHECK-LABEL: plan.program @train_16
// CHECK: plan.launch @{{copy.*}} reads(%{{.*}}) writes(%{{.*}}) grid [16, 1, 1]
// CHECK: plan.launch @{{swiglu_grad.*}} reads(%{{.*}}) writes(%[[DG:.*]], %[[DU:.*]]) grid
// gate's and up's A, 4 + 4 rows.
// CHECK: plan.buffer in @gradients at 19200 : tensor<8x64xf32>

// Attention kernels whose rows must lie together get copies, and so does who reads
// what they wrote; all the rest stays where it is.
// TOGETHER-LABEL: plan.program @train_8
// TOGETHER: plan.launch @{{rope.*}} reads(%[[QK:[^,]*]], %[[QK]],
// TOGETHER: plan.launch @[[COPYQ:copy_[0-9]+]] reads(%{{.*}}) writes(%[[Q:.*]]) grid {{.*}} -> tensor<8x64xf32>
// TOGETHER: plan.launch @[[COPYK:copy_[0-9]+]] reads(%{{.*}}) writes(%[[K:.*]]) grid {{.*}} -> tensor<8x32xf32>
// TOGETHER: plan.launch @[[COPYK]] reads(%{{.*}}) writes(%[[V:.*]]) grid
// TOGETHER: plan.launch @{{attention.*}} reads(%[[Q]], %[[K]], %[[V]],
// TOGETHER: plan.launch @[[COPYQ]]
// TOGETHER-COUNT-2: plan.launch @[[COPYK]]
// TOGETHER: plan.launch @{{attention_grad.*}} writes(%[[DQ:.*]], %[[DK:.*]], %[[DV:.*]]) scalars
// TOGETHER: plan.view %[[DYT:.*]] at 0 pitch(136) : tensor<8x136xf32> -> tensor<8x64xf32>
// TOGETHER-NEXT: plan.launch @{{copy.*}} reads(%[[DQ]])
// TOGETHER-NEXT: plan.view %[[DYT]] at 64 pitch(136)
// TOGETHER-NEXT: plan.launch @{{copy.*}} reads(%[[DK]])
// TOGETHER: plan.launch @{{rope.*}} reads(
// TOGETHER: plan.launch @{{copy.*}} reads(%[[DV]])
// TOGETHER: plan.buffer in @gradients at 16384 : tensor<6x64xf32>

// Rows of one product that are the gradients of neighbours are computed there (a, b);
// where the order is another (c, d) they are copied. And scratch for the library.
// STACK: plan.allocation @workspace category(workspace) bytes(4096)
// STACK: %[[DT:.*]] = plan.buffer in @inputs at 0 :
// STACK: %[[X:.*]] = plan.buffer in @inputs at 256 :
// STACK: %[[AB:.*]] = plan.buffer in @gradients at 0 : tensor<6x16xf32>
// STACK-NEXT: plan.gemm %[[DT]] transpose_a, %[[X]] into %[[AB]] m(6) n(16) k(8)
// STACK-NOT: plan.copy
// STACK: %[[CD:.*]] = plan.buffer in @activations : tensor<6x16xf32>
// STACK-NEXT: plan.gemm %[[DT]] transpose_a, %[[X]] into %[[CD]]
// STACK-NEXT: %[[C:.*]] = plan.buffer in @gradients at 384 : tensor<4x16xf32>
// STACK-NEXT: %[[TO4:.*]] = plan.view %[[CD]] at 32 pitch(16)
// STACK-NEXT: plan.copy %[[TO4]] to %[[C]]
// STACK-NEXT: %[[D:.*]] = plan.buffer in @gradients at 640 : tensor<2x16xf32>
// STACK-NEXT: %[[TO2:.*]] = plan.view %[[CD]] at 0 pitch(16)
// STACK-NEXT: plan.copy %[[TO2]] to %[[D]]
module {
func.func @train_8(%dt: tensor<8x6xf32> {llm.input = "dt"}, %x: tensor<8x16xf32> {llm.input = "x"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x16xf32>
  %b = llm.parameter "b" init <zero, 0.0> : tensor<2x16xf32>
  %c = llm.parameter "c" init <zero, 0.0> : tensor<4x16xf32>
  %d = llm.parameter "d" init <zero, 0.0> : tensor<2x16xf32>
  %g = llm.matmul %dt, %x transpose_a : (tensor<8x6xf32>, tensor<8x16xf32>) -> tensor<6x16xf32>
  %ga = llm.panel %g at [0, 0] : tensor<6x16xf32> -> tensor<4x16xf32>
  %gb = llm.panel %g at [4, 0] : tensor<6x16xf32> -> tensor<2x16xf32>
  llm.gradient "b", %gb : tensor<2x16xf32>
  llm.gradient "a", %ga : tensor<4x16xf32>
  %h = llm.matmul %dt, %x transpose_a : (tensor<8x6xf32>, tensor<8x16xf32>) -> tensor<6x16xf32>
  %hc = llm.panel %h at [2, 0] : tensor<6x16xf32> -> tensor<4x16xf32>
  %hd = llm.panel %h at [0, 0] : tensor<6x16xf32> -> tensor<2x16xf32>
  llm.gradient "c", %hc : tensor<4x16xf32>
  llm.gradient "d", %hd : tensor<2x16xf32>
  return
}
}
