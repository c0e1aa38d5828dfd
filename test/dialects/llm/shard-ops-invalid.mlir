// RUN: llama-opt %s -split-input-file -verify-diagnostics

func.func @axis(%ids: tensor<8xi32>, %place: tensor<2xi32>) {
  // expected-error @+1 {{axis 2 is outside of 'tensor<2xi32>'}}
  %l = llm.local_ids %ids, %place axis 2 size 64 : tensor<8xi32>, tensor<2xi32>
  return
}

// -----

func.func @size(%ids: tensor<8xi32>, %place: tensor<2xi32>) {
  // expected-error @+1 {{size is 0, must be positive}}
  %l = llm.local_ids %ids, %place axis 1 size 0 : tensor<8xi32>, tensor<2xi32>
  return
}

// -----

func.func @place(%ids: tensor<8xi32>, %place: tensor<2xi64>) {
  // expected-error @+1 {{place is 'tensor<2xi64>', must be i32}}
  %l = llm.local_ids %ids, %place axis 1 size 64 : tensor<8xi32>, tensor<2xi64>
  return
}

// -----

func.func @stats(%z: tensor<8x64xf32>, %l: tensor<4xi32>) {
  // expected-error @+1 {{has one label a row}}
  %s = llm.softmax_stats %z, %l : tensor<8x64xf32>, tensor<4xi32> -> tensor<8x3xf32>
  return
}

// -----

func.func @join(%g: tensor<15x3xf32>) {
  // expected-error @+1 {{makes [T, 2] of [P * T, 3]}}
  %s = llm.join_softmax_stats %g : tensor<15x3xf32> -> tensor<8x2xf32>
  return
}

// -----

func.func @columns(%x: tensor<8x64xf32>) {
  // expected-error @+1 {{makes [R, P * W] of [P * R, W]}}
  %y = llm.join_columns %x : tensor<8x64xf32> -> tensor<4x64xf32>
  return
}

// -----

func.func @dropout(%x: tensor<8x64xf32>, %random: tensor<2xi64>, %place: tensor<2xi32>) {
  // expected-error @+1 {{is no part: axis 5}}
  %y = llm.dropout %x, %random key "k" p 1.0e-01 part %place axis 5 of 2 : tensor<8x64xf32>, tensor<2xi64>, tensor<2xi32>
  return
}

// -----

func.func @dropout_rows(%x: tensor<8x64xf32>, %random: tensor<2xi64>, %place: tensor<2xi32>) {
  // expected-error @+1 {{is no part: axis 1 of 'tensor<2xi32>'}}
  %y = llm.dropout %x, %random key "k" p 1.0e-01 part %place axis 1 of 1 rows : tensor<8x64xf32>, tensor<2xi64>, tensor<2xi32>
  return
}

// -----

func.func @first_of(%place: tensor<2xi32>) {
  // expected-error @+1 {{axis 2 is not in 'tensor<2xi32>'}}
  %f = llm.first_row %place axis 2 rows 4 : tensor<2xi32> -> tensor<1xi64>
  return
}

// -----

func.func @first_rows(%place: tensor<2xi32>) {
  // expected-error @+1 {{gives one i64, of parts of at least one row, not 'tensor<1xi64>' of 0}}
  %f = llm.first_row %place axis 1 rows 0 : tensor<2xi32> -> tensor<1xi64>
  return
}

// -----

func.func @uneven(%x: tensor<8x64xf32>, %first: tensor<1xi64>) {
  // expected-error @+1 {{takes an equal part of the rows of 'tensor<8x64xf32>', not 'tensor<3x64xf32>'}}
  %y = llm.local_rows %x, %first : (tensor<8x64xf32>, tensor<1xi64>) -> tensor<3x64xf32>
  return
}

// -----

func.func @first_type(%x: tensor<8xi32>, %first: tensor<1xi32>) {
  // expected-error @+1 {{first is 'tensor<1xi32>', must be tensor<1xi64>}}
  %y = llm.local_rows %x, %first : (tensor<8xi32>, tensor<1xi32>) -> tensor<4xi32>
  return
}
