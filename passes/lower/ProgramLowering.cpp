//===- ProgramLowering.cpp - One function as one plan.program -------------===//
#include "passes/lower/ProgramLowering.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace llamac;

namespace {

class ProgramLowering {
public:
  ProgramLowering(func::FuncOp function, const Storage &storage,
                  KernelTable &kernels, OpBuilder &outer)
      : function(function), storage(storage), kernels(kernels), b(outer) {}

  void run() {
    auto attr = function->getAttrOfType<llm::ProgramAttr>(
        llm::LlmDialect::kProgramAttr);
    tokens = attr.getTokens();
    sequences = attr.getSequences();
    // The two enums have the same cases.
    auto kind =
        *plan::symbolizeProgramKind(llm::stringifyProgramKind(attr.getKind()));
    auto program = plan::ProgramOp::create(
        b, function.getLoc(), function.getName(), kind, tokens, sequences);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(&program.getBlock());
    findHomes();
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      StringRef name =
          label(function.getArgAttrDict(i), llm::LlmDialect::kInputAttr);
      Value argument = function.getArgument(i);
      Value buffer = at(argument, storage.input(name));
      plan::InputOp::create(b, function.getLoc(), name, buffer);
    }
    Block &body = function.getBody().front();
    for (Operation &op : body.without_terminator())
      lower(&op);
    for (auto [i, value] :
         llvm::enumerate(body.getTerminator()->getOperands())) {
      StringRef name =
          label(function.getResultAttrDict(i), llm::LlmDialect::kOutputAttr);
      Value buffer = deliver(function.getLoc(), value, storage.output(name));
      plan::OutputOp::create(b, function.getLoc(), name, buffer);
    }
    program.setFlops(flops);
    program.setBytes(bytes);
  }

private:
  func::FuncOp function;
  const Storage &storage;
  KernelTable &kernels;
  OpBuilder &b;
  int64_t tokens = 0, sequences = 0, flops = 0, bytes = 0;
  /// Where a value is wanted in the end; decided before it is computed.
  llvm::DenseMap<Value, Place> homes;
  llvm::DenseMap<Value, Value> buffers;

  static StringRef label(DictionaryAttr attrs, StringRef key) {
    return attrs.getAs<StringAttr>(key).getValue();
  }

  /// The result of a launch, not of something that only names storage.
  static bool isComputed(Value value) {
    return isa_and_nonnull<llm::MatmulOp, llm::RowwiseOp, llm::AttentionOp,
                           llm::AttentionGradOp>(value.getDefiningOp());
  }

  /// A computed value that is stored or returned is computed in its slot.
  void findHomes() {
    auto want = [&](Value value, Place place) {
      if (isComputed(value))
        homes.try_emplace(value, place);
    };
    for (Operation &op : function.getBody().front()) {
      if (auto store = dyn_cast<llm::GradientStoreOp>(op))
        want(store.getValue(), storage.gradient(store.getName()));
      else if (auto store = dyn_cast<llm::FlatStoreOp>(op))
        want(store.getValue(), storage.flat(store.getFlat()));
      else if (isa<func::ReturnOp>(op))
        for (auto [i, value] : llvm::enumerate(op.getOperands()))
          want(value, storage.output(label(function.getResultAttrDict(i),
                                           llm::LlmDialect::kOutputAttr)));
    }
  }

  Value place(Location loc, Type type, Place place) {
    return plan::BufferOp::create(b, loc, type, place.allocation, place.offset);
  }

  /// Binds a value to fixed storage.
  Value at(Value value, Place where) {
    return buffers[value] = place(value.getLoc(), value.getType(), where);
  }

  /// The buffer a result is computed in.
  Value target(Value result) {
    if (auto home = homes.find(result); home != homes.end())
      return at(result, home->second);
    return buffers[result] = plan::BufferOp::create(
               b, result.getLoc(), result.getType(), Storage::kActivations);
  }

  bool isAt(Value buffer, Place where) {
    auto op = buffer.getDefiningOp<plan::BufferOp>();
    return op.getOffset() &&
           static_cast<int64_t>(*op.getOffset()) == where.offset &&
           op.getAllocation() == where.allocation;
  }

  using Home = llvm::DenseMap<Value, Place>::iterator;
  bool atHome(Value buffer, Home home) {
    return home != homes.end() && isAt(buffer, home->second);
  }

  /// Puts a value where it is wanted, with a copy only if it is not there.
  Value deliver(Location loc, Value value, Place where) {
    Value buffer = buffers.lookup(value);
    if (isAt(buffer, where))
      return buffer;
    Value slot = place(loc, value.getType(), where);
    plan::CopyOp::create(b, loc, buffer, slot);
    return slot;
  }

  SmallVector<Value> lookup(ValueRange values) {
    return llvm::map_to_vector(values,
                               [&](Value v) { return buffers.lookup(v); });
  }

  void countTraffic(ValueRange values) {
    for (Value v : values)
      bytes +=
          plan::placeBytes(cast<RankedTensorType>(v.getType())).value_or(0);
  }

  void lower(Operation *op) {
    if (auto weight = dyn_cast<llm::WeightOp>(op)) {
      at(weight, storage.weight(weight));
    } else if (auto parameter = dyn_cast<llm::ParameterOp>(op)) {
      at(parameter, storage.parameter(parameter.getName()));
    } else if (auto constant = dyn_cast<llm::ConstantOp>(op)) {
      at(constant, storage.constant(constant));
    } else if (auto pending = dyn_cast<llm::PendingGradientOp>(op)) {
      at(pending, storage.gradient(pending.getName()));
    } else if (auto load = dyn_cast<llm::FlatLoadOp>(op)) {
      at(load, storage.flat(load.getFlat()));
    } else if (auto store = dyn_cast<llm::GradientStoreOp>(op)) {
      deliver(op->getLoc(), store.getValue(),
              storage.gradient(store.getName()));
    } else if (auto store = dyn_cast<llm::FlatStoreOp>(op)) {
      deliver(op->getLoc(), store.getValue(), storage.flat(store.getFlat()));
    } else if (auto clear = dyn_cast<llm::FlatClearOp>(op)) {
      Value buffer =
          place(op->getLoc(), clear.getType(), storage.flat(clear.getFlat()));
      plan::FillOp::create(b, op->getLoc(), buffer, 0.0);
    } else if (auto matmul = dyn_cast<llm::MatmulOp>(op)) {
      lowerMatmul(matmul);
    } else {
      lowerKernel(op);
    }
  }

  void lowerMatmul(llm::MatmulOp op) {
    Location loc = op.getLoc();
    Value d;
    if (Value c = op.getAccumulate()) {
      d = buffers.lookup(c);
      auto home = homes.find(op.getResult());
      bool elsewhere = home != homes.end() && !atHome(d, home);
      // Storage that others still read, or that holds more than this value
      // (a weight, an input), stays as it is.
      bool shared = !c.hasOneUse() || !(isComputed(c) || atHome(d, home));
      if (elsewhere || shared) {
        Value copy = target(op.getResult());
        plan::CopyOp::create(b, loc, d, copy);
        d = copy;
      }
      buffers[op.getResult()] = d;
    } else {
      d = target(op.getResult());
    }
    plan::GemmOp::create(b, loc, buffers.lookup(op.getA()),
                         buffers.lookup(op.getB()), d, op.getTransposeA(),
                         op.getTransposeB(), op.getAlpha().convertToDouble(),
                         op.getAccumulate() ? 1.0 : 0.0);
    flops += 2 * op.getM() * op.getN() * op.getK();
    countTraffic({op.getA(), op.getB(), op.getResult()});
  }

  void lowerKernel(Operation *op) {
    SmallVector<Value> reads = lookup(op->getOperands());
    SmallVector<Value> writes;
    for (Value result : op->getResults())
      writes.push_back(target(result));
    SmallVector<int64_t> scalars;
    int64_t items, grain = 1;
    if (auto rowwise = dyn_cast<llm::RowwiseOp>(op)) {
      items = rowwise.getRows();
      // About 16 Ki elements are worth waking another thread for.
      grain =
          std::max<int64_t>(1, 16384 / static_cast<int64_t>(rowwise.getCols()));
    } else {
      // llm.attention and its gradient: one item a sequence and kv head.
      int64_t heads = op->getAttrOfType<IntegerAttr>("heads").getInt();
      items = sequences * op->getAttrOfType<IntegerAttr>("kv_heads").getInt();
      scalars = {tokens, sequences};
      // q k^T and p v over the causal half, sequences of equal length; the
      // gradient does five products of that size.
      auto q = cast<RankedTensorType>(op->getOperand(0).getType());
      int64_t head = q.getDimSize(1) / heads;
      int64_t product = tokens * (tokens / sequences + 1) * heads * head;
      flops += product * (isa<llm::AttentionOp>(op) ? 2 : 5);
    }
    auto launch = plan::LaunchOp::create(
        b, op->getLoc(),
        FlatSymbolRefAttr::get(b.getContext(), kernels.kernelFor(op)), reads,
        writes, b.getDenseI64ArrayAttr(scalars),
        b.getDenseI64ArrayAttr({items, 1, 1}),
        b.getDenseI64ArrayAttr({1, 1, 1}), b.getI64IntegerAttr(0),
        b.getI64IntegerAttr(grain), b.getI64IntegerAttr(0),
        b.getDenseI64ArrayAttr({}));
    (void)launch;
    countTraffic(op->getOperands());
    countTraffic(op->getResults());
  }
};

} // namespace

void llamac::lowerProgram(OpBuilder &builder, func::FuncOp function,
                          const Storage &storage, KernelTable &kernels) {
  ProgramLowering(function, storage, kernels, builder).run();
}
