//===- Passes.td - From source ops to machine code ------------------------===//
include "mlir/Pass/PassBase.td"

def GenerateCpuKernels : Pass<"codegen-generate-cpu-kernels", "mlir::ModuleOp"> {
  let summary = "compile the kernels of a plan for x86-64";
  let description = [{
    Requires: `plan.kernel` ops that hold their source op (`llm.rowwise`,
    `llm.attention`, `llm.attention_grad`) in f32. Ensures: one `plan.code_object`,
    an ELF shared object that exports a function of every kernel's name (calling
    convention: runtime/plan/plan.fbs, table Kernel) and needs no library; kernels
    refer to it and have no region. Same input, same bytes. A module without such
    kernels stays as it is. Test: test/passes/codegen/generate-cpu-kernels.mlir.

    ```mlir
    plan.kernel @scale_0 "scale, 20 columns" {
    ^bb0(%a: tensor<4x20xf32>):
      %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<4x20xf32>)
          maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
          outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x20xf32>) {
      ^bb0(%x: f32):
        %two = arith.constant 2.0 : f32
        %d = arith.mulf %x, %two : f32
        llm.yield %d : f32
      }
    }
    // becomes
    plan.code_object @cpu_kernels format(elf) arch("x86-64-v3") data("\7FELF...")
    plan.kernel @scale_0 "scale, 20 columns" code_object(@cpu_kernels)
    ```
  }];
  let options = [
    Option<"cpu", "cpu", "std::string", /*default=*/"\"x86-64-v3\"",
           "x86-64-v3 (AVX2), x86-64-v4 (AVX-512) or native (the better of them that this machine has)">];
}

def GenerateGpuKernels : Pass<"codegen-generate-gpu-kernels", "mlir::ModuleOp"> {
  let summary = "compile the kernels of a plan for NVIDIA GPUs";
  let description = [{
    Requires: `plan.kernel` ops that hold their source op (`llm.rowwise`) in f32,
    f64, bf16, i32 or i64; launches of them whose grid is the number of rows.
    Ensures: one `plan.code_object`, a cubin if `ptxas` is found and PTX if not,
    with a kernel of every such name (calling convention: runtime/plan/plan.fbs,
    table Kernel: one pointer per input, then one per result, then the number of
    rows if blocks take several); kernels refer to it and have no region; launches
    have the grid, block, shared memory and scalars that their kernel was made for
    and, from sm_90 on, are programmatic. How threads cover rows:
    passes/codegen/GpuRowwiseShape.h. A module without such kernels stays as it
    is. Test: test/passes/codegen/generate-gpu-kernels.mlir.

    ```mlir
    plan.launch @scale_0 reads(%a) writes(%y) grid [4, 1, 1] : (tensor<4x20xf32>) -> tensor<4x20xf32>
    // becomes
    plan.launch @scale_0 reads(%a) writes(%y) scalars [4] block [256, 1, 1] programmatic : (tensor<4x20xf32>) -> tensor<4x20xf32>
    ```
  }];
  let options = [
    Option<"arch", "arch", "std::string", /*default=*/"\"sm_90\"",
           "compute capability of the GPU, sm_80 or later">,
    Option<"format", "format", "std::string", /*default=*/"\"cubin\"",
           "cubin (falls back to ptx without ptxas) or ptx">];
}

def SelectLibraryKernels : Pass<"codegen-select-library-kernels", "mlir::ModuleOp"> {
  let summary = "launches of attention and factor folding become launches of hand-written CUDA kernels";
  let description = [{
    Requires: `plan.kernel` ops that hold `llm.attention`, `llm.attention_grad` or
    `llm.fold_into`; no activation has an offset yet. Ensures: such kernels are gone;
    each of their launches is one or more launches of kernels from
    compiler/kernels, which know rows that lie apart, and the plan carries those
    kernels' code; scratch is an activation. Fails where llamac was built without
    nvcc. Test: test/passes/codegen/select-library-kernels.mlir.

    ```mlir
    plan.launch @attention_3 reads(%q, %k, %v, %cu) writes(%o, %lse) scalars [128, 8] grid [64, 1, 1] : ...
    // becomes
    plan.launch @attention_forward_bf16_128 reads(%q, %k, %v, %cu) writes(%o, %lse)
        scalars [128, 8, 32, 8, ...] grid [2, 32, 8] block [128, 1, 1] shared(65536) programmatic : ...
    ```
  }];
  let options = [
    Option<"arch", "arch", "std::string", /*default=*/"\"sm_90\"",
           "compute capability of the GPU, sm_80 or later">,
    Option<"ptx", "ptx", "bool", /*default=*/"false", "PTX instead of a cubin">];
  let dependentDialects = ["plan::PlanDialect"];
}

def SumInKernels : Pass<"codegen-sum-in-kernels", "mlir::ModuleOp"> {
  let summary = "row kernels add the terms of other devices themselves";
  let description = [{
    Requires: a plan for GPUs on one stream, kernels with their source op,
    activations without offsets. Ensures: an `all_reduce_sum` in place that does not
    go along the batch axis (ranks there may run other programs), sends each device
    at most `most-bytes` and is read by one launch of an `llm.rowwise` alone, element
    by element (which may write something else there), comes right before that launch and is `in_kernel`; the launch `sums`
    it, and its kernel is one that does. Everything else stays as it is. Test:
    test/passes/codegen/sum-in-kernels.mlir.

    ```mlir
    plan.collective all_reduce_sum axes [1] %y to %y : ...
    plan.launch @add_rms_norm_7 reads(%x, %y, %w) writes(%h, %n) grid [96, 1, 1] : ...
    // becomes
    plan.collective all_reduce_sum axes [1] %y to %y in_kernel : ...
    plan.launch @add_rms_norm_7_sum1 reads(%x, %y, %w) writes(%h, %n) grid [96, 1, 1] sums(1) : ...
    ```
  }];
  let options = [
    Option<"mostBytes", "most-bytes", "int64_t", /*default=*/"2 << 20",
           "largest sum, in bytes that a device sends: its term once to each peer">];
  let dependentDialects = ["plan::PlanDialect"];
}
