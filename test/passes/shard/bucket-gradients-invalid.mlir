// RUN: llama-opt %s --shard-bucket-gradients="bucket-bytes=0" -verify-diagnostics
// expected-error @+1 {{bucket-bytes must be positive, not 0}}
module {
  shard.grid @grid(shape = 2x1)
}
