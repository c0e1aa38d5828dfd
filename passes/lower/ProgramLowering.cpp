//===- ProgramLowering.cpp - One function as one plan.program -------------===//
#include "passes/lower/ProgramLowering.h"

#include "passes/lower/Homes.h"

#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace llamac;

namespace {

/// Where a value lies: all of a buffer, or rows `pitch` elements apart that
/// begin `offset` elements into it.
struct Spot {
  Value buffer;
  int64_t offset = 0, pitch = 0; // pitch 0: all of the buffer
};

class ProgramLowering {
public:
  ProgramLowering(func::FuncOp function, const Storage &storage,
                  KernelTable &kernels, OpBuilder &outer,
                  const LoweringOptions &options)
      : function(function), storage(storage), kernels(kernels), b(outer),
        homes(function, storage, options.stridedAttention) {}

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
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      StringRef name =
          label(function.getArgAttrDict(i), llm::LlmDialect::kInputAttr);
      Value argument = function.getArgument(i);
      at(argument, storage.input(name));
      plan::InputOp::create(b, function.getLoc(), name, bufferOf(argument));
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
  Homes homes;
  int64_t tokens = 0, sequences = 0, flops = 0, bytes = 0;
  llvm::DenseMap<Value, Spot> spots;
  llvm::DenseMap<Value, Value> buffers; // or views, as steps take them

  static StringRef label(DictionaryAttr attrs, StringRef key) {
    return attrs.getAs<StringAttr>(key).getValue();
  }
  static RankedTensorType typeOf(Value value) {
    return cast<RankedTensorType>(value.getType());
  }

  //===--------------------------------------------------------------------===//
  // Where values lie
  //===--------------------------------------------------------------------===//

  Value place(Location loc, Type type, Place place) {
    return plan::BufferOp::create(b, loc, type, place.allocation, place.offset);
  }

  /// Binds a value to fixed storage.
  void at(Value value, Place where) {
    spots[value] = {place(value.getLoc(), value.getType(), where)};
  }

  /// A part of a matrix that lies at `whole`.
  Spot part(Spot whole, int64_t row, int64_t column) {
    int64_t pitch =
        whole.pitch ? whole.pitch : typeOf(whole.buffer).getShape().back();
    return {whole.buffer, whole.offset + row * pitch + column, pitch};
  }

  /// Where a result is computed.
  Spot target(Value result) {
    if (auto it = spots.find(result); it != spots.end())
      return it->second;
    Spot spot;
    const Home *home = homes.lookup(result);
    Value replaced = homes.replaced(result);
    if (home && home->container)
      spot = part(target(home->container), 0, home->column);
    else if (home)
      spot = {place(result.getLoc(), result.getType(), home->place)};
    else if (replaced)
      spot = target(replaced);
    else
      spot = {plan::BufferOp::create(b, result.getLoc(), result.getType(),
                                     Storage::kActivations)};
    return spots[result] = spot;
  }

  /// The operand or result of a step that a value is.
  Value bufferOf(Value value) {
    Spot spot = target(value);
    if (!spot.pitch ||
        (spot.offset == 0 && spot.buffer.getType() == value.getType()))
      return spot.buffer;
    Value &view = buffers[value];
    if (!view)
      view =
          plan::ViewOp::create(b, value.getLoc(), value.getType(), spot.buffer,
                               static_cast<uint64_t>(spot.offset),
                               static_cast<uint64_t>(spot.pitch));
    return view;
  }
  SmallVector<Value> buffersOf(ValueRange values) {
    return llvm::map_to_vector(values, [&](Value v) { return bufferOf(v); });
  }

  bool isAt(Value value, Place where) {
    Spot spot = target(value);
    auto op = spot.buffer.getDefiningOp<plan::BufferOp>();
    if (!op.getOffset() || op.getAllocation() != where.allocation ||
        (spot.pitch && spot.pitch != typeOf(value).getDimSize(1)))
      return false;
    int64_t width = typeOf(value).getElementTypeBitWidth() / 8;
    return static_cast<int64_t>(*op.getOffset()) + spot.offset * width ==
           where.offset;
  }

  /// Puts a value where it is wanted, with a copy only if it is not there.
  Value deliver(Location loc, Value value, Place where) {
    if (isAt(value, where))
      return bufferOf(value);
    Value slot = place(loc, value.getType(), where);
    plan::CopyOp::create(b, loc, bufferOf(value), slot);
    return slot;
  }

  void countTraffic(ValueRange values) {
    for (Value v : values)
      bytes += plan::placeBytes(typeOf(v)).value_or(0);
  }

  //===--------------------------------------------------------------------===//
  // Steps
  //===--------------------------------------------------------------------===//

  void lower(Operation *op) {
    if (auto weight = dyn_cast<llm::WeightOp>(op)) {
      at(weight, storage.weight(weight));
    } else if (auto folded = dyn_cast<llm::FoldedWeightOp>(op)) {
      at(folded, storage.folded(folded));
    } else if (auto parameter = dyn_cast<llm::ParameterOp>(op)) {
      at(parameter, storage.parameter(parameter.getName()));
    } else if (auto constant = dyn_cast<llm::ConstantOp>(op)) {
      at(constant, storage.constant(constant));
    } else if (auto pending = dyn_cast<llm::PendingGradientOp>(op)) {
      at(pending, storage.gradient(pending.getName()));
    } else if (auto load = dyn_cast<llm::FlatLoadOp>(op)) {
      at(load, storage.flat(load.getFlat()));
    } else if (auto panel = dyn_cast<llm::PanelOp>(op)) {
      spots[panel] =
          part(target(panel.getX()), panel.getRow(), panel.getColumn());
    } else if (isa<llm::ConcatOp>(op)) {
      // Its parts were computed in it.
    } else if (auto store = dyn_cast<llm::GradientStoreOp>(op)) {
      deliver(op->getLoc(), store.getValue(),
              storage.gradient(store.getName()));
    } else if (auto store = dyn_cast<llm::FlatStoreOp>(op)) {
      deliver(op->getLoc(), store.getValue(), storage.flat(store.getFlat()));
    } else if (auto clear = dyn_cast<llm::FlatClearOp>(op)) {
      Value buffer =
          place(op->getLoc(), clear.getType(), storage.flat(clear.getFlat()));
      plan::FillOp::create(b, op->getLoc(), buffer, 0.0);
    } else if (isa<llm::FoldFactorsOp>(op)) {
      foldFactors(op->getLoc());
    } else if (auto reduce = dyn_cast<llm::ReduceGradientsOp>(op)) {
      lowerReduce(reduce);
    } else if (auto sum = dyn_cast<shard::AllReduceOp>(op)) {
      Value in = sum.getInput();
      if (in.hasOneUse() && Homes::isComputed(in) &&
          !homes.lookup(sum.getResult()))
        spots[sum.getResult()] = target(in);
      collective(op, plan::CollectiveKind::AllReduceSum, sum.getGridAxes());
    } else if (auto gather = dyn_cast<shard::AllGatherOp>(op)) {
      collective(op, plan::CollectiveKind::AllGather, gather.getGridAxes());
    } else if (auto scatter = dyn_cast<shard::ReduceScatterOp>(op)) {
      collective(op, plan::CollectiveKind::ReduceScatterSum,
                 scatter.getGridAxes());
    } else if (auto matmul = dyn_cast<llm::MatmulOp>(op)) {
      lowerMatmul(matmul);
    } else {
      lowerKernel(op);
    }
  }

  template <typename Axes>
  void collective(Location loc, plan::CollectiveKind kind, Axes axes,
                  Value source, Value target) {
    plan::CollectiveOp::create(b, loc, kind, SmallVector<int64_t>(axes), source,
                               target);
  }
  void collective(Operation *op, plan::CollectiveKind kind,
                  ArrayRef<shard::GridAxis> axes) {
    collective(op->getLoc(), kind, axes, bufferOf(op->getOperand(0)),
               bufferOf(op->getResult(0)));
  }

  /// The slots of a bucket, with the padding between them.
  void lowerReduce(llm::ReduceGradientsOp op) {
    auto [begin, end] = storage.gradients(op.getParameters());
    Type element = storage.gradientElement(
        cast<StringAttr>(op.getParameters()[0]).getValue());
    auto type = RankedTensorType::get(
        {(end - begin) * 8 / element.getIntOrFloatBitWidth()}, element);
    Value slots = place(op.getLoc(), type, {"gradients", begin});
    collective(op.getLoc(), plan::CollectiveKind::AllReduceSum, op.getAxes(),
               slots, slots);
  }

  void lowerMatmul(llm::MatmulOp op) {
    Location loc = op.getLoc();
    if (Value c = op.getAccumulate()) {
      Spot there = target(c);
      const Home *home = homes.lookup(op.getResult());
      bool atHome = home && !home->container && isAt(c, home->place);
      if (home && home->container) {
        Spot wanted = target(op.getResult());
        atHome = wanted.buffer == there.buffer && wanted.offset == there.offset;
      }
      // Storage that others still read, or that holds more than this value
      // (a weight, an input), stays as it is.
      bool shared = !c.hasOneUse() || !(Homes::isComputed(c) || atHome);
      if ((home && !atHome) || shared)
        plan::CopyOp::create(b, loc, bufferOf(c), bufferOf(op.getResult()));
      else
        spots[op.getResult()] = there;
    }
    plan::GemmOp::create(b, loc, bufferOf(op.getA()), bufferOf(op.getB()),
                         bufferOf(op.getResult()), op.getTransposeA(),
                         op.getTransposeB(), op.getAlpha().convertToDouble(),
                         op.getAccumulate() ? 1.0 : 0.0);
    flops += 2 * op.getM() * op.getN() * op.getK();
    countTraffic({op.getA(), op.getB(), op.getResult()});
  }

  void launch(Location loc, Operation *source, ArrayRef<Value> reads,
              ArrayRef<Value> writes, ArrayRef<int64_t> scalars, int64_t items,
              int64_t grain) {
    plan::LaunchOp::create(
        b, loc,
        FlatSymbolRefAttr::get(b.getContext(), kernels.kernelFor(source)),
        reads, writes, b.getDenseI64ArrayAttr(scalars),
        b.getDenseI64ArrayAttr({items, 1, 1}),
        b.getDenseI64ArrayAttr({1, 1, 1}), b.getI64IntegerAttr(0),
        b.getI64IntegerAttr(grain), /*programmatic=*/UnitAttr(),
        /*sums=*/IntegerAttr(), b.getI64IntegerAttr(0),
        b.getDenseI64ArrayAttr({}));
  }

  void lowerKernel(Operation *op) {
    SmallVector<Value> reads = buffersOf(op->getOperands());
    SmallVector<Value> writes = buffersOf(op->getResults());
    SmallVector<int64_t> scalars;
    if (auto rowwise = dyn_cast<llm::RowwiseOp>(op)) {
      // About 16 Ki elements are worth waking another thread for.
      int64_t grain =
          std::max<int64_t>(1, 16384 / static_cast<int64_t>(rowwise.getCols()));
      Operation *strided = withStrides(op, reads, writes);
      launch(op->getLoc(), strided, reads, writes, {}, rowwise.getRows(),
             grain);
      strided->destroy();
    } else if (int64_t matrices = tripletMatrices(op)) {
      int64_t modules = tripletTable(op).getDimSize(0);
      launch(op->getLoc(), op, reads, writes, {modules},
             matrices > 0 ? matrices * modules : 1, 1);
    } else {
      // llm.attention and its gradient: one item a sequence and kv head.
      int64_t heads = op->getAttrOfType<IntegerAttr>("heads").getInt();
      int64_t items =
          sequences * op->getAttrOfType<IntegerAttr>("kv_heads").getInt();
      launch(op->getLoc(), op, reads, writes, {tokens, sequences}, items, 1);
      // q k^T and p v over the causal half, sequences of equal length; the
      // gradient does five products of that size.
      auto q = typeOf(op->getOperand(0));
      int64_t head = q.getDimSize(1) / heads;
      int64_t product = tokens * (tokens / sequences + 1) * heads * head;
      flops += product * (isa<llm::AttentionOp>(op) ? 2 : 5);
    }
    countTraffic(op->getOperands());
    countTraffic(op->getResults());
  }

  /// Work items of an op over triplets for each module; -1: one in all; 0: it
  /// is no such op.
  static int64_t tripletMatrices(Operation *op) {
    return llvm::TypeSwitch<Operation *, int64_t>(op)
        .Case<llm::TripletGramsOp, llm::TripletFinishOp>([](auto) { return 2; })
        .Case([](llm::TripletScoresOp) { return 3; })
        .Case([](llm::TripletMaskOp) { return -1; })
        .Default([](Operation *) { return 0; });
  }
  static RankedTensorType tripletTable(Operation *op) {
    return llvm::TypeSwitch<Operation *, RankedTensorType>(op)
        .Case<llm::TripletGramsOp, llm::TripletFinishOp, llm::TripletScoresOp,
              llm::TripletMaskOp>([](auto o) { return typeOf(o.getTable()); });
  }

  /// A copy of a llm.rowwise, in no block, with operands and results as wide as
  /// their rows are apart. Its operands are arguments of `scratch`.
  Operation *withStrides(Operation *op, ArrayRef<Value> reads,
                         ArrayRef<Value> writes) {
    auto wide = [](Value value) -> Type {
      auto type = typeOf(value);
      auto view = value.getDefiningOp<plan::ViewOp>();
      return view ? RankedTensorType::get(
                        {type.getDimSize(0),
                         static_cast<int64_t>(view.getPitch())},
                        type.getElementType())
                  : type;
    };
    scratch = std::make_unique<Block>();
    Operation *copy = op->clone();
    // One argument for each different operand: the kernel reads it once.
    llvm::DenseMap<Value, Value> arguments;
    for (auto [operand, buffer] : llvm::zip(copy->getOpOperands(), reads)) {
      Value &argument = arguments[operand.get()];
      if (!argument)
        argument = scratch->addArgument(wide(buffer), op->getLoc());
      operand.set(argument);
    }
    for (auto [result, buffer] : llvm::zip(copy->getResults(), writes))
      result.setType(wide(buffer));
    return copy;
  }
  std::unique_ptr<Block> scratch;

  void foldFactors(Location loc) {
    Storage::FoldPlaces places = storage.foldPlaces();
    Block block;
    Value params = block.addArgument(places.parametersType, loc);
    Value segments = block.addArgument(places.segmentsType, loc);
    // The block has no parent op to take the context from.
    OpBuilder inside(b.getContext());
    inside.setInsertionPointToEnd(&block);
    auto source = llm::FoldIntoOp::create(inside, loc, places.weightsType,
                                          params, segments);
    SmallVector<Value> reads{
        place(loc, places.parametersType, places.parameters),
        place(loc, places.segmentsType, places.segments)};
    SmallVector<Value> writes{place(loc, places.weightsType, places.weights)};
    launch(loc, source, reads, writes, {places.segmentsType.getDimSize(0)},
           places.parametersType.getDimSize(0), 16);
    bytes += plan::placeBytes(places.parametersType).value_or(0) * 3 / 2;
  }
};

} // namespace

void llamac::lowerProgram(OpBuilder &builder, func::FuncOp function,
                          const Storage &storage, KernelTable &kernels,
                          const LoweringOptions &options) {
  ProgramLowering(function, storage, kernels, builder, options).run();
}
