// Changes of layout that lose, double or mix up something.
// RUN: llama-opt %s --shard-verify-reshard -split-input-file -verify-diagnostics

// A hole: the second half.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  // expected-error @+1 {{parameter 'w', target part 0: element [2, 0] is never written}}
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// A hole in the middle: the second row.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  // expected-error @+1 {{parameter 'w', target part 0: element [1, 0] is never written}}
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    %a0 = plan.buffer in @source at 0 : tensor<2xf32>
    %x0 = plan.buffer in @target at 0 : tensor<2xf32>
    plan.copy %a0 to %x0 : tensor<2xf32>, tensor<2xf32>
    plan.copy %b to %y : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// The first half twice.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
    plan.copy %b to %y : tensor<2x2xf32>, tensor<2x2xf32>
    // expected-error @+1 {{writes element [0, 0] of parameter 'w', target part 0 again}}
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// An overlap by one row, which is right but once too often.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    %r = plan.buffer in @source at 8 : tensor<2xf32>
    %q = plan.buffer in @target at 8 : tensor<2xf32>
    plan.copy %r to %q : tensor<2xf32>, tensor<2xf32>
    plan.copy %b to %y : tensor<2x2xf32>, tensor<2x2xf32>
    // expected-error @+1 {{writes element [1, 0] of parameter 'w', target part 0 again}}
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// Every byte once, but the halves in the wrong order.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    // expected-error @+1 {{copies element [0, 0] of parameter 'w', source part 0 to element [2, 0] of parameter 'w', target part 0}}
    plan.copy %a to %y : tensor<2x2xf32>, tensor<2x2xf32>
    plan.copy %b to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// One byte pitch wrong: columns are written as rows.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    %v = plan.view %a at 0 pitch(2) : tensor<2x2xf32> -> tensor<2x1xf32>
    %p = plan.buffer in @target at 0 : tensor<2x1xf32>
    // expected-error @+1 {{copies element [1, 0] of parameter 'w', source part 0 to element [0, 1] of parameter 'w', target part 0}}
    plan.copy %v to %p : tensor<2x1xf32>, tensor<2x1xf32>
  }
}

// -----

// Reads what is no tensor: the gap between two parts.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    %gap = plan.buffer in @source at 48 : tensor<2x2xf32>
    // expected-error @+1 {{reads bytes 48 to 64 of @source, which are not inside one source tensor}}
    plan.copy %gap to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// Reads across the end of a part.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    %gap = plan.buffer in @source at 72 : tensor<2x2xf32>
    // expected-error @+1 {{reads bytes 72 to 88 of @source, which are not inside one source tensor}}
    plan.copy %gap to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// Reads the target.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    // expected-error @+1 {{reads bytes 0 to 16 of @target, which are not inside one source tensor}}
    plan.copy %x to %y : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// Writes beside the target.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    %gap = plan.buffer in @target at 24 : tensor<2x2xf32>
    // expected-error @+1 {{writes bytes 24 to 40 of @target, which are not inside one target tensor}}
    plan.copy %b to %gap : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// Another role.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.allocation @moments category(optimizer_state) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.tensor "w" role(first_moment) in @moments at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(first_moment) in @moments at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(first_moment) in @moments at 128 : tensor<4x2xf32> init(zero) part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    %m = plan.buffer in @moments at 0 : tensor<2x2xf32>
    // expected-error @+1 {{copies first_moment 'w', source part 0 to parameter 'w', target part 0}}
    plan.copy %m to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// A part is missing.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  // expected-error @+1 {{parameter 'w', source part 0: only 1 of its 2 parts are there}}
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// A part is there twice.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  // expected-error @+1 {{parameter 'w', source part 0 is there twice}}
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// Two parts in one place.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  // expected-error @+1 {{parameter 'w', source part 1 overlaps another tensor in memory}}
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// A tensor of one layout alone.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  // expected-error @+1 {{parameter 'w', source part 0: there is no such tensor in the other layout}}
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// Another shape.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  // expected-error @+1 {{parameter 'w', target part 0 is of another shape or type than its source}}
  plan.tensor "w" role(parameter) in @target at 0 : tensor<2x4xf32> init(zero) global [2, 4] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// A tensor of neither layout.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  // expected-error @+1 {{'w' belongs to neither layout}}
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}

// -----

// Something else than a copy.
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(reshard) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    // expected-error @+1 {{is no copy: a change of layout only copies}}
    plan.fill %x with 0.0 : tensor<2x2xf32>
  }
}

// -----

// Another kind of program.
// expected-error @+1 {{a plan that changes layouts has one program, of kind reshard}}
module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>], plan.target_grid = [#plan.axis<name = "tp", size = 1>]} {
  plan.allocation @source category(parameters) bytes(256)
  plan.allocation @target category(parameters) bytes(256)
  plan.tensor "w" role(parameter) in @source at 0 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 0)
  plan.tensor "w" role(parameter) in @source at 64 : tensor<2x2xf32> init(zero) global [4, 2] sharding [[0], []] part(source, 1)
  plan.tensor "w" role(parameter) in @target at 0 : tensor<4x2xf32> init(zero) global [4, 2] part(target, 0)
  plan.program @reshard kind(train) tokens(1) sequences(1) {
    %a = plan.buffer in @source at 0 : tensor<2x2xf32>
    %b = plan.buffer in @source at 64 : tensor<2x2xf32>
    %x = plan.buffer in @target at 0 : tensor<2x2xf32>
    %y = plan.buffer in @target at 16 : tensor<2x2xf32>
    plan.copy %a to %x : tensor<2x2xf32>, tensor<2x2xf32>
  }
}
