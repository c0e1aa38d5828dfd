//===- ValueStates.cpp - How the values of a program lie ------------------===//
#include "passes/shard/ValueStates.h"

#include "dialects/llm/LlmDialect.h"

using namespace mlir;
using namespace llamac;

static constexpr StringLiteral kAxisNames[kAxes] = {"dp", "tp"};

RankedTensorType llamac::withDim(Type type, unsigned dim, int64_t size) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  shape[dim] = size;
  return RankedTensorType::get(shape, tensor.getElementType());
}

/// What convert() can do along one axis. The batch is never whole on a device.
static bool canBecome(AxisState now, AxisState wanted, unsigned axis) {
  if (now == wanted || (now.isPartial() && wanted.isReplicated()))
    return true;
  if (axis != kTensorAxis)
    return false;
  return (now.isSplit() && wanted.isReplicated()) ||
         (now.isPartial() && wanted.isSplit()) ||
         (now.isReplicated() && wanted == AxisState::split(0));
}

LogicalResult ValueStates::check(Value value, const States &wanted,
                                 Operation *user) {
  const States &now = states[value];
  auto type = cast<RankedTensorType>(value.getType());
  for (unsigned axis = 0; axis < kAxes; ++axis) {
    if (!canBecome(now[axis], wanted[axis], axis))
      return user->emitOpError("needs ")
             << type << " to be " << wanted[axis].text() << " over the "
             << devices(axis) << " devices of axis " << kAxisNames[axis]
             << ", but it is " << now[axis].text();
    if (!now[axis].isSplit() && wanted[axis].isSplit() &&
        type.getDimSize(wanted[axis].dim) % devices(axis) != 0)
      return user->emitOpError("needs equal parts of dimension ")
             << wanted[axis].dim << " of " << type << " on the "
             << devices(axis) << " devices of axis " << kAxisNames[axis];
  }
  return success();
}

Value ValueStates::convert(Value value, const States &wanted, Operation *user) {
  if (states[value] == wanted)
    return value;
  if (Value other = made(value, wanted))
    return other;
  // A sum is taken once, in whatever form it was wanted first.
  if (Value sum = sumOf(value); sum && succeeded(check(sum, wanted, user)))
    return convert(sum, wanted, user);
  if (failed(check(value, wanted, user)))
    return {};

  OpBuilder b(user);
  States now = states[value];
  Value v = value;
  SmallVector<shard::GridAxis> sums;
  for (unsigned axis = 0; axis < kAxes; ++axis)
    if (now[axis].isPartial() && wanted[axis].isReplicated())
      sums.push_back(static_cast<shard::GridAxis>(axis));
  if (!sums.empty())
    v = shard::AllReduceOp::create(b, value.getLoc(), v, grid.getSymName(),
                                   sums, shard::ReductionKind::Sum);
  AxisState from = now[kTensorAxis], to = wanted[kTensorAxis];
  auto type = cast<RankedTensorType>(v.getType());
  if (from.isPartial() && to.isSplit()) {
    v = shard::ReduceScatterOp::create(
        b, value.getLoc(),
        withDim(type, to.dim, type.getDimSize(to.dim) / devices(kTensorAxis)),
        FlatSymbolRefAttr::get(grid.getSymNameAttr()),
        b.getDenseI16ArrayAttr({static_cast<int16_t>(kTensorAxis)}), v,
        shard::ReductionKindAttr::get(b.getContext(),
                                      shard::ReductionKind::Sum),
        b.getIndexAttr(to.dim));
  } else if (from.isReplicated() && to.isSplit()) {
    int64_t rows = type.getDimSize(0) / devices(kTensorAxis);
    v = llm::LocalRowsOp::create(b, value.getLoc(), withDim(type, 0, rows), v,
                                 firstRow(rows));
  } else if (from.isSplit() && to.isReplicated()) {
    v = gather(b, v, from.dim);
  }
  states[v] = wanted;
  converted[value].push_back({wanted, v});
  return v;
}

Value ValueStates::made(Value value, const States &wanted) {
  for (auto &[states, other] : converted[value])
    if (states == wanted)
      return other;
  return {};
}

Value ValueStates::sumOf(Value value) {
  if (!states[value][kTensorAxis].isPartial() &&
      !states[value][kDataAxis].isPartial())
    return {};
  auto it = converted.find(value);
  return it == converted.end() || it->second.empty() ? Value()
                                                     : it->second[0].second;
}

Value ValueStates::gather(OpBuilder &b, Value value, unsigned dim) {
  auto type = cast<RankedTensorType>(value.getType());
  return shard::AllGatherOp::create(
      b, value.getLoc(),
      withDim(type, dim, type.getDimSize(dim) * devices(kTensorAxis)),
      FlatSymbolRefAttr::get(grid.getSymNameAttr()),
      b.getDenseI16ArrayAttr({static_cast<int16_t>(kTensorAxis)}), value,
      b.getIndexAttr(dim));
}

Value ValueStates::place() {
  if (!placeInput) {
    OpBuilder b(function.getContext());
    unsigned index = function.getNumArguments();
    (void)function.insertArgument(
        index, RankedTensorType::get({kAxes}, b.getI32Type()),
        b.getDictionaryAttr(b.getNamedAttr(llm::LlmDialect::kInputAttr,
                                           b.getStringAttr("grid_index"))),
        function.getLoc());
    placeInput = function.getArgument(index);
  }
  return placeInput;
}

Value ValueStates::firstRow(int64_t rows) {
  Value &first = firstRows[rows];
  if (!first) {
    Value index = place();
    OpBuilder b = OpBuilder::atBlockBegin(&function.getBody().front());
    first = llm::FirstRowOp::create(b, function.getLoc(), index,
                                    int64_t(kTensorAxis), rows);
  }
  return first;
}
