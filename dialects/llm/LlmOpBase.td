//===- LlmOpBase.td - Shared by the op files of the llm dialect -----------===//
#ifndef LLM_OP_BASE_TD
#define LLM_OP_BASE_TD

include "dialects/llm/LlmAttrs.td"
include "dialects/llm/LlmInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Llm_Op<string mnemonic, list<Trait> traits = []> : Op<Llm_Dialect, mnemonic, traits>;

def Llm_Tensor : RankedTensorOf<[F32, BF16, F64]>;
def Llm_Matrix : TensorRankOf<[F32, BF16], [2]>;
def Llm_Vector : TensorRankOf<[F32, BF16], [1]>;
def Llm_Ints : TensorRankOf<[I32, I64], [1]>;
def Llm_Scalar : TensorRankOf<[F32], [1]>;

def Differentiable : DeclareOpInterfaceMethods<DifferentiableOpInterface>;
def RowwiseLowering : DeclareOpInterfaceMethods<RowwiseOpInterface>;
def Tokenwise : DeclareOpInterfaceMethods<TokenwiseOpInterface>;
// A forward op: no side effect, has a gradient.
class Llm_GraphOp<string mnemonic, list<Trait> traits = []>
    : Llm_Op<mnemonic, !listconcat([Pure, Differentiable], traits)>;

#endif // LLM_OP_BASE_TD
