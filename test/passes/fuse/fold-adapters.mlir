// Layers of one input become one matrix with their adapters in it. With
// F = [[W, sB], [A, 0]], forward t = x A^T, y = [x, t] [W, sB]^T; backward
// dt = dy sB, dx = [dy, dt] [W; A], dA = dt^T x, dB = s dy^T t.
// The passes before it make the IR that it has to recognize.
// RUN: llama-opt %s --adapters-attach-lora="r=4 alpha=8 targets=q_proj,v_proj,gate_proj,up_proj,down_proj rank-pattern=v_proj=2 alpha-pattern=v_proj=6" --autodiff-differentiate --fuse-lower-linear --fuse-fold-adapters | FileCheck %s
// RUN: llama-opt %s --adapters-attach-lora="r=4 alpha=8 dropout=0.25 targets=q_proj,v_proj,gate_proj,down_proj rank-pattern=v_proj=2 alpha-pattern=v_proj=6" --autodiff-differentiate --fuse-lower-linear --fuse-fold-adapters | FileCheck %s --check-prefix=DROPOUT

// q, k and v are one product, k without an adapter (rank 0, scale 0), v with a rank
// and an alpha of its own: 8/4 and 6/2. Ranks 4 + 2 are padded to 8, so that
// F is [64 + 32 + 32 + 8, 64 + 8]. The embedding's table, which is the head, too,
// stays as it is. Queries and keys are rotated at once, and back. A's gradients are
// one product over the 6 rows there are; those of B take their own t, times s.
// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[IDS:[^:]+]]: {{[^%]*}}, %[[COS:[^:]+]]: {{[^%]*}}, %[[SIN:[^:]+]]: {{[^%]*}}, %[[SEQLENS:[^:]+]]: {{[^%]*}}, %[[LABELS:[^:]+]]: {{[^%]*}}, %[[SCALE:[^:]+]]: {{[^%]*}}
// CHECK-NEXT: llm.fold_factors
// CHECK-NEXT: %[[EMBED_TOKENS:.*]] = llm.weight "embed_tokens.weight" : tensor<3x64xf32>
// CHECK-NEXT: %[[EMBEDDING:.*]] = llm.embedding %[[IDS]], %[[EMBED_TOKENS]] : (tensor<8xi32>, tensor<3x64xf32>) -> tensor<8x64xf32>
// CHECK-NEXT: %[[BELOW:.*]] = llm.parameter "below" init <uniform, 5.000000e-01 : f64> : tensor<64x64xf32>
// CHECK-NEXT: %[[M:.*]] = llm.matmul %[[EMBEDDING]], %[[BELOW]] transpose_b : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
// CHECK-NEXT: %[[FOLDED_WEIGHT:.*]] = llm.folded_weight ["q_proj.weight", "k_proj.weight", "v_proj.weight"] rows [64, 32, 32] a ["q_proj.lora_A.weight", "", "v_proj.lora_A.weight"] b ["q_proj.lora_B.weight", "", "v_proj.lora_B.weight"] ranks [4, 0, 2] scales [2.000000e+00, 0.000000e+00, 3.000000e+00] pad 8 : tensor<136x72xf32>
// CHECK-NEXT: %[[P:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[128, 0] : tensor<136x72xf32> -> tensor<8x64xf32>
// CHECK-NEXT: %[[M1:.*]] = llm.matmul %[[M]], %[[P]] transpose_b : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x8xf32>
// CHECK-NEXT: %[[CONCAT:.*]] = llm.concat %[[M]], %[[M1]] : (tensor<8x64xf32>, tensor<8x8xf32>) -> tensor<8x72xf32>
// CHECK-NEXT: %[[P1:.*]] = llm.panel %[[M1]] at{{ ?}}[0, 0] : tensor<8x8xf32> -> tensor<8x4xf32>
// CHECK-NEXT: %[[P2:.*]] = llm.panel %[[M1]] at{{ ?}}[0, 4] : tensor<8x8xf32> -> tensor<8x2xf32>
// CHECK-NEXT: %[[P3:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[0, 0] : tensor<136x72xf32> -> tensor<128x72xf32>
// CHECK-NEXT: %[[M2:.*]] = llm.matmul %[[CONCAT]], %[[P3]] transpose_b : (tensor<8x72xf32>, tensor<128x72xf32>) -> tensor<8x128xf32>
// CHECK-NEXT: %[[P4:.*]] = llm.panel %[[M2]] at{{ ?}}[0, 96] : tensor<8x128xf32> -> tensor<8x32xf32>
// CHECK-NEXT: %[[Q_PROJ_LORA_A:.*]] = llm.parameter "q_proj.lora_A.weight" init <uniform, 1.250000e-01 : f64> : tensor<4x64xf32>
// CHECK-NEXT: %[[V_PROJ_LORA_A:.*]] = llm.parameter "v_proj.lora_A.weight" init <uniform, 1.250000e-01 : f64> : tensor<2x64xf32>
// CHECK-NEXT: %[[Q_PROJ_LORA_B:.*]] = llm.parameter "q_proj.lora_B.weight" init <zero, 0.000000e+00 : f64> : tensor<64x4xf32>
// CHECK-NEXT: %[[V_PROJ_LORA_B:.*]] = llm.parameter "v_proj.lora_B.weight" init <zero, 0.000000e+00 : f64> : tensor<32x2xf32>
// CHECK-NEXT: %[[P5:.*]] = llm.panel %[[M2]] at{{ ?}}[0, 0] : tensor<8x128xf32> -> tensor<8x96xf32>
// CHECK-NEXT: %[[ROPE:.*]] = llm.rope %[[P5]], %[[COS]], %[[SIN]] : tensor<8x96xf32>, tensor<8x8xf32>
// CHECK-NEXT: %[[P6:.*]] = llm.panel %[[ROPE]] at{{ ?}}[0, 0] : tensor<8x96xf32> -> tensor<8x64xf32>
// CHECK-NEXT: %[[P7:.*]] = llm.panel %[[ROPE]] at{{ ?}}[0, 64] : tensor<8x96xf32> -> tensor<8x32xf32>
// CHECK-NEXT: %[[O:.*]], %[[LSE:.*]] = llm.attention %[[P6]], %[[P7]], %[[P4]], %[[SEQLENS]] heads(4) kv_heads(2) scale 2.500000e-01 : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[M]], %[[O]] : tensor<8x64xf32>
// CHECK-NEXT: %[[M3:.*]] = llm.matmul %[[ADD]], %[[EMBED_TOKENS]] transpose_b : (tensor<8x64xf32>, tensor<3x64xf32>) -> tensor<8x3xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY:.*]] = llm.cross_entropy %[[M3]], %[[LABELS]], %[[SCALE]] : tensor<8x3xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<1xf32> : tensor<1xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY_GRAD:.*]] = llm.cross_entropy_grad %[[M3]], %[[LABELS]], %[[SCALE]], %[[CONSTANT]] : tensor<8x3xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>
// CHECK-NEXT: %[[M4:.*]] = llm.matmul %[[CROSS_ENTROPY_GRAD]], %[[EMBED_TOKENS]] : (tensor<8x3xf32>, tensor<3x64xf32>) -> tensor<8x64xf32>
// CHECK-NEXT: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = llm.attention_grad %[[P6]], %[[P7]], %[[P4]], %[[SEQLENS]], %[[O]], %[[LSE]], %[[M4]] heads(4) kv_heads(2) scale 2.500000e-01 : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>, tensor<8x64xf32>, tensor<8x4xf32>, tensor<8x64xf32>) -> (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>)
// CHECK-NEXT: %[[CONCAT1:.*]] = llm.concat %[[DQ]], %[[DK]] : (tensor<8x64xf32>, tensor<8x32xf32>) -> tensor<8x96xf32>
// CHECK-NEXT: %[[ROPE1:.*]] = llm.rope %[[CONCAT1]], %[[COS]], %[[SIN]] inverse : tensor<8x96xf32>, tensor<8x8xf32>
// CHECK-NEXT: %[[CONCAT2:.*]] = llm.concat %[[ROPE1]], %[[DV]] : (tensor<8x96xf32>, tensor<8x32xf32>) -> tensor<8x128xf32>
// CHECK-NEXT: %[[P8:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[0, 64] : tensor<136x72xf32> -> tensor<128x8xf32>
// CHECK-NEXT: %[[M5:.*]] = llm.matmul %[[CONCAT2]], %[[P8]] : (tensor<8x128xf32>, tensor<128x8xf32>) -> tensor<8x8xf32>
// CHECK-NEXT: %[[P9:.*]] = llm.panel %[[M5]] at{{ ?}}[0, 4] : tensor<8x8xf32> -> tensor<8x2xf32>
// CHECK-NEXT: %[[P10:.*]] = llm.panel %[[M5]] at{{ ?}}[0, 0] : tensor<8x8xf32> -> tensor<8x4xf32>
// CHECK-NEXT: %[[P11:.*]] = llm.panel %[[M5]] at{{ ?}}[0, 0] : tensor<8x8xf32> -> tensor<8x6xf32>
// CHECK-NEXT: %[[M6:.*]] = llm.matmul %[[P11]], %[[M]] transpose_a : (tensor<8x6xf32>, tensor<8x64xf32>) -> tensor<6x64xf32>
// CHECK-NEXT: %[[P12:.*]] = llm.panel %[[M6]] at{{ ?}}[4, 0] : tensor<6x64xf32> -> tensor<2x64xf32>
// CHECK-NEXT: %[[P13:.*]] = llm.panel %[[M6]] at{{ ?}}[0, 0] : tensor<6x64xf32> -> tensor<4x64xf32>
// CHECK-NEXT: %[[CONCAT3:.*]] = llm.concat %[[CONCAT2]], %[[M5]] : (tensor<8x128xf32>, tensor<8x8xf32>) -> tensor<8x136xf32>
// CHECK-NEXT: %[[P14:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[0, 0] : tensor<136x72xf32> -> tensor<136x64xf32>
// CHECK-NEXT: %[[M7:.*]] = llm.matmul %[[CONCAT3]], %[[P14]] : (tensor<8x136xf32>, tensor<136x64xf32>) -> tensor<8x64xf32>
// CHECK-NEXT: %[[P15:.*]] = llm.panel %[[ROPE1]] at{{ ?}}[0, 64] : tensor<8x96xf32> -> tensor<8x32xf32>
// CHECK-NEXT: %[[P16:.*]] = llm.panel %[[ROPE1]] at{{ ?}}[0, 0] : tensor<8x96xf32> -> tensor<8x64xf32>
// CHECK-NEXT: %[[M8:.*]] = llm.matmul %[[DV]], %[[P2]] transpose_a alpha 3.000000e+00 : (tensor<8x32xf32>, tensor<8x2xf32>) -> tensor<32x2xf32>
// CHECK-NEXT: llm.gradient "v_proj.lora_B.weight", %[[M8]] : tensor<32x2xf32>
// CHECK-NEXT: llm.gradient "v_proj.lora_A.weight", %[[P12]] : tensor<2x64xf32>
// CHECK-NEXT: %[[M9:.*]] = llm.matmul %[[P16]], %[[P1]] transpose_a alpha 2.000000e+00 : (tensor<8x64xf32>, tensor<8x4xf32>) -> tensor<64x4xf32>
// CHECK-NEXT: llm.gradient "q_proj.lora_B.weight", %[[M9]] : tensor<64x4xf32>
// CHECK-NEXT: llm.gradient "q_proj.lora_A.weight", %[[P13]] : tensor<4x64xf32>
// CHECK-NEXT: %[[ADD1:.*]] = llm.add %[[M7]], %[[M4]] : tensor<8x64xf32>
// CHECK-NEXT: %[[M10:.*]] = llm.matmul %[[ADD1]], %[[EMBEDDING]] transpose_a : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<64x64xf32>
// CHECK-NEXT: llm.gradient "below", %[[M10]] : tensor<64x64xf32>
// CHECK-NEXT: return %[[CROSS_ENTROPY]] : tensor<1xf32>

// The lowest layers of a model hand no gradient to their input: gate and up have
// no dx, but A's gradients are one product all the same. down has a group of its
// own.
// CHECK-LABEL: func.func @train_16(
// CHECK-SAME: %[[X:[^:]+]]: {{[^%]*}}, %[[LABELS:[^:]+]]: {{[^%]*}}, %[[SCALE:[^:]+]]: {{[^%]*}}
// CHECK-NEXT: llm.fold_factors
// CHECK-NEXT: %[[FOLDED_WEIGHT:.*]] = llm.folded_weight ["gate_proj.weight", "up_proj.weight"] rows [96, 96] a ["gate_proj.lora_A.weight", "up_proj.lora_A.weight"] b ["gate_proj.lora_B.weight", "up_proj.lora_B.weight"] ranks [4, 4] scales [2.000000e+00, 2.000000e+00] pad 8 : tensor<200x72xf32>
// CHECK-NEXT: %[[P:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[192, 0] : tensor<200x72xf32> -> tensor<8x64xf32>
// CHECK-NEXT: %[[M:.*]] = llm.matmul %[[X]], %[[P]] transpose_b : (tensor<16x64xf32>, tensor<8x64xf32>) -> tensor<16x8xf32>
// CHECK-NEXT: %[[CONCAT:.*]] = llm.concat %[[X]], %[[M]] : (tensor<16x64xf32>, tensor<16x8xf32>) -> tensor<16x72xf32>
// CHECK-NEXT: %[[P1:.*]] = llm.panel %[[M]] at{{ ?}}[0, 0] : tensor<16x8xf32> -> tensor<16x4xf32>
// CHECK-NEXT: %[[P2:.*]] = llm.panel %[[M]] at{{ ?}}[0, 4] : tensor<16x8xf32> -> tensor<16x4xf32>
// CHECK-NEXT: %[[P3:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[0, 0] : tensor<200x72xf32> -> tensor<192x72xf32>
// CHECK-NEXT: %[[M1:.*]] = llm.matmul %[[CONCAT]], %[[P3]] transpose_b : (tensor<16x72xf32>, tensor<192x72xf32>) -> tensor<16x192xf32>
// CHECK-NEXT: %[[P4:.*]] = llm.panel %[[M1]] at{{ ?}}[0, 0] : tensor<16x192xf32> -> tensor<16x96xf32>
// CHECK-NEXT: %[[P5:.*]] = llm.panel %[[M1]] at{{ ?}}[0, 96] : tensor<16x192xf32> -> tensor<16x96xf32>
// CHECK-NEXT: %[[GATE_PROJ_LORA_A:.*]] = llm.parameter "gate_proj.lora_A.weight" init <uniform, 1.250000e-01 : f64> : tensor<4x64xf32>
// CHECK-NEXT: %[[UP_PROJ_LORA_A:.*]] = llm.parameter "up_proj.lora_A.weight" init <uniform, 1.250000e-01 : f64> : tensor<4x64xf32>
// CHECK-NEXT: %[[GATE_PROJ_LORA_B:.*]] = llm.parameter "gate_proj.lora_B.weight" init <zero, 0.000000e+00 : f64> : tensor<96x4xf32>
// CHECK-NEXT: %[[UP_PROJ_LORA_B:.*]] = llm.parameter "up_proj.lora_B.weight" init <zero, 0.000000e+00 : f64> : tensor<96x4xf32>
// CHECK-NEXT: %[[SWIGLU:.*]] = llm.swiglu %[[P4]], %[[P5]] : tensor<16x96xf32>
// CHECK-NEXT: %[[FOLDED_WEIGHT1:.*]] = llm.folded_weight ["down_proj.weight"] rows [64] a ["down_proj.lora_A.weight"] b ["down_proj.lora_B.weight"] ranks [4] scales [2.000000e+00] pad 8 : tensor<72x104xf32>
// CHECK-NEXT: %[[P6:.*]] = llm.panel %[[FOLDED_WEIGHT1]] at{{ ?}}[64, 0] : tensor<72x104xf32> -> tensor<8x96xf32>
// CHECK-NEXT: %[[M2:.*]] = llm.matmul %[[SWIGLU]], %[[P6]] transpose_b : (tensor<16x96xf32>, tensor<8x96xf32>) -> tensor<16x8xf32>
// CHECK-NEXT: %[[CONCAT1:.*]] = llm.concat %[[SWIGLU]], %[[M2]] : (tensor<16x96xf32>, tensor<16x8xf32>) -> tensor<16x104xf32>
// CHECK-NEXT: %[[P7:.*]] = llm.panel %[[M2]] at{{ ?}}[0, 0] : tensor<16x8xf32> -> tensor<16x4xf32>
// CHECK-NEXT: %[[P8:.*]] = llm.panel %[[FOLDED_WEIGHT1]] at{{ ?}}[0, 0] : tensor<72x104xf32> -> tensor<64x104xf32>
// CHECK-NEXT: %[[M3:.*]] = llm.matmul %[[CONCAT1]], %[[P8]] transpose_b : (tensor<16x104xf32>, tensor<64x104xf32>) -> tensor<16x64xf32>
// CHECK-NEXT: %[[DOWN_PROJ_LORA_A:.*]] = llm.parameter "down_proj.lora_A.weight" init <uniform, 0.10206207261596577 : f64> : tensor<4x96xf32>
// CHECK-NEXT: %[[DOWN_PROJ_LORA_B:.*]] = llm.parameter "down_proj.lora_B.weight" init <zero, 0.000000e+00 : f64> : tensor<64x4xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY:.*]] = llm.cross_entropy %[[M3]], %[[LABELS]], %[[SCALE]] : tensor<16x64xf32>, tensor<16xi32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<1xf32> : tensor<1xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY_GRAD:.*]] = llm.cross_entropy_grad %[[M3]], %[[LABELS]], %[[SCALE]], %[[CONSTANT]] : tensor<16x64xf32>, tensor<16xi32>, tensor<1xf32>, tensor<1xf32>
// CHECK-NEXT: %[[P9:.*]] = llm.panel %[[FOLDED_WEIGHT1]] at{{ ?}}[0, 96] : tensor<72x104xf32> -> tensor<64x8xf32>
// CHECK-NEXT: %[[M4:.*]] = llm.matmul %[[CROSS_ENTROPY_GRAD]], %[[P9]] : (tensor<16x64xf32>, tensor<64x8xf32>) -> tensor<16x8xf32>
// CHECK-NEXT: %[[P10:.*]] = llm.panel %[[M4]] at{{ ?}}[0, 0] : tensor<16x8xf32> -> tensor<16x4xf32>
// CHECK-NEXT: %[[P11:.*]] = llm.panel %[[M4]] at{{ ?}}[0, 0] : tensor<16x8xf32> -> tensor<16x4xf32>
// CHECK-NEXT: %[[M5:.*]] = llm.matmul %[[P11]], %[[SWIGLU]] transpose_a : (tensor<16x4xf32>, tensor<16x96xf32>) -> tensor<4x96xf32>
// CHECK-NEXT: %[[CONCAT2:.*]] = llm.concat %[[CROSS_ENTROPY_GRAD]], %[[M4]] : (tensor<16x64xf32>, tensor<16x8xf32>) -> tensor<16x72xf32>
// CHECK-NEXT: %[[P12:.*]] = llm.panel %[[FOLDED_WEIGHT1]] at{{ ?}}[0, 0] : tensor<72x104xf32> -> tensor<72x96xf32>
// CHECK-NEXT: %[[M6:.*]] = llm.matmul %[[CONCAT2]], %[[P12]] : (tensor<16x72xf32>, tensor<72x96xf32>) -> tensor<16x96xf32>
// CHECK-NEXT: %[[M7:.*]] = llm.matmul %[[CROSS_ENTROPY_GRAD]], %[[P7]] transpose_a alpha 2.000000e+00 : (tensor<16x64xf32>, tensor<16x4xf32>) -> tensor<64x4xf32>
// CHECK-NEXT: llm.gradient "down_proj.lora_B.weight", %[[M7]] : tensor<64x4xf32>
// CHECK-NEXT: llm.gradient "down_proj.lora_A.weight", %[[M5]] : tensor<4x96xf32>
// CHECK-NEXT: %[[DGATE:.*]], %[[DUP:.*]] = llm.swiglu_grad %[[P4]], %[[P5]], %[[M6]] : tensor<16x96xf32>
// CHECK-NEXT: %[[CONCAT3:.*]] = llm.concat %[[DGATE]], %[[DUP]] : (tensor<16x96xf32>, tensor<16x96xf32>) -> tensor<16x192xf32>
// CHECK-NEXT: %[[P13:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[0, 64] : tensor<200x72xf32> -> tensor<192x8xf32>
// CHECK-NEXT: %[[M8:.*]] = llm.matmul %[[CONCAT3]], %[[P13]] : (tensor<16x192xf32>, tensor<192x8xf32>) -> tensor<16x8xf32>
// CHECK-NEXT: %[[M9:.*]] = llm.matmul %[[M8]], %[[X]] transpose_a : (tensor<16x8xf32>, tensor<16x64xf32>) -> tensor<8x64xf32>
// CHECK-NEXT: %[[P14:.*]] = llm.panel %[[M9]] at{{ ?}}[4, 0] : tensor<8x64xf32> -> tensor<4x64xf32>
// CHECK-NEXT: %[[P15:.*]] = llm.panel %[[M9]] at{{ ?}}[0, 0] : tensor<8x64xf32> -> tensor<4x64xf32>
// CHECK-NEXT: %[[M10:.*]] = llm.matmul %[[DUP]], %[[P2]] transpose_a alpha 2.000000e+00 : (tensor<16x96xf32>, tensor<16x4xf32>) -> tensor<96x4xf32>
// CHECK-NEXT: llm.gradient "up_proj.lora_B.weight", %[[M10]] : tensor<96x4xf32>
// CHECK-NEXT: llm.gradient "up_proj.lora_A.weight", %[[P14]] : tensor<4x64xf32>
// CHECK-NEXT: %[[M11:.*]] = llm.matmul %[[DGATE]], %[[P1]] transpose_a alpha 2.000000e+00 : (tensor<16x96xf32>, tensor<16x4xf32>) -> tensor<96x4xf32>
// CHECK-NEXT: llm.gradient "gate_proj.lora_B.weight", %[[M11]] : tensor<96x4xf32>
// CHECK-NEXT: llm.gradient "gate_proj.lora_A.weight", %[[P15]] : tensor<4x64xf32>
// CHECK-NEXT: return %[[CROSS_ENTROPY]] : tensor<1xf32>

// With dropout in front of the adapters each A has an input of its own: a product
// each, the last one with the rows of padding, so that all of [x, t] is written.
// DROPOUT-LABEL: func.func @train_8(
// DROPOUT-SAME: %[[IDS:[^:]+]]: {{[^%]*}}, %[[COS:[^:]+]]: {{[^%]*}}, %[[SIN:[^:]+]]: {{[^%]*}}, %[[SEQLENS:[^:]+]]: {{[^%]*}}, %[[LABELS:[^:]+]]: {{[^%]*}}, %[[SCALE:[^:]+]]: {{[^%]*}}, %[[RANDOM:[^:]+]]: {{[^%]*}}
// DROPOUT-NEXT: llm.fold_factors
// DROPOUT-NEXT: %[[EMBED_TOKENS:.*]] = llm.weight "embed_tokens.weight" : tensor<3x64xf32>
// DROPOUT-NEXT: %[[EMBEDDING:.*]] = llm.embedding %[[IDS]], %[[EMBED_TOKENS]] : (tensor<8xi32>, tensor<3x64xf32>) -> tensor<8x64xf32>
// DROPOUT-NEXT: %[[BELOW:.*]] = llm.parameter "below" init <uniform, 5.000000e-01 : f64> : tensor<64x64xf32>
// DROPOUT-NEXT: %[[M:.*]] = llm.matmul %[[EMBEDDING]], %[[BELOW]] transpose_b : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
// DROPOUT-NEXT: %[[DROPOUT:.*]] = llm.dropout %[[M]], %[[RANDOM]] key "q_proj" p 2.500000e-01 : tensor<8x64xf32>, tensor<2xi64>
// DROPOUT-NEXT: %[[DROPOUT1:.*]] = llm.dropout %[[M]], %[[RANDOM]] key "v_proj" p 2.500000e-01 : tensor<8x64xf32>, tensor<2xi64>
// DROPOUT-NEXT: %[[FOLDED_WEIGHT:.*]] = llm.folded_weight ["q_proj.weight", "k_proj.weight", "v_proj.weight"] rows [64, 32, 32] a ["q_proj.lora_A.weight", "", "v_proj.lora_A.weight"] b ["q_proj.lora_B.weight", "", "v_proj.lora_B.weight"] ranks [4, 0, 2] scales [2.000000e+00, 0.000000e+00, 3.000000e+00] pad 8 : tensor<136x72xf32>
// DROPOUT-NEXT: %[[P:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[128, 0] : tensor<136x72xf32> -> tensor<4x64xf32>
// DROPOUT-NEXT: %[[P1:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[132, 0] : tensor<136x72xf32> -> tensor<2x64xf32>
// DROPOUT-NEXT: %[[P2:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[128, 0] : tensor<136x72xf32> -> tensor<4x64xf32>
// DROPOUT-NEXT: %[[M1:.*]] = llm.matmul %[[DROPOUT]], %[[P2]] transpose_b : (tensor<8x64xf32>, tensor<4x64xf32>) -> tensor<8x4xf32>
// DROPOUT-NEXT: %[[P3:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[132, 0] : tensor<136x72xf32> -> tensor<4x64xf32>
// DROPOUT-NEXT: %[[M2:.*]] = llm.matmul %[[DROPOUT1]], %[[P3]] transpose_b : (tensor<8x64xf32>, tensor<4x64xf32>) -> tensor<8x4xf32>
// DROPOUT-NEXT: %[[P4:.*]] = llm.panel %[[M2]] at{{ ?}}[0, 0] : tensor<8x4xf32> -> tensor<8x2xf32>
// DROPOUT-NEXT: %[[CONCAT:.*]] = llm.concat %[[M1]], %[[M2]] : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x8xf32>
// DROPOUT-NEXT: %[[CONCAT1:.*]] = llm.concat %[[M]], %[[CONCAT]] : (tensor<8x64xf32>, tensor<8x8xf32>) -> tensor<8x72xf32>
// DROPOUT-NEXT: %[[P5:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[0, 0] : tensor<136x72xf32> -> tensor<128x72xf32>
// DROPOUT-NEXT: %[[M3:.*]] = llm.matmul %[[CONCAT1]], %[[P5]] transpose_b : (tensor<8x72xf32>, tensor<128x72xf32>) -> tensor<8x128xf32>
// DROPOUT-NEXT: %[[P6:.*]] = llm.panel %[[M3]] at{{ ?}}[0, 96] : tensor<8x128xf32> -> tensor<8x32xf32>
// DROPOUT-NEXT: %[[Q_PROJ_LORA_A:.*]] = llm.parameter "q_proj.lora_A.weight" init <uniform, 1.250000e-01 : f64> : tensor<4x64xf32>
// DROPOUT-NEXT: %[[V_PROJ_LORA_A:.*]] = llm.parameter "v_proj.lora_A.weight" init <uniform, 1.250000e-01 : f64> : tensor<2x64xf32>
// DROPOUT-NEXT: %[[Q_PROJ_LORA_B:.*]] = llm.parameter "q_proj.lora_B.weight" init <zero, 0.000000e+00 : f64> : tensor<64x4xf32>
// DROPOUT-NEXT: %[[V_PROJ_LORA_B:.*]] = llm.parameter "v_proj.lora_B.weight" init <zero, 0.000000e+00 : f64> : tensor<32x2xf32>
// DROPOUT-NEXT: %[[P7:.*]] = llm.panel %[[M3]] at{{ ?}}[0, 0] : tensor<8x128xf32> -> tensor<8x96xf32>
// DROPOUT-NEXT: %[[ROPE:.*]] = llm.rope %[[P7]], %[[COS]], %[[SIN]] : tensor<8x96xf32>, tensor<8x8xf32>
// DROPOUT-NEXT: %[[P8:.*]] = llm.panel %[[ROPE]] at{{ ?}}[0, 0] : tensor<8x96xf32> -> tensor<8x64xf32>
// DROPOUT-NEXT: %[[P9:.*]] = llm.panel %[[ROPE]] at{{ ?}}[0, 64] : tensor<8x96xf32> -> tensor<8x32xf32>
// DROPOUT-NEXT: %[[O:.*]], %[[LSE:.*]] = llm.attention %[[P8]], %[[P9]], %[[P6]], %[[SEQLENS]] heads(4) kv_heads(2) scale 2.500000e-01 : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
// DROPOUT-NEXT: %[[ADD:.*]] = llm.add %[[M]], %[[O]] : tensor<8x64xf32>
// DROPOUT-NEXT: %[[M4:.*]] = llm.matmul %[[ADD]], %[[EMBED_TOKENS]] transpose_b : (tensor<8x64xf32>, tensor<3x64xf32>) -> tensor<8x3xf32>
// DROPOUT-NEXT: %[[CROSS_ENTROPY:.*]] = llm.cross_entropy %[[M4]], %[[LABELS]], %[[SCALE]] : tensor<8x3xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
// DROPOUT-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<1xf32> : tensor<1xf32>
// DROPOUT-NEXT: %[[CROSS_ENTROPY_GRAD:.*]] = llm.cross_entropy_grad %[[M4]], %[[LABELS]], %[[SCALE]], %[[CONSTANT]] : tensor<8x3xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>
// DROPOUT-NEXT: %[[M5:.*]] = llm.matmul %[[CROSS_ENTROPY_GRAD]], %[[EMBED_TOKENS]] : (tensor<8x3xf32>, tensor<3x64xf32>) -> tensor<8x64xf32>
// Backward: dt is one product, and dx gets dy W alone; dt A goes through the mask of
// its own forward dropout and is added, like the gradient that passes by.
// DROPOUT-NEXT: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = llm.attention_grad %[[P8]], %[[P9]], %[[P6]], %[[SEQLENS]], %[[O]], %[[LSE]], %[[M5]] heads(4) kv_heads(2) scale 2.500000e-01 : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>, tensor<8x64xf32>, tensor<8x4xf32>, tensor<8x64xf32>) -> (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>)
// DROPOUT-NEXT: %[[CONCAT2:.*]] = llm.concat %[[DQ]], %[[DK]] : (tensor<8x64xf32>, tensor<8x32xf32>) -> tensor<8x96xf32>
// DROPOUT-NEXT: %[[ROPE1:.*]] = llm.rope %[[CONCAT2]], %[[COS]], %[[SIN]] inverse : tensor<8x96xf32>, tensor<8x8xf32>
// DROPOUT-NEXT: %[[CONCAT3:.*]] = llm.concat %[[ROPE1]], %[[DV]] : (tensor<8x96xf32>, tensor<8x32xf32>) -> tensor<8x128xf32>
// DROPOUT-NEXT: %[[P10:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[0, 64] : tensor<136x72xf32> -> tensor<128x8xf32>
// DROPOUT-NEXT: %[[M6:.*]] = llm.matmul %[[CONCAT3]], %[[P10]] : (tensor<8x128xf32>, tensor<128x8xf32>) -> tensor<8x8xf32>
// DROPOUT-NEXT: %[[P11:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[0, 0] : tensor<136x72xf32> -> tensor<128x64xf32>
// DROPOUT-NEXT: %[[M7:.*]] = llm.matmul %[[CONCAT3]], %[[P11]] : (tensor<8x128xf32>, tensor<128x64xf32>) -> tensor<8x64xf32>
// DROPOUT-NEXT: %[[P12:.*]] = llm.panel %[[M6]] at{{ ?}}[0, 4] : tensor<8x8xf32> -> tensor<8x2xf32>
// DROPOUT-NEXT: %[[P13:.*]] = llm.panel %[[M6]] at{{ ?}}[0, 0] : tensor<8x8xf32> -> tensor<8x4xf32>
// DROPOUT-NEXT: %[[P14:.*]] = llm.panel %[[ROPE1]] at{{ ?}}[0, 64] : tensor<8x96xf32> -> tensor<8x32xf32>
// DROPOUT-NEXT: %[[P15:.*]] = llm.panel %[[ROPE1]] at{{ ?}}[0, 0] : tensor<8x96xf32> -> tensor<8x64xf32>
// DROPOUT-NEXT: %[[M8:.*]] = llm.matmul %[[DV]], %[[P4]] transpose_a alpha 3.000000e+00 : (tensor<8x32xf32>, tensor<8x2xf32>) -> tensor<32x2xf32>
// DROPOUT-NEXT: llm.gradient "v_proj.lora_B.weight", %[[M8]] : tensor<32x2xf32>
// DROPOUT-NEXT: %[[M9:.*]] = llm.matmul %[[P12]], %[[P1]] : (tensor<8x2xf32>, tensor<2x64xf32>) -> tensor<8x64xf32>
// DROPOUT-NEXT: %[[M10:.*]] = llm.matmul %[[P12]], %[[DROPOUT1]] transpose_a : (tensor<8x2xf32>, tensor<8x64xf32>) -> tensor<2x64xf32>
// DROPOUT-NEXT: llm.gradient "v_proj.lora_A.weight", %[[M10]] : tensor<2x64xf32>
// DROPOUT-NEXT: %[[DROPOUT2:.*]] = llm.dropout %[[M9]], %[[RANDOM]] key "v_proj" p 2.500000e-01 : tensor<8x64xf32>, tensor<2xi64>
// DROPOUT-NEXT: %[[M11:.*]] = llm.matmul %[[P15]], %[[M1]] transpose_a alpha 2.000000e+00 : (tensor<8x64xf32>, tensor<8x4xf32>) -> tensor<64x4xf32>
// DROPOUT-NEXT: llm.gradient "q_proj.lora_B.weight", %[[M11]] : tensor<64x4xf32>
// DROPOUT-NEXT: %[[M12:.*]] = llm.matmul %[[P13]], %[[P]] : (tensor<8x4xf32>, tensor<4x64xf32>) -> tensor<8x64xf32>
// DROPOUT-NEXT: %[[M13:.*]] = llm.matmul %[[P13]], %[[DROPOUT]] transpose_a : (tensor<8x4xf32>, tensor<8x64xf32>) -> tensor<4x64xf32>
// DROPOUT-NEXT: llm.gradient "q_proj.lora_A.weight", %[[M13]] : tensor<4x64xf32>
// DROPOUT-NEXT: %[[DROPOUT3:.*]] = llm.dropout %[[M12]], %[[RANDOM]] key "q_proj" p 2.500000e-01 : tensor<8x64xf32>, tensor<2xi64>
// DROPOUT-NEXT: %[[ADD1:.*]] = llm.add %[[M7]], %[[M5]] : tensor<8x64xf32>
// DROPOUT-NEXT: %[[ADD2:.*]] = llm.add %[[ADD1]], %[[DROPOUT2]] : tensor<8x64xf32>
// DROPOUT-NEXT: %[[ADD3:.*]] = llm.add %[[ADD2]], %[[DROPOUT3]] : tensor<8x64xf32>
// DROPOUT-NEXT: %[[M14:.*]] = llm.matmul %[[ADD3]], %[[EMBEDDING]] transpose_a : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<64x64xf32>
// DROPOUT-NEXT: llm.gradient "below", %[[M14]] : tensor<64x64xf32>
// DROPOUT-NEXT: return %[[CROSS_ENTROPY]] : tensor<1xf32>

// up has no adapter here and hands no gradient to x: its gradient is not asked for,
// and gate's factors are read in the folded weight, B without its scale again.
// DROPOUT-LABEL: func.func @train_16(
// DROPOUT-SAME: %[[X:[^:]+]]: {{[^%]*}}, %[[LABELS:[^:]+]]: {{[^%]*}}, %[[SCALE:[^:]+]]: {{[^%]*}}, %[[RANDOM:[^:]+]]: {{[^%]*}}
// DROPOUT: %[[DROPOUT:.*]] = llm.dropout %[[X]], %[[RANDOM]] key "gate_proj" p 2.500000e-01 : tensor<16x64xf32>, tensor<2xi64>
// DROPOUT: %[[FOLDED_WEIGHT:.*]] = llm.folded_weight ["gate_proj.weight", "up_proj.weight"] rows [96, 96] a ["gate_proj.lora_A.weight", ""] b ["gate_proj.lora_B.weight", ""] ranks [4, 0] scales [2.000000e+00, 0.000000e+00] pad 8 : tensor<200x72xf32>
// DROPOUT: %[[P:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[0, 64] : tensor<200x72xf32> -> tensor<96x4xf32>
// DROPOUT: %[[P1:.*]] = llm.panel %[[FOLDED_WEIGHT]] at{{ ?}}[192, 0] : tensor<200x72xf32> -> tensor<8x64xf32>
// DROPOUT: %[[M:.*]] = llm.matmul %[[DROPOUT]], %[[P1]] transpose_b : (tensor<16x64xf32>, tensor<8x64xf32>) -> tensor<16x8xf32>
// DROPOUT: %[[P2:.*]] = llm.panel %[[M]] at{{ ?}}[0, 0] : tensor<16x8xf32> -> tensor<16x4xf32>
// DROPOUT: %[[FOLDED_WEIGHT1:.*]] = llm.folded_weight ["down_proj.weight"] rows [64] a ["down_proj.lora_A.weight"] b ["down_proj.lora_B.weight"] ranks [4] scales [2.000000e+00] pad 8 : tensor<72x104xf32>
// DROPOUT: %[[DGATE:.*]], %{{.*}} = llm.swiglu_grad
// DROPOUT-NEXT: %[[M9:.*]] = llm.matmul %[[DGATE]], %[[P]] : (tensor<16x96xf32>, tensor<96x4xf32>) -> tensor<16x4xf32>
// DROPOUT-NEXT: %[[M10:.*]] = llm.matmul %[[DGATE]], %[[P2]] transpose_a alpha 2.000000e+00 : (tensor<16x96xf32>, tensor<16x4xf32>) -> tensor<96x4xf32>
// DROPOUT-NEXT: llm.gradient "gate_proj.lora_B.weight", %[[M10]] : tensor<96x4xf32>
// DROPOUT-NEXT: %[[M11:.*]] = llm.matmul %[[M9]], %[[DROPOUT]] transpose_a : (tensor<16x4xf32>, tensor<16x64xf32>) -> tensor<4x64xf32>
// DROPOUT-NEXT: llm.gradient "gate_proj.lora_A.weight", %[[M11]] : tensor<4x64xf32>
// DROPOUT-NEXT: return

func.func @train_8(%ids: tensor<8xi32> {llm.input = "input_ids"}, %cos: tensor<8x8xf32> {llm.input = "cos"},
    %sin: tensor<8x8xf32> {llm.input = "sin"}, %cu: tensor<3xi32> {llm.input = "cu_seqlens"},
    %labels: tensor<8xi32> {llm.input = "labels"}, %scale: tensor<1xf32> {llm.input = "loss_scale"}) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  // The table is the head, too: it is read by something that is no product.
  %table = llm.weight "embed_tokens.weight" : tensor<3x64xf32>
  %e = llm.embedding %ids, %table : (tensor<8xi32>, tensor<3x64xf32>) -> tensor<8x64xf32>
  // Trains: the layers above hand a gradient down.
  %below = llm.parameter "below" init <uniform, 0.5> : tensor<64x64xf32>
  %x = llm.linear %e, %below : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %qw = llm.weight "q_proj.weight" : tensor<64x64xf32>
  %q = llm.linear %x, %qw : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %kw = llm.weight "k_proj.weight" : tensor<32x64xf32>
  %k = llm.linear %x, %kw : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %vw = llm.weight "v_proj.weight" : tensor<32x64xf32>
  %v = llm.linear %x, %vw : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %qr = llm.rope %q, %cos, %sin : tensor<8x64xf32>, tensor<8x8xf32>
  %kr = llm.rope %k, %cos, %sin : tensor<8x32xf32>, tensor<8x8xf32>
  %o, %lse = llm.attention %qr, %kr, %v, %cu heads(4) kv_heads(2) scale 2.5e-01
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  %r = llm.add %x, %o : tensor<8x64xf32>
  %z = llm.linear %r, %table : (tensor<8x64xf32>, tensor<3x64xf32>) -> tensor<8x3xf32>
  %loss = llm.cross_entropy %z, %labels, %scale : tensor<8x3xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

func.func @train_16(%x: tensor<16x64xf32> {llm.input = "x"}, %labels: tensor<16xi32> {llm.input = "labels"},
    %scale: tensor<1xf32> {llm.input = "loss_scale"}) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 16, sequences = 2>} {
  %gw = llm.weight "gate_proj.weight" : tensor<96x64xf32>
  %g = llm.linear %x, %gw : (tensor<16x64xf32>, tensor<96x64xf32>) -> tensor<16x96xf32>
  %uw = llm.weight "up_proj.weight" : tensor<96x64xf32>
  %u = llm.linear %x, %uw : (tensor<16x64xf32>, tensor<96x64xf32>) -> tensor<16x96xf32>
  %s = llm.swiglu %g, %u : tensor<16x96xf32>
  %dw = llm.weight "down_proj.weight" : tensor<64x96xf32>
  %d = llm.linear %s, %dw : (tensor<16x96xf32>, tensor<64x96xf32>) -> tensor<16x64xf32>
  %loss = llm.cross_entropy %d, %labels, %scale : tensor<16x64xf32>, tensor<16xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
