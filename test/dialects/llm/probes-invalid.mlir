// Everything that the ops of probes refuse.
// RUN: llama-opt %s -split-input-file -verify-diagnostics

func.func @f(%x: tensor<8x64xf32>) {
  // expected-error @+1 {{'llm.probe' op of 'tensor<8x64xf32>' has the result 'tensor<8x4xf32>', not 'tensor<8x5xf32>'}}
  %s = llm.probe %x threshold 0.0 : tensor<8x64xf32> -> tensor<8x5xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>) {
  // expected-error @+1 {{'llm.probe' op threshold must not be negative}}
  %s = llm.probe %x threshold -1.0 : tensor<8x64xf32> -> tensor<8x4xf32>
  return
}

// -----

func.func @f(%g: tensor<15x4xf32>) {
  // expected-error @+1 {{'llm.join_probe' op makes [T, 4] of [P * T, 4], not 'tensor<8x4xf32>' of 'tensor<15x4xf32>'}}
  %s = llm.join_probe %g columns 32 : tensor<15x4xf32> -> tensor<8x4xf32>
  return
}

// -----

func.func @f(%g: tensor<16x4xf32>) {
  // expected-error @+1 {{'llm.join_probe' op columns must be positive}}
  %s = llm.join_probe %g columns 0 : tensor<16x4xf32> -> tensor<8x4xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{'llm.probe_weight' op has a gradient of 'tensor<4x8xf32>' for a weight of 'tensor<8x4xf32>'}}
  %s = llm.probe_weight %g, %w : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<3xf32>
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>) {
  // expected-error @+1 {{'llm.probe_weight' op gives tensor<3xf32>, not 'tensor<2xf32>'}}
  %s = llm.probe_weight %g, %g : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<2xf32>
  return
}

// -----

func.func @f(%y: tensor<8x32xf32>, %w: tensor<32x64xf32>) {
  // expected-error @+1 {{'llm.watch' op y is 'tensor<8x32xf32>', which no weight of 'tensor<32x64xf32>' makes of 'tensor<8x32xf32>'}}
  %z = llm.watch "q_proj" %y of %y, %w : tensor<8x32xf32>, tensor<8x32xf32>, tensor<32x64xf32>
  return
}

// -----

func.func @f(%y: tensor<8x32xf32>, %w: tensor<32x32xf32>) {
  // expected-error @+1 {{'llm.watch' op names no module}}
  %z = llm.watch "" %y of %y, %w : tensor<8x32xf32>, tensor<8x32xf32>, tensor<32x32xf32>
  return
}
