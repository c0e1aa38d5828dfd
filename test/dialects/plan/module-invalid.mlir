// What the verifiers of memory, tensors, code and module attributes refuse, and
// how they say it.
// RUN: llama-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{plan.target must be a #plan.target of kind cpu or cuda with an architecture}}
module attributes {plan.target = #plan.target<kind = "tpu", arch = "v5", features = "">} {}

// -----

// expected-error @+1 {{plan.grid must hold named #plan.axis, not 4 : i64}}
module attributes {plan.grid = [4]} {}

// -----

// expected-error @+1 {{plan.target_grid must hold named #plan.axis, not 4 : i64}}
module attributes {plan.target_grid = [4]} {}

// -----

// expected-error @+1 {{plan.grid must have 1 to 65536 devices}}
module attributes {plan.grid = [#plan.axis<name = "dp", size = 65536>, #plan.axis<name = "tp", size = 2>]} {}

// -----

// expected-error @+1 {{plan.compute must be a float type of a plan}}
module attributes {plan.compute = i32} {}

// -----

// expected-error @+1 {{plan.flags must be a string}}
module attributes {plan.flags = 1} {}

// -----

// expected-error @+1 {{has 'plan.colour', which plan does not define}}
module attributes {plan.colour = "red"} {}

// -----

// expected-error @+1 {{has 'plan.flags', which is for modules}}
plan.allocation @a category(weights) bytes(4) {plan.flags = ""}

// -----

// expected-error @+1 {{has -1 bytes, not 0 to 2^47}}
plan.allocation @a category(weights) bytes(-1)

// -----

// expected-error @+1 {{alignment 24 is not a power of two up to 65536}}
plan.allocation @a category(weights) bytes(4) align(24)

// -----

// expected-error @+1 {{must be a non-empty tensor of a plan's element types}}
plan.constant @c dense<1> : tensor<2xi16>

// -----

// expected-error @+1 {{must be dense}}
plan.constant @c sparse<[[0]], [1.0]> : tensor<2xf32>

// -----

// expected-error @+1 {{has no data}}
plan.code_object @o format(elf) arch("x86-64-v3") data("")

// -----

// expected-error @+1 {{has no architecture}}
plan.code_object @o format(elf) arch("") data("x")

// -----

// expected-error @+1 {{@w is not a plan.allocation}}
plan.tensor "t" role(weight) in @w at 0 : tensor<4xf32> init(checkpoint)

// -----

plan.constant @w dense<1.0> : tensor<4xf32>
// expected-error @+1 {{@w is not a plan.allocation}}
plan.tensor "t" role(weight) in @w at 0 : tensor<4xf32> init(checkpoint)

// -----

plan.allocation @w category(weights) bytes(256)
// expected-error @+1 {{bytes [244, +16) are outside @w of 256 bytes}}
plan.tensor "t" role(weight) in @w at 244 : tensor<4xf32> init(checkpoint)

// -----

plan.allocation @w category(weights) bytes(256)
// expected-error @+1 {{bytes [-8, +16) are outside @w of 256 bytes}}
plan.tensor "t" role(weight) in @w at -8 : tensor<4xf32> init(checkpoint)

// -----

plan.allocation @w category(weights) bytes(256)
// expected-error @+1 {{offset 2 does not fit the alignment of 'f32'}}
plan.tensor "t" role(weight) in @w at 2 : tensor<4xf32> init(checkpoint)

// -----

plan.allocation @w category(weights) bytes(256)
// expected-error @+1 {{a parameter cannot lie in an allocation for weights}}
plan.tensor "t" role(parameter) in @w at 0 : tensor<4xf32> init(zero)

// -----

plan.allocation @p category(parameters) bytes(256)
// expected-error @+1 {{parameter at 16 must start at a multiple of 64 bytes}}
plan.tensor "t" role(parameter) in @p at 16 : tensor<4xf32> init(zero)

// -----

plan.allocation @w category(weights) bytes(256)
// expected-error @+1 {{is empty, above 2^47 bytes or of rank above 8}}
plan.tensor "t" role(weight) in @w at 0 : tensor<0x4xf32> init(checkpoint)

// -----

plan.allocation @w category(weights) bytes(256)
// expected-error @+1 {{is empty, above 2^47 bytes or of rank above 8}}
plan.tensor "t" role(weight) in @w at 0 : tensor<4294967296x4294967296xf32> init(checkpoint)

// -----

plan.allocation @w category(weights) bytes(256)
// expected-error @+1 {{has no name}}
plan.tensor "" role(weight) in @w at 0 : tensor<4xf32> init(checkpoint)

// -----

plan.allocation @g category(gradients) bytes(256)
// expected-error @+1 {{a gradient must begin with init(zero)}}
plan.tensor "t" role(gradient) in @g at 0 : tensor<4xf32> init(value, 1.0)

// -----

plan.allocation @s category(optimizer_state) bytes(256)
// expected-error @+1 {{a sensitivity must begin with init(zero)}}
plan.tensor "t" role(sensitivity) in @s at 0 : tensor<4xf32> init(value, 1.0)

// -----

plan.allocation @p category(parameters) bytes(256)
// expected-error @+1 {{a uncertainty cannot lie in an allocation for parameters}}
plan.tensor "t" role(uncertainty) in @p at 0 : tensor<4xf32> init(zero)

// -----

plan.allocation @w category(weights) bytes(256)
// expected-error @+1 {{init(checkpoint) takes no number}}
plan.tensor "t" role(weight) in @w at 0 : tensor<4xf32> init(checkpoint, 1.0)

// -----

plan.allocation @s category(optimizer_state) bytes(256)
// expected-error @+1 {{init(data) needs 'from @constant'}}
plan.tensor "t" role(state) in @s at 0 : tensor<4xf32> init(data)

// -----

plan.allocation @s category(optimizer_state) bytes(256)
// expected-error @+1 {{@c is not a plan.constant}}
plan.tensor "t" role(state) in @s at 0 : tensor<4xf32> init(data from @c)

// -----

plan.allocation @s category(optimizer_state) bytes(256)
plan.constant @c dense<1.0> : tensor<2xf32>
// expected-error @+1 {{@c has 8 bytes instead of 16}}
plan.tensor "t" role(state) in @s at 0 : tensor<4xf32> init(data from @c)

// -----

plan.allocation @c category(constants) bytes(256)
// expected-error @+1 {{a constant needs init(data from @constant)}}
plan.tensor "t" role(constant) in @c at 0 : tensor<4xf32> init(zero)

// -----

module attributes {plan.grid = [#plan.axis<name = "tp", size = 2>]} {
  plan.allocation @w category(weights) bytes(256)
  // expected-error @+1 {{dimension 0 is 4 of 9 over 2 devices}}
  plan.tensor "t" role(weight) in @w at 0 : tensor<4xf32> init(checkpoint) global [9] sharding [[0]]
}

// -----

module attributes {plan.grid = [#plan.axis<name = "tp", size = 2>]} {
  plan.allocation @w category(weights) bytes(256)
  // expected-error @+1 {{names grid axis 0 twice}}
  plan.tensor "t" role(weight) in @w at 0 : tensor<4x2xf32> init(checkpoint) global [8, 4] sharding [[0], [0]]
}

// -----

module attributes {plan.grid = [#plan.axis<name = "tp", size = 2>]} {
  plan.allocation @w category(weights) bytes(256)
  // expected-error @+1 {{is part 1 of 2}}
  plan.tensor "t" role(weight) in @w at 0 : tensor<4xf32> init(checkpoint) global [8] sharding [[0]] part(own, 1)
}

// -----

module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>]} {
  plan.allocation @w category(weights) bytes(256)
  // expected-error @+1 {{is part 2 of 2}}
  plan.tensor "t" role(weight) in @w at 0 : tensor<4xf32> init(checkpoint) global [8] sharding [[0]] part(source, 2)
}

// -----

module attributes {plan.source_grid = [#plan.axis<name = "tp", size = 2>]} {
  plan.allocation @w category(weights) bytes(256)
  // expected-error @+1 {{names grid axis 0, plan.target_grid has 0}}
  plan.tensor "t" role(weight) in @w at 0 : tensor<4xf32> init(checkpoint) global [8] sharding [[0]] part(target, 0)
}

// -----

plan.allocation @w category(weights) bytes(256)
// expected-error @+1 {{names grid axis 0, plan.grid has 0}}
plan.tensor "t" role(weight) in @w at 0 : tensor<4xf32> init(checkpoint) sharding [[0]]

// -----

plan.allocation @w category(weights) bytes(256)
// expected-error @+1 {{global shape has rank 2, the local one 1}}
plan.tensor "t" role(weight) in @w at 0 : tensor<4xf32> init(checkpoint) global [4, 1]

// -----

// expected-error @+1 {{needs a source op in a region or a code object}}
plan.kernel @k "nothing"

// -----

// expected-error @+1 {{@o is not a plan.code_object}}
plan.kernel @k "nothing" code_object(@o)

// -----

// expected-error @+1 {{must hold exactly one source op, not 2}}
plan.kernel @k "two" {
^bb0(%a: tensor<4xf32>):
  %s = llm.add %a, %a : tensor<4xf32>
  %t = llm.add %s, %a : tensor<4xf32>
  plan.return %t : tensor<4xf32>
}

// -----

// expected-error @+1 {{must hold exactly one source op, not 0}}
plan.kernel @k "empty" {
^bb0(%a: tensor<4xf32>):
}

// -----

// expected-error @+1 {{source op has no results: the kernel writes nothing}}
plan.kernel @k "endless" {
^bb0(%a: tensor<4xf32>):
  llm.yield %a : tensor<4xf32>
}

// -----

plan.kernel @k "half" {
^bb0(%a: tensor<4x4xf32>):
  %y = llm.add %a, %a : tensor<4x4xf32>
  // expected-error @+1 {{must return the results of the source op in order}}
  plan.return %a : tensor<4x4xf32>
}

// -----

plan.program @p kind(train) tokens(8) sequences(2) {
  // expected-error @+1 {{expects parent op 'builtin.module'}}
  plan.allocation @w category(weights) bytes(256)
}

// -----

// expected-error @+1 {{expects parent op 'plan.program'}}
%a = plan.buffer in @w : tensor<4xf32>
