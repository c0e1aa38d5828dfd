//===- PlanOpBase.td - Shared by the op files of the plan dialect ---------===//
#ifndef PLAN_OP_BASE_TD
#define PLAN_OP_BASE_TD

include "dialects/plan/PlanAttrs.td"
include "dialects/plan/PlanInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<Plan_Dialect, mnemonic, traits>;

def InModule : HasParent<"::mlir::ModuleOp">;
def InProgram : HasParent<"::plan::ProgramOp">;
def UsesSymbols : DeclareOpInterfaceMethods<SymbolUserOpInterface>;

// A place in memory: static shape, element type one of plan.fbs' DType.
def Plan_Place : StaticShapeTensorOf<[F32, BF16, F16, F64, I32, I64, UI8, I8]>;

// A step's stream and what it waits for; the last two attributes of every step.
class Plan_Step<string mnemonic, list<Trait> traits = []>
    : Plan_Op<mnemonic, !listconcat([InProgram, DeclareOpInterfaceMethods<StepOpInterface>], traits)> {
  dag placement = (ins DefaultValuedAttr<I64Attr, "0">:$stream,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$waits);
  string placementFormat = "(`stream` `(` $stream^ `)`)? (`waits` $waits^)?";
}

#endif // PLAN_OP_BASE_TD
