//===- CpuAttention.h - Attention and its gradient on the CPU --*- C++ -*-===//
//
// Work items are sequence * kv_heads + kv_head, in [0, sequences * kv_heads).
// An item does all query heads of its group, so no two items write one element.
// scalars[0] is T, the number of rows; scalars[1] is the number of sequences B:
// neither is in the code. The items of sequence B-1 also clear rows
// cu_seqlens[B] .. T of all results. Memory outside the results: a stack frame
// whose size depends on head_dim alone.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "passes/codegen/CpuTarget.h"

#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {

/// Appends the kernel of llm.attention to `target`: buffers q, k, v,
/// cu_seqlens, result, lse. Softmax runs online over blocks of keys, the
/// maximum subtracted. Fails with a diagnostic for element types other than
/// f32.
mlir::FailureOr<mlir::LLVM::LLVMFuncOp>
emitCpuAttention(mlir::OpBuilder &builder, mlir::ModuleOp target,
                 llvm::StringRef symbol, llm::AttentionOp op,
                 const CpuTarget &cpu);

/// The same for llm.attention_grad: buffers q, k, v, cu_seqlens, out, lse,
/// dout, dq, dk, dv. With p = exp(scale q.k - lse), delta = dout.out and ds =
/// scale p (dout.v - delta): dq = ds k, dk = ds^T q, dv = p^T dout.
mlir::FailureOr<mlir::LLVM::LLVMFuncOp>
emitCpuAttentionGrad(mlir::OpBuilder &builder, mlir::ModuleOp target,
                     llvm::StringRef symbol, llm::AttentionGradOp op,
                     const CpuTarget &cpu);

} // namespace llamac
