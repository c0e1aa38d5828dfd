//===- PlanModuleOps.td - Memory, tensors and code ------------------------===//
#ifndef PLAN_MODULE_OPS_TD
#define PLAN_MODULE_OPS_TD

include "dialects/plan/PlanOpBase.td"

def Plan_AllocationOp : Plan_Op<"allocation", [InModule, Symbol]> {
  let summary = "one block of device memory";
  let description = [{
    Plan.allocations. `bytes` is 0 until the memory planner has set it; buffers
    with an offset must lie inside.

    ```mlir
    plan.allocation @parameters category(parameters) bytes(4096) align(256)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_Category:$category, I64Attr:$bytes,
                       DefaultValuedAttr<I64Attr, "256">:$alignment);
  let assemblyFormat = [{
    $sym_name `category` `(` $category `)` `bytes` `(` $bytes `)` (`align` `(` $alignment^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def Plan_ConstantOp : Plan_Op<"constant", [InModule, Symbol]> {
  let summary = "bytes carried in the plan";
  let description = [{
    Plan.constants: the elements in row-major order, little-endian. A
    `plan.tensor` with `init(data from @name)` puts them in memory.

    ```mlir
    plan.constant @beta dense<[0.9, 0.999]> : tensor<2xf64>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ElementsAttr:$value);
  let assemblyFormat = "$sym_name $value attr-dict";
  let hasVerifier = 1;
}

def Plan_TensorOp : Plan_Op<"tensor", [InModule, UsesSymbols]> {
  let summary = "a persistent tensor: weight, parameter, gradient, moment, state";
  let description = [{
    Plan.tensors. `type` is the local shape. `global` is the shape over the whole
    grid (absent: the local one) and `sharding` lists, per dimension, the grid axes
    that split it (absent: replicated). `init` is how the first value comes about:
    `checkpoint` (read under `name`), `zero`, `uniform, a` (U(-a, a)), `normal, a`
    (N(0, a)), `value, a`, `data from @constant`. Rows of a matrix are `pitch` elements
    apart where that is given: one weight of a stack. In a plan that changes layouts,
    `part` says which part of the tensor this is on which side; the axes are those of
    `plan.source_grid` or `plan.target_grid`.

    ```mlir
    plan.tensor "model.norm.weight" role(weight) in @weights at 1024 : tensor<64xf32> init(checkpoint)
    plan.tensor "model.layers.0.self_attn.q_proj.lora_A.weight" role(parameter) in @parameters at 0
        : tensor<8x64xf32> init(uniform, 1.250000e-01) global [16, 64] sharding [[0], []]
    plan.tensor "model.layers.0.mlp.up_proj.lora_B.weight" role(parameter) in @target_parameters at 0
        : tensor<32x4xf32> init(zero) global [64, 4] sharding [[1], []] part(target, 1)
    ```
  }];
  let arguments = (ins StrAttr:$name, Plan_Role:$role, FlatSymbolRefAttr:$allocation, I64Attr:$offset,
                       TypeAttrOf<Plan_Place>:$type, Plan_InitKind:$init_kind,
                       DefaultValuedAttr<F64Attr, "0.0">:$init_a,
                       OptionalAttr<FlatSymbolRefAttr>:$init_constant,
                       OptionalAttr<DenseI64ArrayAttr>:$global_shape,
                       OptionalAttr<ArrayAttr>:$sharding, OptionalAttr<I64Attr>:$pitch,
                       DefaultValuedAttr<Plan_Side, "::plan::Side::Own">:$side,
                       DefaultValuedAttr<I64Attr, "0">:$part);
  let assemblyFormat = [{
    $name `role` `(` $role `)` `in` $allocation `at` $offset (`pitch` `(` $pitch^ `)`)? `:` $type
    `init` `(` $init_kind (`,` $init_a^)? (`from` $init_constant^)? `)`
    (`global` $global_shape^)? (`sharding` custom<Sharding>($sharding)^)?
    (`part` `(` $side^ `,` $part `)`)? attr-dict
  }];
  let hasVerifier = 1;
  // One that is whole on every device.
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::plan::Role":$role,
                                 "::llvm::StringRef":$allocation, "int64_t":$offset,
                                 "::mlir::RankedTensorType":$type, "::plan::InitKind":$initKind,
                                 CArg<"double", "0.0">:$initA,
                                 CArg<"::mlir::FlatSymbolRefAttr", "nullptr">:$initConstant), [{
    build($_builder, $_state, name, role, allocation, offset, type, initKind,
          ::llvm::APFloat(initA), initConstant, nullptr, nullptr, nullptr,
          ::plan::Side::Own, 0); }]>];
  let extraClassDeclaration = [{
    /// Shape over the whole grid.
    ::llvm::ArrayRef<int64_t> getGlobalShapeOrLocal();
    /// The module attribute that holds the grid its axes belong to.
    ::llvm::StringRef getGridAttrName();
    /// Grid axes that split dimension `d`.
    ::llvm::ArrayRef<int64_t> getAxes(unsigned d);
  }];
}

def Plan_CodeObjectOp : Plan_Op<"code_object", [InModule, Symbol]> {
  let summary = "machine code of one or more kernels";
  let description = [{
    Plan.code_objects. `data` is the file: an ELF shared object for the CPU, a
    cubin or PTX for CUDA.

    ```mlir
    plan.code_object @kernels format(elf) arch("x86-64-v3") data("\7FELF")
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_CodeFormat:$format, StrAttr:$arch, StrAttr:$data);
  let assemblyFormat = [{
    $sym_name `format` `(` $format `)` `arch` `(` $arch `)` `data` `(` $data `)` attr-dict
  }];
  let hasVerifier = 1;
}

def Plan_KernelOp : Plan_Op<"kernel", [
    InModule, Symbol, UsesSymbols, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "one generated function";
  let description = [{
    Plan.kernels; the symbol is the function's. Before code generation the region
    holds exactly one source op (`llm.rowwise`, `llm.attention`, ...) on the block's
    arguments: argument i is read i of every launch, result j of the source op its
    write j. Code generation sets `code_object` and may drop the region.
    `plan.return` of all results may follow the source op; without it the source op
    is dead to `canonicalize`.

    The first dimension of a tensor is not part of the kernel: one kernel serves
    every token bucket, and the region shows one of them. `sums [i, n]`: argument i is
    a term of a sum over n devices, which the kernel takes.

    ```mlir
    plan.kernel @add_64 "add, 64 columns" {
    ^bb0(%a: tensor<8x64xf32>, %b: tensor<8x64xf32>):
      %s = llm.add %a, %b : tensor<8x64xf32>
      plan.return %s : tensor<8x64xf32>
    }
    plan.kernel @mul_64 "mul, 64 columns" code_object(@kernels)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$description,
                       OptionalAttr<FlatSymbolRefAttr>:$code_object, OptionalAttr<DenseI64ArrayAttr>:$sums);
  let regions = (region AnyRegion:$body);
  let assemblyFormat = [{
    $sym_name $description (`code_object` `(` $code_object^ `)`)? (`sums` $sums^)?
    attr-dict-with-keyword ($body^)?
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  // The first has an empty region; the second a copy of `source` with argument i
  // for operand i, and its return.
  let builders = [
    OpBuilder<(ins "::llvm::StringRef":$name, "::llvm::StringRef":$description), [{
      build($_builder, $_state, $_builder.getStringAttr(name), $_builder.getStringAttr(description),
            ::mlir::FlatSymbolRefAttr()); }]>,
    OpBuilder<(ins "::mlir::StringAttr":$name, "::mlir::StringAttr":$description,
                   "::mlir::FlatSymbolRefAttr":$codeObject), [{
      build($_builder, $_state, name, description, codeObject, ::mlir::DenseI64ArrayAttr()); }]>,
    OpBuilder<(ins "::llvm::StringRef":$name, "::llvm::StringRef":$description, "::mlir::Operation *":$source)>];
  let extraClassDeclaration = [{
    /// The op that says what the kernel computes; null after the region is dropped.
    ::mlir::Operation *getSource();
  }];
}

def Plan_ReturnOp : Plan_Op<"return", [HasParent<"::plan::KernelOp">, Terminator, Pure]> {
  let summary = "ends the region of plan.kernel with the source op's results";
  let description = [{
    Keeps the source op, which is pure, from being dead to `canonicalize`.

    ```mlir
    plan.return %s : tensor<8x64xf32>
    ```
  }];
  let arguments = (ins Variadic<Plan_Place>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

#endif // PLAN_MODULE_OPS_TD
