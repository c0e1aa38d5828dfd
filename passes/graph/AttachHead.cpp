//===- AttachHead.cpp - Task head and loss --------------------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/graph/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"

namespace llamac {
#define GEN_PASS_DEF_ATTACHHEAD
#include "passes/graph/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

/// Copies the body of a one-block function; returns what it returns.
Value inlineCopy(OpBuilder &b, func::FuncOp callee, ValueRange arguments) {
  IRMapping map;
  Block &body = callee.getBody().front();
  map.map(body.getArguments(), arguments);
  for (Operation &op : body.without_terminator())
    b.clone(op, map);
  return map.lookup(body.getTerminator()->getOperand(0));
}

struct AttachHead : llamac::impl::AttachHeadBase<AttachHead> {
  using AttachHeadBase::AttachHeadBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto kind = llm::symbolizeHead(head);
    if (!kind) {
      module.emitError("unknown head '")
          << head << "': classification, regression or causal_lm";
      return signalPassFailure();
    }
    if (batch < 1 || maxLength < 1 || accumulation < 1 ||
        (*kind == llm::Head::Classification && labels < 1)) {
      module.emitError("batch, max-length, accumulation and labels must be "
                       "positive");
      return signalPassFailure();
    }
    auto hidden = module.lookupSymbol<func::FuncOp>("hidden");
    auto logits = module.lookupSymbol<func::FuncOp>("logits");
    auto ints = RankedTensorType::get({ShapedType::kDynamic},
                                      IntegerType::get(&getContext(), 32));
    if (!isModelFunction(hidden, {ints, ints, ints})) {
      module.emitError("a model file has a function @hidden(input_ids, "
                       "positions, cu_seqlens), each tensor<?xi32>, with one "
                       "result, tensor<?xNxf32>");
      return signalPassFailure();
    }
    if (*kind == llm::Head::CausalLM &&
        !isModelFunction(logits, hidden.getResultTypes())) {
      module.emitError(
          "a causal LM needs the function @logits(hidden) with one "
          "result, tensor<?xNxf32>, in the model file");
      return signalPassFailure();
    }
    build(module, hidden, logits, *kind);
    hidden.erase();
    if (logits)
      logits.erase();
  }

  /// Takes `arguments`, has a body, and returns one row a token.
  static bool isModelFunction(func::FuncOp f, TypeRange arguments) {
    if (!f || f.isExternal() || !f.getBody().hasOneBlock() ||
        f.getArgumentTypes() != arguments || f.getNumResults() != 1)
      return false;
    auto rows = dyn_cast<RankedTensorType>(f.getResultTypes()[0]);
    return rows && rows.getRank() == 2 && rows.isDynamicDim(0) &&
           !rows.isDynamicDim(1);
  }

  void build(ModuleOp module, func::FuncOp hidden, func::FuncOp logits,
             llm::Head kind) {
    MLIRContext *context = &getContext();
    OpBuilder b(hidden);
    Location loc = hidden.getLoc();
    Type i32 = b.getI32Type(), f32 = b.getF32Type();
    auto vector = [](int64_t n, Type t) {
      return RankedTensorType::get({n}, t);
    };
    int64_t any = ShapedType::kDynamic;
    bool lm = kind == llm::Head::CausalLM;
    Type labelType =
        lm ? vector(any, i32)
           : vector(batch, kind == llm::Head::Regression ? f32 : i32);
    std::pair<StringRef, Type> inputs[] = {
        {"input_ids", vector(any, i32)},
        {"positions", vector(any, i32)},
        {"cu_seqlens", vector(batch + 1, i32)},
        {"last_token", vector(batch, i32)},
        {"pool_index", vector(any, i32)},
        {"labels", labelType},
        {"loss_scale", vector(1, f32)}};
    SmallVector<Type> types;
    for (auto &[name, type] : inputs)
      types.push_back(type);
    auto model = func::FuncOp::create(b, loc, "model",
                                      FunctionType::get(context, types, {}));
    Block *entry = model.addEntryBlock();
    auto arg = [&](unsigned i) { return entry->getArgument(i); };
    b.setInsertionPointToEnd(entry);

    Value h = inlineCopy(b, hidden, {arg(0), arg(1), arg(2)});
    boundRopeTables(model);
    auto hType = cast<RankedTensorType>(h.getType());
    auto pooledType = RankedTensorType::get({batch, hType.getDimSize(1)},
                                            hType.getElementType());
    Value pooled =
        llm::GatherRowsOp::create(b, loc, pooledType, h, arg(3), arg(4));
    Value z, loss;
    if (lm) {
      Value every = inlineCopy(b, logits, h);
      loss = llm::CrossEntropyOp::create(b, loc, every, arg(5), arg(6));
      z = inlineCopy(b, logits, pooled);
      // @logits has `?` rows; here they are the batch.
      auto zType = cast<RankedTensorType>(z.getType());
      z.setType(RankedTensorType::get({batch, zType.getDimSize(1)},
                                      zType.getElementType()));
      z = inFloat32(b, loc, z);
      labels = 0;
    } else {
      if (kind == llm::Head::Regression)
        labels = 1;
      // The head trains in float32 whatever the base computes in.
      auto weightType =
          RankedTensorType::get({labels, hType.getDimSize(1)}, f32);
      auto init = llm::InitAttr::get(context, llm::InitKind::Normal,
                                     b.getF64FloatAttr(0.02));
      Value w =
          llm::ParameterOp::create(b, loc, weightType, "score.weight", init);
      z = llm::LinearOp::create(
          b, loc, RankedTensorType::get({batch, labels}, f32),
          inFloat32(b, loc, pooled), w, b.getF64FloatAttr(1.0));
      if (kind == llm::Head::Regression)
        loss = llm::MseOp::create(b, loc, z, arg(5), arg(6));
      else
        loss = llm::CrossEntropyOp::create(b, loc, z, arg(5), arg(6));
    }
    func::ReturnOp::create(b, loc, ValueRange{loss, z});
    model.setFunctionType(
        FunctionType::get(context, types, {loss.getType(), z.getType()}));
    for (auto [i, input] : llvm::enumerate(inputs))
      model.setArgAttr(i, llm::LlmDialect::kInputAttr,
                       b.getStringAttr(input.first));
    model.setResultAttr(0, llm::LlmDialect::kOutputAttr,
                        b.getStringAttr("loss"));
    model.setResultAttr(1, llm::LlmDialect::kOutputAttr,
                        b.getStringAttr("logits"));
    module->setAttr(llm::LlmDialect::kTaskAttr,
                    llm::TaskAttr::get(context, task, kind, labels, batch,
                                       maxLength, accumulation));
  }

  static Value inFloat32(OpBuilder &b, Location loc, Value v) {
    auto type = cast<RankedTensorType>(v.getType());
    if (type.getElementType().isF32())
      return v;
    return llm::CastOp::create(
        b, loc, RankedTensorType::get(type.getShape(), b.getF32Type()), v);
  }

  /// Positions end where sequences are cut, so the tables need no more rows.
  void boundRopeTables(func::FuncOp model) {
    model.walk([&](llm::RopeTableOp op) {
      if (static_cast<int64_t>(op.getMaxPositions()) > maxLength)
        op.setMaxPositions(maxLength);
    });
  }
};

} // namespace
