// Every refusal of AdaLoRA's ops.
// RUN: llama-opt %s -split-input-file -verify-diagnostics

func.func @f(%a: tensor<4x64xf32>, %e: tensor<3x1xf32>) {
  // expected-error @+1 {{'llm.scale_rows' op scales the rows of 'tensor<4x64xf32>' by 'tensor<3x1xf32>': one number for each is needed}}
  %ea = llm.scale_rows %a, %e : tensor<4x64xf32>, tensor<3x1xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.orthogonality' op needs a module}}
  %penalty = llm.orthogonality [] weight 0.5 : tensor<1xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.triplet_gradients' op weight must be a number that is not negative}}
  %penalty = llm.triplet_gradients ["p"] weight -0.5 : tensor<1xf32>
  return
}

// -----

func.func @f(%allocation: tensor<3xi64>) {
  // expected-error @+1 {{'llm.allocate_ranks' op allocation is {mode, k}, not 'tensor<3xi64>'}}
  %mask = llm.allocate_ranks ["p"] beta1 0.85 beta2 0.9 %allocation : tensor<3xi64> -> tensor<1x4xf32>
  return
}

// -----

func.func @f(%allocation: tensor<2xi64>) {
  // expected-error @+1 {{'llm.allocate_ranks' op beta must be in (0, 1)}}
  %mask = llm.allocate_ranks ["p"] beta1 1.0 beta2 0.9 %allocation : tensor<2xi64> -> tensor<1x4xf32>
  return
}

// -----

func.func @f(%allocation: tensor<2xi64>) {
  // expected-error @+1 {{'llm.allocate_ranks' op has a row of what is kept for each module, not 'tensor<2x4xf32>'}}
  %mask = llm.allocate_ranks ["p"] beta1 0.5 beta2 0.9 %allocation : tensor<2xi64> -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%p: tensor<2x1024xf32>, %t: tensor<1x10xi64>) {
  // expected-error @+1 {{'llm.triplet_grams' op rows have r*r + r elements, not those of 'tensor<2x21xf32>'}}
  %grams = llm.triplet_grams %p, %t : (tensor<2x1024xf32>, tensor<1x10xi64>) -> tensor<2x21xf32>
  return
}

// -----

func.func @f(%p: tensor<2x1024xf32>, %t: tensor<1x9xi64>) {
  // expected-error @+1 {{'llm.triplet_grams' op the table has 10 columns, not 'tensor<1x9xi64>'}}
  %grams = llm.triplet_grams %p, %t : (tensor<2x1024xf32>, tensor<1x9xi64>) -> tensor<2x20xf32>
  return
}

// -----

func.func @f(%s: tensor<2x1024xf32>, %a: tensor<2xi64>, %t: tensor<2x10xi64>) {
  // expected-error @+1 {{'llm.triplet_scores' op needs 3 rows for each of the table's, not 'tensor<3x4xf32>'}}
  %scores = llm.triplet_scores %s, %s, %a, %t : (tensor<2x1024xf32>, tensor<2x1024xf32>, tensor<2xi64>, tensor<2x10xi64>) -> tensor<3x4xf32>
  return
}

// -----

func.func @f(%p: tensor<2x1024xf32>, %g: tensor<2x20xf32>, %n: tensor<3xf32>, %t: tensor<1x10xi64>) {
  // expected-error @+1 {{'llm.triplet_finish' op needs a norm for each matrix}}
  %new = llm.triplet_finish %p, %p, %g, %n, %t factor 0.25 : (tensor<2x1024xf32>, tensor<2x1024xf32>, tensor<2x20xf32>, tensor<3xf32>, tensor<1x10xi64>) -> tensor<2x1024xf32>
  return
}

// -----

func.func @f(%p: tensor<2x1024xf32>, %k: tensor<1x4xf32>, %s: tensor<1x3xf32>, %a: tensor<2xi64>, %t: tensor<1x10xi64>) {
  // expected-error @+1 {{'llm.triplet_mask' op results take the place of params and kept, and scores are one for each kept}}
  %q, %l = llm.triplet_mask %p, %k, %s, %a, %t : (tensor<2x1024xf32>, tensor<1x4xf32>, tensor<1x3xf32>, tensor<2xi64>, tensor<1x10xi64>) -> (tensor<2x1024xf32>, tensor<1x4xf32>)
  return
}
