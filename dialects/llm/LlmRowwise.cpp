//===- LlmRowwise.cpp - Queries and verifier of llm.rowwise ---------------===//
#include "dialects/llm/LlmDialect.h"

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/AffineMap.h"

using namespace mlir;
using namespace llm;

YieldOp RowwiseOp::getYield() {
  return cast<YieldOp>(getBlock().getTerminator());
}

AffineMap RowwiseOp::inputMap(unsigned i) {
  return cast<AffineMapAttr>(getInputMaps()[i]).getValue();
}

AffineMap RowwiseOp::yieldMap(unsigned j) {
  return cast<AffineMapAttr>(getYieldMaps()[j]).getValue();
}

bool RowwiseOp::isRowUniform(Value value) {
  // Depth-first over the body; bodies are small, but a chain of shared values
  // would be walked exponentially often without the memo.
  llvm::DenseMap<Value, bool> memo;
  std::function<bool(Value)> uniform = [&](Value v) -> bool {
    if (auto it = memo.find(v); it != memo.end())
      return it->second;
    bool result;
    if (auto arg = dyn_cast<BlockArgument>(v))
      result = !inputMap(arg.getArgNumber()).isFunctionOfDim(1);
    else if (isa<RowReduceOp, RowIndexOp>(v.getDefiningOp()))
      result = true;
    else if (isa<ColumnIndexOp>(v.getDefiningOp()))
      result = false;
    else
      result = llvm::all_of(v.getDefiningOp()->getOperands(), uniform);
    memo[v] = result;
    return result;
  };
  return uniform(value);
}

namespace {

struct Range {
  int64_t low, high;
};

/// Values an index expression takes over rows and columns; nullopt where it
/// cannot be bounded (an indirect index).
std::optional<Range> rangeOf(AffineExpr expr, int64_t rows, int64_t cols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return Range{constant.getValue(), constant.getValue()};
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return Range{0, (dim.getPosition() == 0 ? rows : cols) - 1};
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return std::nullopt;
  auto l = rangeOf(binary.getLHS(), rows, cols);
  auto r = rangeOf(binary.getRHS(), rows, cols);
  if (!l || !r)
    return std::nullopt;
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return Range{l->low + r->low, l->high + r->high};
  case AffineExprKind::Mul:
    return Range{std::min(l->low * r->low, l->high * r->low),
                 std::max(l->low * r->low, l->high * r->low)};
  case AffineExprKind::FloorDiv:
    if (r->low <= 0)
      return std::nullopt;
    return Range{l->low / r->low, l->high / r->low};
  case AffineExprKind::Mod:
    if (r->low <= 0)
      return std::nullopt;
    return Range{0, std::min(l->high, r->low - 1)};
  default:
    return std::nullopt;
  }
}

LogicalResult checkMap(RowwiseOp op, AffineMap map, RankedTensorType type,
                       const Twine &what) {
  if (map.getNumDims() != 2 || map.getNumSymbols() > 1)
    return op.emitOpError() << what << ": a map takes (r, c) and at most s0";
  if (map.getNumResults() != static_cast<unsigned>(type.getRank()))
    return op.emitOpError()
           << what << ": map has " << map.getNumResults()
           << " results for a tensor of rank " << type.getRank();
  for (auto [expr, size] : llvm::zip(map.getResults(), type.getShape())) {
    auto range = rangeOf(expr, op.getRows(), op.getCols());
    if (!range || (range->low >= 0 && range->high < size))
      continue;
    std::string text;
    llvm::raw_string_ostream(text) << expr;
    return op.emitOpError() << what << ": index " << text << " reaches "
                            << range->high << " in a dimension of " << size;
  }
  return success();
}

} // namespace

LogicalResult RowwiseOp::verify() {
  if (getRows() <= 0 || getCols() <= 0)
    return emitOpError("rows and cols must be positive");
  unsigned inputs = getInputs().size();
  if (getInputMaps().size() != inputs || getIndexInputs().size() != inputs ||
      getBlock().getNumArguments() != inputs)
    return emitOpError() << "has " << inputs << " inputs, "
                         << getInputMaps().size() << " maps, "
                         << getIndexInputs().size() << " index entries and "
                         << getBlock().getNumArguments() << " body arguments";
  for (unsigned i = 0; i < inputs; ++i) {
    auto type = cast<RankedTensorType>(getInputs()[i].getType());
    if (!type.hasStaticShape())
      return emitOpError() << "input " << i << " must have a static shape";
    if (getBlock().getArgument(i).getType() != type.getElementType())
      return emitOpError() << "body argument " << i << " must be "
                           << type.getElementType();
    if (failed(checkMap(*this, inputMap(i), type, "input " + Twine(i))))
      return failure();
    int64_t index = getIndexInputs()[i];
    if ((index >= 0) != (inputMap(i).getNumSymbols() == 1))
      return emitOpError() << "input " << i
                           << ": a map with s0 needs an index input, and only "
                              "such a map may have one";
    if (index < 0)
      continue;
    if (index >= static_cast<int64_t>(inputs))
      return emitOpError() << "input " << i << ": no input " << index;
    if (!getBlock().getArgument(index).getType().isInteger() ||
        inputMap(index).isFunctionOfDim(1) ||
        inputMap(index).getNumSymbols() != 0)
      return emitOpError() << "input " << i << ": index input " << index
                           << " must hold one integer a row";
  }
  YieldOp yield = getYield();
  unsigned yields = yield.getValues().size();
  if (getYieldResults().size() != yields || getYieldMaps().size() != yields)
    return emitOpError() << "yields " << yields << " values, names "
                         << getYieldResults().size() << " results and "
                         << getYieldMaps().size() << " maps";
  llvm::SmallVector<bool> written(getNumResults());
  for (unsigned j = 0; j < yields; ++j) {
    int64_t result = getYieldResults()[j];
    if (result < 0 || result >= static_cast<int64_t>(getNumResults()))
      return emitOpError() << "yield " << j << ": no result " << result;
    written[result] = true;
    auto type = cast<RankedTensorType>(getResult(result).getType());
    if (!type.hasStaticShape())
      return emitOpError() << "result " << result
                           << " must have a static shape";
    if (yield.getValues()[j].getType() != type.getElementType())
      return emitOpError() << "yield " << j << " must be "
                           << type.getElementType();
    if (yieldMap(j).getNumSymbols() != 0)
      return emitOpError() << "yield " << j << ": a result map has no symbol";
    if (failed(checkMap(*this, yieldMap(j), type, "yield " + Twine(j))))
      return failure();
    if (!yieldMap(j).isFunctionOfDim(1) && getCols() != 1 &&
        !isRowUniform(yield.getValues()[j]))
      return emitOpError() << "yield " << j
                           << " differs by column but its map has no column";
  }
  for (auto [i, done] : llvm::enumerate(written))
    if (!done)
      return emitOpError() << "result " << i << " is never yielded";
  return success();
}
