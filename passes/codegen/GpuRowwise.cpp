//===- GpuRowwise.cpp - llm.rowwise as one block per row ------------------===//
#include "passes/codegen/GpuRowwise.h"

#include "passes/codegen/KernelBuffers.h"
#include "passes/codegen/RowwiseBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <limits>

using namespace mlir;
using namespace llamac;

using llm::ReduceKind;
using llm::RowReduceOp;
using llm::RowwiseOp;

static constexpr int64_t kWarp = 32;
static constexpr int64_t kMostThreads = 256;

int64_t llamac::gpuRowwiseThreads(RowwiseOp op) {
  int64_t cols = op.getCols();
  return std::clamp<int64_t>(llvm::divideCeil(cols, kWarp) * kWarp, kWarp,
                             kMostThreads);
}

namespace {

using Memo = llvm::DenseMap<Value, Value>;

class GpuRowwiseEmitter {
public:
  GpuRowwiseEmitter(RowwiseOp op, KernelBuilder &k)
      : op(op), k(k), cols(op.getCols()), threads(gpuRowwiseThreads(op)),
        body(op) {}

  LogicalResult analyze();
  void emit(gpu::GPUFuncOp function, Value sharedMemory);
  /// Bytes of shared memory: eight per warp and reduction. No slot is used
  /// twice, so one barrier per pass is enough.
  int64_t sharedBytes() const {
    int64_t slots = 0;
    for (auto &level : body.levels)
      slots += level.size();
    return threads > kWarp ? slots * slotBytes() : 0;
  }

private:
  /// One input or yield with its addresses.
  struct Access : RowwiseBody::Access {
    Value base; // of the buffer
    Value row;  // of this row's column 0
  };

  int64_t slotBytes() const { return threads / kWarp * 8; }
  void emitReductions(MutableArrayRef<RowReduceOp> reduces);
  void emitWrites();
  Value combine(RowReduceOp reduce, Value x, Value total);
  Value shuffle(Value x, int64_t distance);
  Value acrossWarp(RowReduceOp reduce, Value x);

  Value readAddress(unsigned i);
  Value writeAddress(unsigned j);
  /// A value that is the same in all columns, in every thread.
  Value uniform(Value value);
  /// Emits all uniform values and addresses that `value` needs, before a loop.
  void prepare(Value value, llvm::DenseSet<Value> &seen);
  Value varying(Value value, Value column, Memo &memo);

  RowwiseOp op;
  KernelBuilder &k;
  int64_t cols, threads;
  RowwiseBody body;
  llvm::SmallVector<Access> reads, writes;
  Value row, thread; // i64
  Value shared;
  int64_t sharedUsed = 0;
  Memo scalars;
};

} // namespace

LogicalResult GpuRowwiseEmitter::analyze() {
  if (failed(body.analyze("GPU")))
    return failure();
  for (auto &access : body.reads)
    reads.push_back({access, Value(), Value()});
  for (auto &access : body.writes)
    writes.push_back({access, Value(), Value()});
  return success();
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value GpuRowwiseEmitter::readAddress(unsigned i) {
  if (reads[i].row)
    return reads[i].row;
  Value symbol;
  if (int64_t from = op.getIndexInputs()[i]; from >= 0) {
    symbol = uniform(op.getBlock().getArgument(from));
    if (!symbol.getType().isInteger(64))
      symbol = arith::ExtSIOp::create(k.b, k.loc, k.b.getI64Type(), symbol);
    symbol = k.max(symbol, k.i64(0));
    if (auto bound = reads[i].index.indexBound)
      symbol = k.min(symbol, k.i64(*bound));
  }
  Value offset = reads[i].index.emitRowPart(k, row, symbol);
  return reads[i].row = k.at(reads[i].base, offset, reads[i].element);
}

Value GpuRowwiseEmitter::writeAddress(unsigned j) {
  if (!writes[j].row)
    writes[j].row =
        k.at(writes[j].base, writes[j].index.emitRowPart(k, row, Value()),
             writes[j].element);
  return writes[j].row;
}

Value GpuRowwiseEmitter::uniform(Value value) {
  if (auto it = scalars.find(value); it != scalars.end())
    return it->second;
  Value result;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned i = argument.getArgNumber();
    result = k.load(reads[i].element, readAddress(i), k.i64(0));
  } else if (auto reduce = value.getDefiningOp<RowReduceOp>()) {
    assert(cols == 1 && "reductions are emitted level by level");
    result = uniform(reduce.getValue());
  } else if (value.getDefiningOp<llm::RowIndexOp>()) {
    result = row;
  } else if (value.getDefiningOp<llm::ColumnIndexOp>()) {
    result = k.i64(0);
  } else {
    result = body.emitOp(
        k, value.getDefiningOp(), [&](Value v) { return uniform(v); }, 1);
  }
  return scalars[value] = result;
}

void GpuRowwiseEmitter::prepare(Value value, llvm::DenseSet<Value> &seen) {
  if (!seen.insert(value).second)
    return;
  if (body.isUniform(value)) {
    uniform(value);
    return;
  }
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    readAddress(argument.getArgNumber());
    return;
  }
  for (Value operand : value.getDefiningOp()->getOperands())
    prepare(operand, seen);
}

Value GpuRowwiseEmitter::varying(Value value, Value column, Memo &memo) {
  if (body.isUniform(value))
    return uniform(value);
  if (auto it = memo.find(value); it != memo.end())
    return it->second;
  Value result;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    Access &access = reads[argument.getArgNumber()];
    result =
        k.load(access.element, access.row, k.mul(column, access.index.column));
  } else if (value.getDefiningOp<llm::ColumnIndexOp>()) {
    result = column;
  } else {
    result = body.emitOp(
        k, value.getDefiningOp(),
        [&](Value v) { return varying(v, column, memo); }, 1);
  }
  return memo[value] = result;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

Value GpuRowwiseEmitter::combine(RowReduceOp reduce, Value x, Value total) {
  return reduce.getKind() == ReduceKind::Add ? k.addf(total, x)
                                             : k.maxf(x, total);
}

/// The value of lane (own lane xor `distance`).
Value GpuRowwiseEmitter::shuffle(Value x, int64_t distance) {
  OpBuilder &b = k.b;
  auto exchange = [&](Value word) {
    return gpu::ShuffleOp::create(b, k.loc, word, distance, kWarp,
                                  gpu::ShuffleMode::XOR)
        .getShuffleResult();
  };
  if (!x.getType().isF64())
    return exchange(x);
  // Lanes exchange 32 bits at a time.
  Type word = b.getI32Type(), pair = b.getI64Type();
  Value bits = arith::BitcastOp::create(b, k.loc, pair, x);
  Value high = arith::ShRUIOp::create(b, k.loc, bits, k.i64(32));
  Value low = exchange(arith::TruncIOp::create(b, k.loc, word, bits));
  high = exchange(arith::TruncIOp::create(b, k.loc, word, high));
  low = arith::ExtUIOp::create(b, k.loc, pair, low);
  high = arith::ExtUIOp::create(b, k.loc, pair, high);
  high = arith::ShLIOp::create(b, k.loc, high, k.i64(32));
  bits = arith::OrIOp::create(b, k.loc, high, low);
  return arith::BitcastOp::create(b, k.loc, b.getF64Type(), bits);
}

/// Both operands of every step are the same pair in both lanes, so all lanes
/// end with the same bits.
Value GpuRowwiseEmitter::acrossWarp(RowReduceOp reduce, Value x) {
  for (int64_t distance = kWarp / 2; distance > 0; distance /= 2)
    x = combine(reduce, shuffle(x, distance), x);
  return x;
}

void GpuRowwiseEmitter::emitReductions(MutableArrayRef<RowReduceOp> reduces) {
  llvm::DenseSet<Value> seen;
  KernelBuilder::Values totals;
  for (RowReduceOp reduce : reduces) {
    prepare(reduce.getValue(), seen);
    totals.push_back(k.real(reduce.getType(),
                            reduce.getKind() == ReduceKind::Add
                                ? 0.0
                                : -std::numeric_limits<double>::infinity()));
  }
  totals =
      k.loop(thread, k.i64(cols), threads, totals,
             [&](Value column, ValueRange carried) {
               Memo memo;
               KernelBuilder::Values next;
               for (auto [reduce, total] : llvm::zip(reduces, carried))
                 next.push_back(combine(
                     reduce, varying(reduce.getValue(), column, memo), total));
               return next;
             });
  for (auto [i, reduce] : llvm::enumerate(reduces))
    totals[i] = acrossWarp(reduce, totals[i]);
  if (threads > kWarp) {
    KernelBuilder::Values slots;
    for (size_t i = 0; i < reduces.size(); ++i, sharedUsed += slotBytes())
      slots.push_back(k.at(shared, k.i64(sharedUsed), k.b.getI8Type()));
    Value lane = k.rem(thread, kWarp), warp = k.div(thread, kWarp);
    Value first = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::eq,
                                        lane, k.i64(0));
    k.when(first, [&] {
      for (auto [total, slot] : llvm::zip(totals, slots))
        k.store(total, slot, warp);
    });
    gpu::BarrierOp::create(k.b, k.loc);
    for (auto [i, reduce] : llvm::enumerate(reduces)) {
      Type type = reduce.getType();
      Value total = k.load(type, slots[i], k.i64(0));
      for (int64_t w = 1; w < threads / kWarp; ++w)
        total = combine(reduce, k.load(type, slots[i], k.i64(w)), total);
      totals[i] = total;
    }
  }
  for (auto [reduce, total] : llvm::zip(reduces, totals))
    scalars[reduce->getResult(0)] = total;
}

void GpuRowwiseEmitter::emitWrites() {
  llvm::DenseSet<Value> seen;
  auto values = op.getYield().getValues();
  llvm::SmallVector<unsigned> byColumn, perRow;
  for (auto [j, value] : llvm::enumerate(values)) {
    prepare(value, seen);
    writeAddress(j);
    (writes[j].index.column != 0 ? byColumn : perRow).push_back(j);
  }
  if (!byColumn.empty())
    k.loop(thread, k.i64(cols), threads, [&](Value column) {
      // All reads of this column come before the writes: results may alias
      // inputs element by element.
      Memo memo;
      KernelBuilder::Values computed;
      for (unsigned j : byColumn)
        computed.push_back(varying(values[j], column, memo));
      for (auto [j, value] : llvm::zip(byColumn, computed))
        k.store(value, writes[j].row, k.mul(column, writes[j].index.column));
    });
  if (perRow.empty())
    return;
  KernelBuilder::Values computed;
  for (unsigned j : perRow)
    computed.push_back(uniform(values[j]));
  // Every thread has read what a row's result may alias.
  gpu::BarrierOp::create(k.b, k.loc);
  Value first = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::eq,
                                      thread, k.i64(0));
  k.when(first, [&] {
    for (auto [j, value] : llvm::zip(perRow, computed))
      k.store(value, writes[j].row, k.i64(0));
  });
}

void GpuRowwiseEmitter::emit(gpu::GPUFuncOp function, Value sharedMemory) {
  shared = sharedMemory;
  KernelBuffers buffers = KernelBuffers::of(op);
  for (auto [i, access] : llvm::enumerate(reads))
    access.base = function.getArgument(buffers.operands[i]);
  for (auto [j, access] : llvm::enumerate(writes))
    access.base =
        function.getArgument(buffers.firstResult + op.getYieldResults()[j]);
  auto asI64 = [&](Value index) -> Value {
    return arith::IndexCastOp::create(k.b, k.loc, k.b.getI64Type(), index);
  };
  row = asI64(gpu::BlockIdOp::create(k.b, k.loc, gpu::Dimension::x));
  thread = asI64(gpu::ThreadIdOp::create(k.b, k.loc, gpu::Dimension::x));
  for (MutableArrayRef<RowReduceOp> reduces : body.levels)
    emitReductions(reduces);
  emitWrites();
}

FailureOr<gpu::GPUFuncOp> llamac::emitGpuRowwise(OpBuilder &builder,
                                                 gpu::GPUModuleOp target,
                                                 StringRef symbol,
                                                 RowwiseOp op) {
  OpBuilder::InsertionGuard guard(builder);
  KernelBuilder k(builder, op.getLoc());
  GpuRowwiseEmitter emitter(op, k);
  if (failed(emitter.analyze()))
    return failure();

  builder.setInsertionPointToEnd(target.getBody());
  MLIRContext *context = builder.getContext();
  auto pointer = [&](NVVM::NVVMMemorySpace space) {
    return LLVM::LLVMPointerType::get(context, static_cast<unsigned>(space));
  };
  LLVM::GlobalOp global;
  if (int64_t bytes = emitter.sharedBytes())
    global = LLVM::GlobalOp::create(
        builder, k.loc, LLVM::LLVMArrayType::get(builder.getI8Type(), bytes),
        /*isConstant=*/false, LLVM::Linkage::Internal,
        (symbol + "__shared").str(), Attribute(), /*alignment=*/8,
        static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared));

  KernelBuffers buffers = KernelBuffers::of(op);
  llvm::SmallVector<Type> parameters(buffers.firstResult + op.getNumResults(),
                                     pointer(NVVM::NVVMMemorySpace::Global));
  auto function = gpu::GPUFuncOp::create(
      builder, k.loc, symbol, builder.getFunctionType(parameters, {}));
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  function.setKnownBlockSizeAttr(builder.getDenseI32ArrayAttr(
      {static_cast<int32_t>(gpuRowwiseThreads(op)), 1, 1}));
  builder.setInsertionPointToEnd(&function.getBody().front());
  auto end = gpu::ReturnOp::create(builder, k.loc);
  builder.setInsertionPoint(end);
  Value shared;
  if (global)
    shared = LLVM::AddressOfOp::create(builder, k.loc, global);
  emitter.emit(function, shared);
  return function;
}
