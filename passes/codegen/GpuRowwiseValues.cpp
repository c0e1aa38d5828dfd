//===- GpuRowwiseValues.cpp - Values and memory of a row kernel -----------===//
#include "passes/codegen/GpuRowwiseEmitter.h"
#include "passes/codegen/GpuRowwiseMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace llamac;

using llm::RowReduceOp;

static int64_t sizeOf(Type element) {
  return element.getIntOrFloatBitWidth() / 8;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value GpuRowwiseEmitter::readAddress(unsigned i) {
  Access &access = reads[i];
  if (access.row)
    return access.row;
  Value symbol;
  if (int64_t from = op.getIndexInputs()[i]; from >= 0) {
    symbol = uniform(op.getBlock().getArgument(from));
    if (!symbol.getType().isInteger(64))
      symbol = arith::ExtSIOp::create(k.b, k.loc, k.b.getI64Type(), symbol);
    symbol = k.max(symbol, k.i64(0));
    if (auto bound = access.index.indexBound)
      symbol = k.min(symbol, k.i64(*bound));
  }
  if (access.index.isRowInvariant())
    access.row = k.at(access.base, access.index.constant, access.element);
  else
    access.row = k.at(access.base, access.index.emitRowPart(k, row, symbol),
                      access.element);
  return access.row;
}

Value GpuRowwiseEmitter::writeAddress(unsigned j) {
  Access &access = writes[j];
  if (!access.row)
    access.row =
        access.index.isRowInvariant()
            ? k.at(access.base, access.index.constant, access.element)
            : k.at(access.base, access.index.emitRowPart(k, row, Value()),
                   access.element);
  return access.row;
}

/// Of lane `lane` of the piece. The constant comes last: it becomes part of the
/// instruction.
Value GpuRowwiseEmitter::address(Access &access, Piece &piece, int64_t lane) {
  int64_t step = access.index.column;
  Value base = step == 1 ? piece.base : k.mul(piece.base, step);
  return k.at(k.at(access.row, base, access.element),
              (piece.offset + lane) * step, access.element);
}

Value GpuRowwiseEmitter::loadPiece(Access &access, Piece &piece) {
  int64_t lanes = shape.lanes, size = sizeOf(access.element);
  if (access.index.column == 1)
    return k.loadAt(k.vec(access.element, lanes), address(access, piece),
                    std::min(access.bytes, lanes * size));
  Values elements;
  for (int64_t lane = 0; lane < lanes; ++lane)
    elements.push_back(
        k.loadAt(access.element, address(access, piece, lane), size));
  if (lanes == 1)
    return elements[0];
  return vector::FromElementsOp::create(
      k.b, k.loc, cast<VectorType>(k.vec(access.element, lanes)), elements);
}

void GpuRowwiseEmitter::storePiece(Value value, Access &access, Piece &piece) {
  int64_t lanes = shape.lanes, size = sizeOf(access.element);
  value = k.splat(value, lanes);
  if (access.index.column == 1) {
    k.storeAt(value, address(access, piece),
              std::min(access.bytes, lanes * size));
    return;
  }
  for (int64_t lane = 0; lane < lanes; ++lane)
    k.storeAt(k.extract(value, lane), address(access, piece, lane), size);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value GpuRowwiseEmitter::emitOp(Operation *bodyOp,
                                llvm::function_ref<Value(Value)> operand,
                                unsigned lanes) {
  // Of a row's own values there are few: they are exact in any body.
  bool shortened = fast && lanes > 1;
  if (auto exp = dyn_cast<math::ExpOp>(bodyOp)) {
    Value x = operand(exp.getOperand());
    return shortened ? emitGpuFastExp(k, x) : emitGpuExp(k, x);
  }
  if (auto div = dyn_cast<arith::DivFOp>(bodyOp);
      div && shortened && div.getType().isF32())
    return k.mulf(operand(div.getLhs()),
                  emitGpuFastReciprocal(k, operand(div.getRhs())));
  return body.emitOp(k, bodyOp, operand, lanes);
}

/// A value that is the same in all columns, in every thread of the tile.
Value GpuRowwiseEmitter::uniform(Value value) {
  if (auto it = scalars.find(value); it != scalars.end())
    return it->second;
  Value result;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned i = argument.getArgNumber();
    result = k.load(reads[i].element, readAddress(i), k.i64(0));
  } else if (auto reduce = value.getDefiningOp<RowReduceOp>()) {
    assert(shape.cols == 1 && "reductions are emitted level by level");
    result = uniform(reduce.getValue());
  } else if (value.getDefiningOp<llm::RowIndexOp>()) {
    result = arith::ExtUIOp::create(k.b, k.loc, k.b.getI64Type(), row);
  } else if (value.getDefiningOp<llm::ColumnIndexOp>()) {
    result = k.i64(0);
  } else {
    result = emitOp(
        value.getDefiningOp(), [&](Value v) { return uniform(v); }, 1);
  }
  return scalars[value] = result;
}

/// Emits all uniform values and addresses that `value` needs, before loops and
/// branches.
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

/// Loads what `value` needs of memory in the columns of the piece.
void GpuRowwiseEmitter::loadInputs(Value value, Piece &piece) {
  llvm::SmallVector<Value> work{value};
  llvm::DenseSet<Value> seen;
  while (!work.empty()) {
    Value v = work.pop_back_val();
    if (!seen.insert(v).second || body.isUniform(v))
      continue;
    if (isa<BlockArgument>(v))
      varying(v, piece);
    else
      llvm::append_range(work, llvm::reverse(v.getDefiningOp()->getOperands()));
  }
}

/// Whether the column is, or is not, one that the row says: a comparison of
/// lanes with constants in 32 bits. Null for any other op.
Value GpuRowwiseEmitter::comparedColumn(Operation *bodyOp, Piece &piece) {
  auto compare = dyn_cast<arith::CmpIOp>(bodyOp);
  if (!compare || (compare.getPredicate() != arith::CmpIPredicate::eq &&
                   compare.getPredicate() != arith::CmpIPredicate::ne))
    return {};
  Value column = compare.getLhs(), other = compare.getRhs();
  if (!column.getDefiningOp<llm::ColumnIndexOp>())
    std::swap(column, other);
  if (!column.getDefiningOp<llm::ColumnIndexOp>() || !body.isUniform(other))
    return {};
  // The lane that is it, or one before the first or after the last.
  Value lane = k.sub(uniform(other), k.add(piece.base, k.i64(piece.offset)));
  lane = k.max(k.min(lane, k.i64(shape.lanes)), k.i64(-1));
  Type word = k.b.getI32Type();
  lane = arith::TruncIOp::create(k.b, k.loc, word, lane);
  return arith::CmpIOp::create(k.b, k.loc, compare.getPredicate(),
                               k.iota(k.integer(word, 0), shape.lanes),
                               k.splat(lane, shape.lanes));
}

Value GpuRowwiseEmitter::varying(Value value, Piece &piece) {
  if (body.isUniform(value))
    return k.splat(uniform(value), shape.lanes);
  if (auto it = piece.memo.find(value); it != piece.memo.end())
    return it->second;
  Value result;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    result = loadPiece(reads[argument.getArgNumber()], piece);
  } else if (value.getDefiningOp<llm::ColumnIndexOp>()) {
    result = k.iota(k.add(piece.base, k.i64(piece.offset)), shape.lanes);
  } else if (Value hit = comparedColumn(value.getDefiningOp(), piece)) {
    result = hit;
  } else {
    result = emitOp(
        value.getDefiningOp(), [&](Value v) { return varying(v, piece); },
        shape.lanes);
  }
  return piece.memo[value] = result;
}
