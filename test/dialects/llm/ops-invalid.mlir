// What the verifiers of the model's ops refuse, and how they say it.
// RUN: llama-opt %s -split-input-file -verify-diagnostics

func.func @f() {
  // expected-error @+1 {{'llm.weight' op has an empty name}}
  %w = llm.weight "" : tensor<4x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.weight' op "w" is 'tensor<?x4xf32>', must have static sizes of at least 1}}
  %w = llm.weight "w" : tensor<?x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.weight' op "w" is 'tensor<0x4xf32>', must have static sizes of at least 1}}
  %w = llm.weight "w" : tensor<0x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.weight' op "w" is 'tensor<4294967296x4294967296xf32>', more than 2199023255552 elements}}
  %w = llm.weight "w" : tensor<4294967296x4294967296xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.weight' op "w" is of 'i32', must be of f32 or bf16}}
  %w = llm.weight "w" : tensor<4x4xi32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.parameter' op "a" is 'tensor<?x4xf32>', must have static sizes}}
  %w = llm.parameter "a" init <zero, 0.0> : tensor<?x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.parameter' op "a" starts from a value that is not finite}}
  %w = llm.parameter "a" init <value, 0x7FF0000000000000 : f64> : tensor<4x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.constant' op value is 'tensor<2xi32>' but the result is 'tensor<3xi32>'}}
  %c = llm.constant dense<1> : tensor<2xi32> : tensor<3xi32>
  return
}

// -----

func.func @f(%ids: tensor<8xi32>, %t: tensor<128x64xf32>) {
  // expected-error @+1 {{'llm.embedding' op table has 64 columns but the result has 32}}
  %h = llm.embedding %ids, %t : (tensor<8xi32>, tensor<128x64xf32>) -> tensor<8x32xf32>
  return
}

// -----

func.func @f(%ids: tensor<8xi32>, %t: tensor<128x64xf32>) {
  // expected-error @+1 {{'llm.embedding' op ids has 8 rows but result has 4}}
  %h = llm.embedding %ids, %t : (tensor<8xi32>, tensor<128x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

func.func @f(%ids: tensor<8xi32>, %t: tensor<128x?xf32>) {
  // expected-error @+1 {{'llm.embedding' op table is 'tensor<128x?xf32>': only the token dimension may be dynamic}}
  %h = llm.embedding %ids, %t : (tensor<8xi32>, tensor<128x?xf32>) -> tensor<8x64xf32>
  return
}

// -----

func.func @f(%pos: tensor<8xi32>) {
  // expected-error @+1 {{'llm.rope_table' op theta must be positive}}
  %c, %s = llm.rope_table %pos theta -1.0 max_positions 128 : tensor<8xi32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%pos: tensor<8xi32>) {
  // expected-error @+1 {{'llm.rope_table' op max_positions is 0, must be 1 to 2147483647}}
  %c, %s = llm.rope_table %pos theta 1.0e+04 max_positions 0 : tensor<8xi32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%pos: tensor<8xi32>) {
  // expected-error @+1 {{'llm.rope_table' op max_positions is 2147483648, must be 1 to 2147483647}}
  %c, %s = llm.rope_table %pos theta 1.0e+04 max_positions 2147483648 : tensor<8xi32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%pos: tensor<8xi32>) {
  // expected-error @+1 {{'llm.rope_table' op tables are of 'bf16', must be of f32}}
  %c, %s = llm.rope_table %pos theta 1.0e+04 max_positions 128 : tensor<8xi32> -> tensor<8x8xbf16>
  return
}

// -----

func.func @f(%pos: tensor<8xi32>) {
  // expected-error @+1 {{'llm.rope_table' op positions has 8 rows but cos has 4}}
  %c, %s = llm.rope_table %pos theta 1.0e+04 max_positions 128 : tensor<8xi32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%pos: tensor<8xi32>) {
  // expected-error @+1 {{'llm.rope_table' op scaling factor must be positive}}
  %c, %s = llm.rope_table %pos theta 1.0e+04 max_positions 128
      scaling <factor = 0.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_positions = 64> : tensor<8xi32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%pos: tensor<8xi32>) {
  // expected-error @+1 {{'llm.rope_table' op scaling low_freq_factor must be positive}}
  %c, %s = llm.rope_table %pos theta 1.0e+04 max_positions 128
      scaling <factor = 8.0, low_freq_factor = 0.0, high_freq_factor = 4.0, original_max_positions = 64> : tensor<8xi32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%pos: tensor<8xi32>) {
  // expected-error @+1 {{'llm.rope_table' op scaling high_freq_factor must be positive}}
  %c, %s = llm.rope_table %pos theta 1.0e+04 max_positions 128
      scaling <factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 0x7FF8000000000000 : f64, original_max_positions = 64> : tensor<8xi32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%pos: tensor<8xi32>) {
  // expected-error @+1 {{'llm.rope_table' op scaling low_freq_factor 4.000000e+00 must be less than high_freq_factor 1.000000e+00}}
  %c, %s = llm.rope_table %pos theta 1.0e+04 max_positions 128
      scaling <factor = 8.0, low_freq_factor = 4.0, high_freq_factor = 1.0, original_max_positions = 64> : tensor<8xi32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%pos: tensor<8xi32>) {
  // expected-error @+1 {{'llm.rope_table' op scaling original_max_positions is 0, must be positive}}
  %c, %s = llm.rope_table %pos theta 1.0e+04 max_positions 128
      scaling <factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_positions = 0> : tensor<8xi32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %w: tensor<32xf32>) {
  // expected-error @+1 {{'llm.rms_norm' op x has 64 columns but weight has 32 elements}}
  %n = llm.rms_norm %x, %w eps 1.0e-05 : tensor<8x64xf32>, tensor<32xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %w: tensor<64xf32>) {
  // expected-error @+1 {{'llm.rms_norm' op eps must be positive}}
  %n = llm.rms_norm %x, %w eps 0.0 : tensor<8x64xf32>, tensor<64xf32>
  return
}

// -----

func.func @f(%x: tensor<?x?xf32>, %w: tensor<64xf32>) {
  // expected-error @+1 {{'llm.rms_norm' op x is 'tensor<?x?xf32>': only the token dimension may be dynamic}}
  %n = llm.rms_norm %x, %w eps 1.0e-05 : tensor<?x?xf32>, tensor<64xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %w: tensor<16x32xf32>) {
  // expected-error @+1 {{'llm.linear' op x has 64 columns but weight takes 32}}
  %y = llm.linear %x, %w : (tensor<8x64xf32>, tensor<16x32xf32>) -> tensor<8x16xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %w: tensor<16x64xf32>) {
  // expected-error @+1 {{'llm.linear' op weight gives 16 columns but the result has 32}}
  %y = llm.linear %x, %w : (tensor<8x64xf32>, tensor<16x64xf32>) -> tensor<8x32xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %w: tensor<16x64xf32>) {
  // expected-error @+1 {{'llm.linear' op x has 8 rows but result has 4}}
  %y = llm.linear %x, %w : (tensor<8x64xf32>, tensor<16x64xf32>) -> tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %w: tensor<16x64xbf16>) {
  // expected-error @+1 {{'llm.linear' op x is of 'f32' but weight of 'bf16'}}
  %y = llm.linear %x, %w : (tensor<8x64xf32>, tensor<16x64xbf16>) -> tensor<8x16xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %w: tensor<16x64xf32>) {
  // expected-error @+1 {{'llm.linear' op multiplies 'f32' but its result is of 'bf16'}}
  %y = llm.linear %x, %w : (tensor<8x64xf32>, tensor<16x64xf32>) -> tensor<8x16xbf16>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %w: tensor<?x64xf32>) {
  // expected-error @+1 {{'llm.linear' op weight is 'tensor<?x64xf32>': its sizes must be static}}
  %y = llm.linear %x, %w : (tensor<8x64xf32>, tensor<?x64xf32>) -> tensor<8x16xf32>
  return
}

// -----

func.func @f(%x: tensor<8x60xf32>, %c: tensor<8x8xf32>) {
  // expected-error @+1 {{'llm.rope' op x has 60 columns, not a multiple of twice the 8 angles of a head}}
  %r = llm.rope %x, %c, %c : tensor<8x60xf32>, tensor<8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %c: tensor<4x8xf32>) {
  // expected-error @+1 {{'llm.rope' op x has 8 rows but cos has 4}}
  %r = llm.rope %x, %c, %c : tensor<8x64xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<8x32xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op 4 heads do not share 3 kv_heads evenly}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(3) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<8x32xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op 4 heads do not share 0 kv_heads evenly}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(0) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  return
}

// -----

func.func @f(%q: tensor<8x66xf32>, %k: tensor<8x32xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op q has 66 columns, not a multiple of 4 heads}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 0.25
      : (tensor<8x66xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x66xf32>, tensor<8x4xf32>)
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<8x16xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op k has 16 columns but 2 kv_heads of 16 have 32}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x16xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<8x32xf32>, %v: tensor<8x16xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op v has 16 columns but 2 kv_heads of 16 have 32}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x16xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<8x32xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op lse is 'tensor<8x2xf32>', must have 4 columns of f32}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x2xf32>)
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<8x32xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op lse is 'tensor<8x4xbf16>', must have 4 columns of f32}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xbf16>)
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<8x32xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op q is 'tensor<8x64xf32>' but the result is 'tensor<8x32xf32>'}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x32xf32>, tensor<8x4xf32>)
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<4x32xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op q has 8 rows but k has 4}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<4x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<8x32xbf16>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op q is of 'f32' but k of 'bf16'}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xbf16>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<8x32xf32>, %v: tensor<8x32xf32>, %cu: tensor<3xi32>) {
  // expected-error @+1 {{'llm.attention' op scale must be positive}}
  %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 0.0
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %i: tensor<2xi32>, %v: tensor<8xi32>) {
  // expected-error @+1 {{'llm.gather_rows' op x has 64 columns but the result has 32}}
  %p = llm.gather_rows %x, %i, %v : (tensor<8x64xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x32xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %i: tensor<2xi32>, %v: tensor<8xi32>) {
  // expected-error @+1 {{'llm.gather_rows' op index has 2 rows but result has 3}}
  %p = llm.gather_rows %x, %i, %v : (tensor<8x64xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<3x64xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %i: tensor<2xi32>, %v: tensor<6xi32>) {
  // expected-error @+1 {{'llm.gather_rows' op x has 8 rows but inverse has 6}}
  %p = llm.gather_rows %x, %i, %v : (tensor<8x64xf32>, tensor<2xi32>, tensor<6xi32>) -> tensor<2x64xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %i: tensor<2xi32>, %v: tensor<8xi32>) {
  // expected-error @+1 {{'llm.gather_rows' op x is of 'f32' but result of 'bf16'}}
  %p = llm.gather_rows %x, %i, %v : (tensor<8x64xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x64xbf16>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %r: tensor<3xi64>) {
  // expected-error @+1 {{'llm.dropout' op random is 'tensor<3xi64>', must be tensor<2xi64>: seed, micro-batch}}
  %d = llm.dropout %x, %r key "k" p 0.1 : tensor<8x64xf32>, tensor<3xi64>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %r: tensor<2xi64>) {
  // expected-error @+1 {{'llm.dropout' op p is 1.000000e+00, must be at least 0 and less than 1}}
  %d = llm.dropout %x, %r key "k" p 1.0 : tensor<8x64xf32>, tensor<2xi64>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %r: tensor<2xi64>) {
  // expected-error @+1 {{'llm.dropout' op p is -1.000000e-01, must be at least 0 and less than 1}}
  %d = llm.dropout %x, %r key "k" p -0.1 : tensor<8x64xf32>, tensor<2xi64>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>) {
  // expected-error @+1 {{'llm.cast' op x has 64 columns but the result has 32}}
  %a = llm.cast %x : tensor<8x64xf32> -> tensor<8x32xbf16>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>) {
  // expected-error @+1 {{'llm.cast' op x has 8 rows but result has 4}}
  %a = llm.cast %x : tensor<8x64xf32> -> tensor<4x64xbf16>
  return
}

// -----

func.func @f(%x: tensor<8x?xf32>) {
  // expected-error @+1 {{'llm.cast' op x is 'tensor<8x?xf32>': only the token dimension may be dynamic}}
  %a = llm.cast %x : tensor<8x?xf32> -> tensor<8x?xbf16>
  return
}
