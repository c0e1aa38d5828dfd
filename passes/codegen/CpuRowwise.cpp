//===- CpuRowwise.cpp - llm.rowwise as a loop over rows -------------------===//
#include "passes/codegen/CpuRowwise.h"

#include "passes/codegen/KernelBuffers.h"
#include "passes/codegen/RowwiseBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
using namespace llamac;

using llm::ReduceKind;
using llm::RowReduceOp;
using llm::RowwiseOp;

namespace {

using Memo = llvm::DenseMap<Value, Value>;

class RowwiseEmitter {
public:
  RowwiseEmitter(RowwiseOp op, KernelBuilder &k)
      : op(op), k(k), cols(op.getCols()), body(op) {}

  /// Whether everything in the op has a CPU form; fills `reads` and `writes`.
  LogicalResult analyze();
  void emit(LLVM::LLVMFuncOp function);

private:
  /// One input or yield with its addresses.
  struct Access : RowwiseBody::Access {
    Value base; // of the buffer
    Value row;  // of this row's column 0
  };

  bool isUniform(Value value) { return body.isUniform(value); }

  void emitRow(Value row);
  void emitReductions(MutableArrayRef<RowReduceOp> reduces);
  void emitWrites();

  /// Address of column 0 of this row in input i or of yield j.
  Value readAddress(unsigned i);
  Value writeAddress(unsigned j);
  /// A value that is the same in all columns, as a scalar; emitted where the
  /// builder is, once per row.
  Value uniform(Value value);
  /// Emits all uniform values and addresses that `value` needs, before a loop.
  void prepare(Value value, llvm::DenseSet<Value> &seen);
  /// The value in columns [column, column + lanes).
  Value varying(Value value, Value column, unsigned lanes, Memo &memo);
  Value emitOp(Operation *bodyOp, llvm::function_ref<Value(Value)> operand,
               unsigned lanes) {
    return body.emitOp(k, bodyOp, operand, lanes);
  }

  RowwiseOp op;
  KernelBuilder &k;
  int64_t cols;
  RowwiseBody body;
  llvm::SmallVector<Access> reads, writes;
  Value row;
  Memo scalars; // of the row being emitted
};

} // namespace

//===----------------------------------------------------------------------===//
// Analysis
//===----------------------------------------------------------------------===//

LogicalResult RowwiseEmitter::analyze() {
  if (failed(body.analyze("CPU")))
    return failure();
  auto add = [&](llvm::SmallVector<Access> &to, RowwiseBody::Access from,
                 AffineMap map, const Twine &what) -> LogicalResult {
    if (from.index.column != 0 && from.index.column != 1)
      return op.emitOpError()
             << what << ": columns must be contiguous, but "
             << AffineMapAttr::get(map) << " takes every " << from.index.column;
    to.push_back({from, Value(), Value()});
    return success();
  };
  for (auto [i, access] : llvm::enumerate(body.reads))
    if (failed(add(reads, access, op.inputMap(i), "input " + Twine(i))))
      return failure();
  for (auto [j, access] : llvm::enumerate(body.writes))
    if (failed(add(writes, access, op.yieldMap(j), "yield " + Twine(j))))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value RowwiseEmitter::readAddress(unsigned i) {
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

Value RowwiseEmitter::writeAddress(unsigned j) {
  if (!writes[j].row)
    writes[j].row =
        k.at(writes[j].base, writes[j].index.emitRowPart(k, row, Value()),
             writes[j].element);
  return writes[j].row;
}

Value RowwiseEmitter::uniform(Value value) {
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
    result = emitOp(
        value.getDefiningOp(), [&](Value v) { return uniform(v); }, 1);
  }
  return scalars[value] = result;
}

void RowwiseEmitter::prepare(Value value, llvm::DenseSet<Value> &seen) {
  if (!seen.insert(value).second)
    return;
  if (isUniform(value)) {
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

Value RowwiseEmitter::varying(Value value, Value column, unsigned lanes,
                              Memo &memo) {
  if (auto it = memo.find(value); it != memo.end())
    return it->second;
  Value result;
  if (isUniform(value)) {
    result = k.splat(uniform(value), lanes);
  } else if (auto argument = dyn_cast<BlockArgument>(value)) {
    Access &access = reads[argument.getArgNumber()];
    result = k.load(k.vec(access.element, lanes), access.row, column);
  } else if (value.getDefiningOp<llm::ColumnIndexOp>()) {
    result = k.iota(column, lanes);
  } else {
    result = emitOp(
        value.getDefiningOp(),
        [&](Value v) { return varying(v, column, lanes, memo); }, lanes);
  }
  return memo[value] = result;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

void RowwiseEmitter::emitReductions(MutableArrayRef<RowReduceOp> reduces) {
  constexpr int64_t lanes = CpuTarget::kLanes;
  llvm::DenseSet<Value> seen;
  for (RowReduceOp reduce : reduces)
    prepare(reduce.getValue(), seen);
  auto combine = [&](RowReduceOp reduce, Value x, Value total) {
    return reduce.getKind() == ReduceKind::Add ? k.addf(total, x)
                                               : k.maxf(x, total);
  };
  auto identity = [&](RowReduceOp reduce, unsigned width) {
    return k.real(k.vec(reduce.getType(), width),
                  reduce.getKind() == ReduceKind::Add
                      ? 0.0
                      : -std::numeric_limits<double>::infinity());
  };

  // Independent sums hide the latency of the addition; two loops' worth of
  // them would spill.
  int64_t count = reduces.size() == 1 ? 4 : reduces.size() == 2 ? 2 : 1;
  KernelBuilder::Values totals;
  for (int64_t u = 0; u < count; ++u)
    for (RowReduceOp reduce : reduces)
      totals.push_back(identity(reduce, lanes));
  auto accumulate = [&](Value column, MutableArrayRef<Value> into) {
    Memo memo;
    for (auto [reduce, total] : llvm::zip(reduces, into))
      total = combine(reduce, varying(reduce.getValue(), column, lanes, memo),
                      total);
  };
  auto part = [&](KernelBuilder::Values &values, int64_t u) {
    return MutableArrayRef<Value>(values).slice(u * reduces.size(),
                                                reduces.size());
  };

  int64_t step = lanes * count, column = cols - cols % step;
  if (column > 0)
    totals = k.loop(k.i64(0), k.i64(column), step, totals,
                    [&](Value c, ValueRange carried) {
                      KernelBuilder::Values next(carried);
                      for (int64_t u = 0; u < count; ++u)
                        accumulate(k.add(c, k.i64(u * lanes)), part(next, u));
                      return next;
                    });
  for (int64_t u = 0; column + lanes <= cols; column += lanes, ++u)
    accumulate(k.i64(column), part(totals, u));

  KernelBuilder::Values sums;
  for (auto [i, reduce] : llvm::enumerate(reduces)) {
    auto both = [&, reduce = reduce](Value x, Value y) {
      return combine(reduce, y, x);
    };
    if (cols < lanes) {
      sums.push_back(identity(reduce, 1));
      continue;
    }
    Value total = part(totals, 0)[i];
    for (int64_t u = 1; u < count; ++u)
      total = both(total, part(totals, u)[i]);
    sums.push_back(k.combineLanes(total, both));
  }
  for (unsigned width : tailLanes(cols)) {
    Memo memo;
    for (auto [reduce, sum] : llvm::zip(reduces, sums)) {
      auto both = [&, reduce = reduce](Value x, Value y) {
        return combine(reduce, y, x);
      };
      Value x = varying(reduce.getValue(), k.i64(column), width, memo);
      // A NaN must not survive a max by being the left operand.
      if (reduce.getKind() == ReduceKind::Max)
        x = k.maxf(x, identity(reduce, width));
      sum = both(sum, k.combineLanes(x, both));
    }
    column += width;
  }
  for (auto [reduce, sum] : llvm::zip(reduces, sums))
    scalars[reduce.getResult()] = sum;
}

void RowwiseEmitter::emitWrites() {
  llvm::DenseSet<Value> seen;
  auto values = op.getYield().getValues();
  llvm::SmallVector<unsigned> byColumn, perRow;
  for (auto [j, value] : llvm::enumerate(values)) {
    prepare(value, seen);
    writeAddress(j);
    (writes[j].index.column == 1 ? byColumn : perRow).push_back(j);
  }
  if (!byColumn.empty())
    k.columns(cols, [&](Value column, unsigned lanes) {
      // All reads of these columns come before the writes: results may alias
      // inputs element by element.
      Memo memo;
      KernelBuilder::Values computed;
      for (unsigned j : byColumn)
        computed.push_back(varying(values[j], column, lanes, memo));
      for (auto [j, value] : llvm::zip(byColumn, computed))
        k.store(value, writes[j].row, column);
    });
  KernelBuilder::Values computed;
  for (unsigned j : perRow)
    computed.push_back(uniform(values[j]));
  for (auto [j, value] : llvm::zip(perRow, computed))
    k.store(value, writes[j].row, k.i64(0));
}

void RowwiseEmitter::emitRow(Value thisRow) {
  row = thisRow;
  for (MutableArrayRef<RowReduceOp> reduces : body.levels)
    emitReductions(reduces);
  emitWrites();
}

void RowwiseEmitter::emit(LLVM::LLVMFuncOp function) {
  KernelBuffers buffers = KernelBuffers::of(op);
  for (auto [i, access] : llvm::enumerate(reads))
    access.base = k.buffer(function, buffers.operands[i]);
  for (auto [j, access] : llvm::enumerate(writes))
    access.base =
        k.buffer(function, buffers.firstResult + op.getYieldResults()[j]);
  k.loop(function.getArgument(2), function.getArgument(3), 1,
         [&](Value r) { emitRow(r); });
}

FailureOr<LLVM::LLVMFuncOp> llamac::emitCpuRowwise(OpBuilder &builder,
                                                   ModuleOp target,
                                                   StringRef symbol,
                                                   RowwiseOp op) {
  OpBuilder::InsertionGuard guard(builder);
  KernelBuilder k(builder, op.getLoc());
  RowwiseEmitter emitter(op, k);
  if (failed(emitter.analyze()))
    return failure();
  LLVM::LLVMFuncOp function = k.function(target, symbol);
  emitter.emit(function);
  return function;
}
