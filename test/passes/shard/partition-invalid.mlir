// Grids that cannot be had.
// RUN: llama-opt %s --shard-partition="dp=4 tp=2" -verify-diagnostics
// RUN: not llama-opt %s --shard-partition="tp=2" 2>&1 | FileCheck %s --check-prefix=TP
// RUN: not llama-opt %s --shard-partition="dp=0" 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: not llama-opt %s --shard-partition="tp=-3" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not llama-opt %s --shard-partition="dp=4294967296 tp=4294967296" 2>&1 | FileCheck %s --check-prefix=HUGE

// TP: error: programs for more than one device are not supported yet: asked for dp1,tp2, can do dp1
// ZERO: error: the grid needs at least one device on each axis, not 0 x 1
// NEGATIVE: error: the grid needs at least one device on each axis, not 1 x -3
// HUGE: error: programs for more than one device are not supported yet: asked for dp4294967296,tp4294967296, can do dp1

// expected-error @+1 {{programs for more than one device are not supported yet: asked for dp4,tp2, can do dp1}}
module {
}
