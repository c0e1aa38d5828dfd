//===- PlanProgramOps.td - Programs and their steps -----------------------===//
#ifndef PLAN_PROGRAM_OPS_TD
#define PLAN_PROGRAM_OPS_TD

include "dialects/plan/PlanOpBase.td"

def Plan_ProgramOp : Plan_Op<"program", [
    InModule, Symbol, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "the steps for one kind of work and one token bucket";
  let description = [{
    Plan.programs. `tokens` is the bucket: rows of every activation; `sequences`
    the most sequences a batch may hold. `activation_bytes` (part of the arena
    this program uses), `flops` and `bytes` (least traffic: every operand of every
    step once) are absent until known. The body holds `plan.buffer`, `plan.input`,
    `plan.output` and steps, which run in this order.

    ```mlir
    plan.program @train_128 kind(train) tokens(128) sequences(8) activation_bytes(65536) {
      %x = plan.buffer in @activations at 0 : tensor<128x64xf32>
      plan.fill %x with 0.000000e+00 : tensor<128x64xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_ProgramKind:$kind, I64Attr:$tokens, I64Attr:$sequences,
                       DefaultValuedAttr<I64Attr, "1">:$streams, OptionalAttr<I64Attr>:$activation_bytes,
                       OptionalAttr<I64Attr>:$flops, OptionalAttr<I64Attr>:$bytes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `kind` `(` $kind `)` `tokens` `(` $tokens `)` `sequences` `(` $sequences `)`
    (`streams` `(` $streams^ `)`)? (`activation_bytes` `(` $activation_bytes^ `)`)?
    (`flops` `(` $flops^ `)`)? (`bytes` `(` $bytes^ `)`)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::plan::ProgramKind":$kind,
                                 "int64_t":$tokens, "int64_t":$sequences)>];
  let extraClassDeclaration = [{
    ::mlir::Block &getBlock() { return getBody().front(); }
  }];
}

def Plan_BufferOp : Plan_Op<"buffer", [InProgram, UsesSymbols]> {
  let summary = "a row-major view of an allocation";
  let description = [{
    Plan.buffers. Without an offset the memory planner still has to place it; two
    such buffers are two places.

    ```mlir
    %x = plan.buffer in @activations at 4096 : tensor<128x64xf32>
    %y = plan.buffer in @activations : tensor<128x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$allocation, OptionalAttr<I64Attr>:$offset);
  // An allocation effect: unused buffers may go, equal ones must not be merged.
  let results = (outs Res<Plan_Place, "the place", [MemAlloc]>:$result);
  let assemblyFormat = "`in` $allocation (`at` $offset^)? attr-dict `:` type($result)";
  let hasVerifier = 1;
  let builders = [
    OpBuilder<(ins "::mlir::Type":$type, "::llvm::StringRef":$allocation), [{
      build($_builder, $_state, type, allocation, ::mlir::IntegerAttr()); }]>,
    OpBuilder<(ins "::mlir::Type":$type, "::llvm::StringRef":$allocation, "int64_t":$offset), [{
      build($_builder, $_state, type, allocation, $_builder.getI64IntegerAttr(offset)); }]>];
}

def Plan_ViewOp : Plan_Op<"view", [InProgram, Pure]> {
  let summary = "a part of a buffer: columns or rows of a matrix";
  let description = [{
    A Plan.buffers entry of its own, inside the memory of `source`, a result of
    `plan.buffer`: it starts `offset` elements in and its rows are `pitch` elements
    apart. Gemm operands, kernel arguments and both sides of a copy may be views;
    fill and collective take those whose pitch is their row length.

    ```mlir
    %x = plan.buffer in @activations : tensor<128x72xf32>
    %t = plan.view %x at 64 pitch(72) : tensor<128x72xf32> -> tensor<128x8xf32>
    ```
  }];
  let arguments = (ins Plan_Place:$source, I64Attr:$offset, I64Attr:$pitch);
  let results = (outs Plan_Place:$result);
  let assemblyFormat = "$source `at` $offset `pitch` `(` $pitch `)` attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Plan_InputOp : Plan_Op<"input", [InProgram]> {
  let summary = "the host writes this buffer before the program runs";
  let description = [{
    Program.inputs; docs/plan.md lists the names.

    ```mlir
    plan.input "input_ids" %ids : tensor<128xi32>
    ```
  }];
  let arguments = (ins StrAttr:$name, Plan_Place:$buffer);
  let assemblyFormat = "$name $buffer attr-dict `:` type($buffer)";
}

def Plan_OutputOp : Plan_Op<"output", [InProgram]> {
  let summary = "the host reads this buffer after the program ran";
  let description = [{
    Program.outputs; docs/plan.md lists the names.

    ```mlir
    plan.output "loss" %loss : tensor<1xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, Plan_Place:$buffer);
  let assemblyFormat = "$name $buffer attr-dict `:` type($buffer)";
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

def Plan_GemmOp : Plan_Step<"gemm"> {
  let summary = "D = alpha * op(A) op(B) + beta * D";
  let description = [{
    op(A) is `[m, k]`, op(B) `[k, n]`, D `[m, n]`, all row-major with leading
    dimensions in elements, each at the start of its buffer; that of a view is its
    pitch. A and B have one
    element type; D that one or f32. D is no other operand.

    ```mlir
    plan.gemm %x, %w transpose_b into %y m(128) n(32) k(64) lda(64) ldb(64) ldd(32)
        : tensor<128x64xf32>, tensor<32x64xf32>, tensor<128x32xf32>
    plan.gemm %dy, %x transpose_a into %dw m(32) n(64) k(128) lda(32) ldb(64) ldd(64)
        alpha 2.000000e+00 beta 1.000000e+00
        : tensor<128x32xf32>, tensor<128x64xf32>, tensor<32x64xf32>
    ```
  }];
  let arguments = !con(
    (ins Arg<Plan_Place, "", [MemRead]>:$a, Arg<Plan_Place, "", [MemRead]>:$b,
         Arg<Plan_Place, "", [MemRead, MemWrite]>:$d, UnitAttr:$transpose_a, UnitAttr:$transpose_b,
         I64Attr:$m, I64Attr:$n, I64Attr:$k, I64Attr:$lda, I64Attr:$ldb, I64Attr:$ldd,
         DefaultValuedAttr<F64Attr, "1.0">:$alpha, DefaultValuedAttr<F64Attr, "0.0">:$beta),
    placement);
  let assemblyFormat = [{
    $a (`transpose_a` $transpose_a^)? `,` $b (`transpose_b` $transpose_b^)? `into` $d
    `m` `(` $m `)` `n` `(` $n `)` `k` `(` $k `)` `lda` `(` $lda `)` `ldb` `(` $ldb `)` `ldd` `(` $ldd `)`
    (`alpha` $alpha^)? (`beta` $beta^)? }] # placementFormat # [{
    attr-dict `:` type($a) `,` type($b) `,` type($d)
  }];
  let hasVerifier = 1;
  // From matrices that fill their rank-2 buffers.
  let builders = [OpBuilder<(ins "::mlir::Value":$a, "::mlir::Value":$b, "::mlir::Value":$d,
                                 CArg<"bool", "false">:$transposeA, CArg<"bool", "false">:$transposeB,
                                 CArg<"double", "1.0">:$alpha, CArg<"double", "0.0">:$beta)>];
}

def Plan_LaunchOp : Plan_Step<"launch", [UsesSymbols, AttrSizedOperandSegments]> {
  let summary = "runs a generated kernel";
  let description = [{
    Work items are `[0, grid x * y * z)`. The CPU gives each thread a range in
    multiples of `grain`; a GPU launches grid x block with `shared` bytes. A buffer
    may be read and written: a kernel that updates in place. `programmatic`: the
    kernel waits by itself for the step before it, so its launch may overlap that.
    `sums(i)`: input i is this device's term of the sum that the step before it on
    its stream, a `plan.collective` marked `in_kernel`, stands for; the kernel takes it.

    ```mlir
    plan.launch @add_64 reads(%a, %b) writes(%c) grid [8, 1, 1] grain(2)
        : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    ```
  }];
  let arguments = !con(
    (ins FlatSymbolRefAttr:$kernel, Arg<Variadic<Plan_Place>, "", [MemRead]>:$inputs,
         Arg<Variadic<Plan_Place>, "", [MemWrite]>:$outputs,
         DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$scalars,
         DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1, 1}">:$grid,
         DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1, 1}">:$block,
         DefaultValuedAttr<I64Attr, "0">:$shared_bytes, DefaultValuedAttr<I64Attr, "1">:$grain,
         UnitAttr:$programmatic, OptionalAttr<I64Attr>:$sums),
    placement);
  let assemblyFormat = [{
    $kernel `reads` `(` $inputs `)` `writes` `(` $outputs `)` (`scalars` $scalars^)? (`grid` $grid^)?
    (`block` $block^)? (`shared` `(` $shared_bytes^ `)`)? (`grain` `(` $grain^ `)`)? (`programmatic` $programmatic^)?
    (`sums` `(` $sums^ `)`)? }] # placementFormat # [{
    attr-dict `:` functional-type($inputs, $outputs)
  }];
  let hasVerifier = 1;
}

def Plan_CopyOp : Plan_Step<"copy"> {
  let summary = "copies the bytes of a buffer";
  let description = [{
    Source and target have the same number of bytes; their types may differ, unless
    one is a view whose rows lie apart: then they are equal.

    ```mlir
    plan.copy %a to %b : tensor<8x64xf32>, tensor<512xf32>
    ```
  }];
  let arguments = !con((ins Arg<Plan_Place, "", [MemRead]>:$source, Arg<Plan_Place, "", [MemWrite]>:$target),
                       placement);
  let assemblyFormat = "$source `to` $target" # placementFormat # "attr-dict `:` type($source) `,` type($target)";
  let hasVerifier = 1;
}

def Plan_FillOp : Plan_Step<"fill"> {
  let summary = "sets every element of a buffer";
  let description = [{
    `value` is a whole number if the elements are integers.

    ```mlir
    plan.fill %g with 0.000000e+00 : tensor<8x64xf32>
    ```
  }];
  let arguments = !con((ins Arg<Plan_Place, "", [MemWrite]>:$target, F64Attr:$value), placement);
  let assemblyFormat = "$target `with` $value" # placementFormat # "attr-dict `:` type($target)";
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$target, "double":$value), [{
    build($_builder, $_state, target, ::llvm::APFloat(value)); }]>];
}

def Plan_CollectiveOp : Plan_Step<"collective"> {
  let summary = "a collective over axes of the grid";
  let description = [{
    Over P = the product of the sizes of `axes` (positions in `plan.grid`):
    all_reduce and broadcast keep the number of elements, all_gather multiplies it
    by P, reduce_scatter divides it by P. Source and target may be one buffer.
    `in_kernel`: an all_reduce_sum in place that the next step of its stream, a launch
    that `sums` the buffer and is alone in reading it, takes itself where devices can
    write to each other's memory; only where they cannot does this step do it.

    ```mlir
    plan.collective all_reduce_sum axes [0] %g to %g : tensor<64xf32>, tensor<64xf32>
    ```
  }];
  let arguments = !con((ins Plan_CollectiveKind:$kind, DenseI64ArrayAttr:$axes,
                            Arg<Plan_Place, "", [MemRead]>:$source, Arg<Plan_Place, "", [MemWrite]>:$target,
                            UnitAttr:$in_kernel),
                       placement);
  let assemblyFormat = [{
    $kind `axes` $axes $source `to` $target (`in_kernel` $in_kernel^)? }] # placementFormat # [{
    attr-dict `:` type($source) `,` type($target)
  }];
  let hasVerifier = 1;
}

#endif // PLAN_PROGRAM_OPS_TD
