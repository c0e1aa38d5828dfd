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
  Backward(func::FuncOp f, bool stores, bool accumulate)
      : function(f), block(f.getBody().front()), b(block.getTerminator()),
        stores(stores), accumulate(accumulate) {}

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
    returnProbes();
    return returnInputGradients();
  }

private:
  func::FuncOp function;
  Block &block;
  OpBuilder b;
  bool stores, accumulate;
  llvm::DenseSet<Value> active;
  /// Outputs with their names, those of the last layer first.
  SmallVector<std::pair<std::string, Value>> probes;
  llvm::DenseMap<Value, Value> gradients;

  StringAttr gradientName(unsigned argument) {
    return function.getArgAttrOfType<StringAttr>(
        argument, llm::LlmDialect::kGradientAttr);
  }

  /// Values that change when a parameter changes, or an input whose gradient is
  /// asked for, or one that is watched.
  void findActive() {
    for (BlockArgument argument : block.getArguments())
      if (gradientName(argument.getArgNumber()))
        active.insert(argument);
    for (Operation &op : block.without_terminator())
      if (isa<llm::ParameterOp, llm::WatchOp>(op) ||
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
    if (auto watch = dyn_cast<llm::WatchOp>(op))
      probe(watch, resultGradients[0]);
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

  /// Statistics of the gradient of a watched layer's output and weight. The
  /// latter is there for a moment only, as a whole matrix: neither a norm nor a
  /// sum of |W G| can be had without it where devices sum their terms.
  void probe(llm::WatchOp watch, Value dy) {
    auto weightType = RankedTensorType::get(
        cast<RankedTensorType>(watch.getWeight().getType()).getShape(),
        b.getF32Type());
    Location loc = watch.getLoc();
    Value dw = llm::MatmulOp::create(
        b, loc, weightType, dy, watch.getX(), /*accumulate=*/Value(),
        b.getUnitAttr(), /*transpose_b=*/nullptr, b.getF64FloatAttr(1.0));
    StringRef name = watch.getModule();
    probes.emplace_back(
        (name + ":weight_gradient").str(),
        llm::ProbeWeightOp::create(b, loc, dw, watch.getWeight()));
    probes.emplace_back((name + ":output_gradient").str(),
                        llm::ProbeOp::create(b, loc, dy, 0.0));
  }

  void returnProbes() {
    for (auto &[name, value] : llvm::reverse(probes))
      addOutput(b.getStringAttr(name), value);
    for (auto watch :
         llvm::make_early_inc_range(block.getOps<llm::WatchOp>())) {
      watch.replaceAllUsesWith(watch.getY());
      watch.erase();
    }
  }

  void addOutput(StringAttr name, Value value) {
    (void)function.insertResult(function.getNumResults(), value.getType(),
                                b.getDictionaryAttr(b.getNamedAttr(
                                    llm::LlmDialect::kOutputAttr, name)));
    Operation *end = block.getTerminator();
    end->insertOperands(end->getNumOperands(), value);
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
      addOutput(name, gradient);
      function.removeArgAttr(i, llm::LlmDialect::kGradientAttr);
    }
    return success();
  }

  void store(llm::ParameterOp parameter, Value gradient) {
    if (!stores)
      return;
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
      auto kind = program.getKind();
      bool stores = kind != llm::ProgramKind::Probe;
      bool adds = accumulate && kind != llm::ProgramKind::Gradient;
      if (failed(Backward(f, stores, adds).run(loss)))
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
