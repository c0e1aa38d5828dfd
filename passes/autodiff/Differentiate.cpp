//===- Differentiate.cpp - Reverse-mode differentiation -------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/autodiff/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "passes/autodiff/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

/// The backward pass of one function.
class Backward {
public:
  Backward(func::FuncOp f, bool accumulate)
      : function(f), block(f.getBody().front()), b(block.getTerminator()),
        accumulate(accumulate) {}

  LogicalResult run(Value loss) {
    findActive();
    if (!active.contains(loss))
      return function.emitError(
          "the loss depends on no parameter: nothing to train");
    auto type = RankedTensorType::get({1}, b.getF32Type());
    if (loss.getType() != type)
      return function.emitError("the loss must be tensor<1xf32>, not ")
             << loss.getType();
    SmallVector<Operation *> forward;
    for (Operation &op : block.without_terminator())
      forward.push_back(&op);
    gradients[loss] = llm::ConstantOp::create(
        b, loss.getLoc(), DenseElementsAttr::get(type, 1.0f));
    for (Operation *op : llvm::reverse(forward))
      if (failed(visit(op)))
        return failure();
    return returnInputGradients();
  }

private:
  func::FuncOp function;
  Block &block;
  OpBuilder b;
  bool accumulate;
  llvm::DenseSet<Value> active;
  llvm::DenseMap<Value, Value> gradients;

  StringAttr gradientName(unsigned argument) {
    return function.getArgAttrOfType<StringAttr>(
        argument, llm::LlmDialect::kGradientAttr);
  }

  /// Values that change when a parameter changes, or an input whose gradient is
  /// asked for.
  void findActive() {
    for (BlockArgument argument : block.getArguments())
      if (gradientName(argument.getArgNumber()))
        active.insert(argument);
    for (Operation &op : block.without_terminator())
      if (isa<llm::ParameterOp>(op) ||
          llvm::any_of(op.getOperands(),
                       [&](Value v) { return active.contains(v); }))
        active.insert(op.result_begin(), op.result_end());
  }

  LogicalResult visit(Operation *op) {
    SmallVector<Value> resultGradients;
    for (Value result : op->getResults())
      resultGradients.push_back(gradients.lookup(result));
    if (llvm::none_of(resultGradients, [](Value v) { return bool(v); }))
      return success();
    if (auto parameter = dyn_cast<llm::ParameterOp>(op)) {
      store(parameter, resultGradients[0]);
      return success();
    }
    SmallVector<bool> wanted;
    for (Value operand : op->getOperands())
      wanted.push_back(active.contains(operand));
    if (llvm::none_of(wanted, [](bool w) { return w; }))
      return success();
    auto rule = dyn_cast<llm::DifferentiableOpInterface>(op);
    if (!rule)
      return op->emitOpError("has no gradient rule, but a parameter needs one");
    SmallVector<Value> operandGradients(op->getNumOperands());
    if (failed(
            rule.buildGradients(b, resultGradients, wanted, operandGradients)))
      return failure();
    for (auto [operand, gradient] :
         llvm::zip(op->getOperands(), operandGradients)) {
      if (!gradient)
        continue;
      Value &sum = gradients[operand];
      sum = sum ? llm::AddOp::create(b, op->getLoc(), sum, gradient).getResult()
                : gradient;
    }
    return success();
  }

  LogicalResult returnInputGradients() {
    for (BlockArgument argument : block.getArguments()) {
      unsigned i = argument.getArgNumber();
      StringAttr name = gradientName(i);
      if (!name)
        continue;
      Value gradient = gradients.lookup(argument);
      if (!gradient)
        return emitError(argument.getLoc(), "the loss does not depend on the "
                                            "input whose gradient is asked "
                                            "for as ")
               << name;
      unsigned result = function.getNumResults();
      (void)function.insertResult(result, gradient.getType(),
                                  b.getDictionaryAttr(b.getNamedAttr(
                                      llm::LlmDialect::kOutputAttr, name)));
      Operation *end = block.getTerminator();
      end->insertOperands(end->getNumOperands(), gradient);
      function.removeArgAttr(i, llm::LlmDialect::kGradientAttr);
    }
    return success();
  }

  void store(llm::ParameterOp parameter, Value gradient) {
    if (accumulate) {
      Value pending = llm::PendingGradientOp::create(
          b, parameter.getLoc(), parameter.getType(), parameter.getName());
      gradient = llm::AddOp::create(b, parameter.getLoc(), pending, gradient);
    }
    llm::GradientStoreOp::create(b, parameter.getLoc(), parameter.getName(),
                                 gradient);
  }
};

struct Differentiate : llamac::impl::DifferentiateBase<Differentiate> {
  void runOnOperation() override {
    auto task = getOperation()->getAttrOfType<llm::TaskAttr>(
        llm::LlmDialect::kTaskAttr);
    bool accumulate = task && task.getAccumulation() > 1;
    for (auto f : getOperation().getOps<func::FuncOp>()) {
      auto program =
          f->getAttrOfType<llm::ProgramAttr>(llm::LlmDialect::kProgramAttr);
      if (!program || program.getKind() == llm::ProgramKind::Evaluate)
        continue;
      Value loss = findLoss(f);
      if (!loss) {
        f.emitError("a training program returns \"loss\"");
        return signalPassFailure();
      }
      bool adds = accumulate && program.getKind() != llm::ProgramKind::Gradient;
      if (failed(Backward(f, adds).run(loss)))
        return signalPassFailure();
    }
  }

  static Value findLoss(func::FuncOp f) {
    for (unsigned i = 0; i < f.getNumResults(); ++i) {
      auto name =
          f.getResultAttrOfType<StringAttr>(i, llm::LlmDialect::kOutputAttr);
      if (name && name.getValue() == "loss")
        return f.getBody().front().getTerminator()->getOperand(i);
    }
    return {};
  }
};

} // namespace
