//===- KernelBuilder.cpp - Shorthand for writing kernels ------------------===//
#include "passes/codegen/KernelBuilder.h"

#include "passes/codegen/CpuTarget.h"
#include "passes/codegen/KernelBuffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace llamac;

using Values = KernelBuilder::Values;

LLVM::LLVMFuncOp KernelBuilder::function(ModuleOp module, StringRef symbol) {
  b.setInsertionPointToEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type number = b.getI64Type();
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                  {pointer, pointer, number, number});
  auto function = LLVM::LLVMFuncOp::create(b, loc, symbol, type);
  Block *entry = function.addEntryBlock(b);
  b.setInsertionPointToEnd(entry);
  auto end = LLVM::ReturnOp::create(b, loc, ValueRange{});
  b.setInsertionPoint(end);
  return function;
}

Type KernelBuilder::vec(Type element, unsigned lanes) {
  return lanes == 1 ? element
                    : VectorType::get({static_cast<int64_t>(lanes)}, element);
}
Type KernelBuilder::elementOf(Type type) { return getElementTypeOrSelf(type); }
unsigned KernelBuilder::lanesOf(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? vector.getNumElements() : 1;
}

Value KernelBuilder::i64(int64_t value) {
  return integer(b.getI64Type(), value);
}
Value KernelBuilder::real(Type type, double value) {
  TypedAttr attr = b.getFloatAttr(elementOf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, Attribute(attr));
  return arith::ConstantOp::create(b, loc, attr);
}
Value KernelBuilder::integer(Type type, int64_t value) {
  TypedAttr attr = b.getIntegerAttr(elementOf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, Attribute(attr));
  return arith::ConstantOp::create(b, loc, attr);
}

Value KernelBuilder::add(Value x, Value y) {
  return arith::AddIOp::create(b, loc, x, y);
}
Value KernelBuilder::sub(Value x, Value y) {
  return arith::SubIOp::create(b, loc, x, y);
}
Value KernelBuilder::mul(Value x, Value y) {
  return arith::MulIOp::create(b, loc, x, y);
}
Value KernelBuilder::div(Value x, int64_t y) {
  return arith::DivUIOp::create(b, loc, x, i64(y));
}
Value KernelBuilder::rem(Value x, int64_t y) {
  return arith::RemUIOp::create(b, loc, x, i64(y));
}
Value KernelBuilder::min(Value x, Value y) {
  return arith::MinSIOp::create(b, loc, x, y);
}
Value KernelBuilder::max(Value x, Value y) {
  return arith::MaxSIOp::create(b, loc, x, y);
}

Value KernelBuilder::addf(Value x, Value y) {
  return arith::AddFOp::create(b, loc, x, y);
}
Value KernelBuilder::subf(Value x, Value y) {
  return arith::SubFOp::create(b, loc, x, y);
}
Value KernelBuilder::mulf(Value x, Value y) {
  return arith::MulFOp::create(b, loc, x, y);
}
Value KernelBuilder::divf(Value x, Value y) {
  return arith::DivFOp::create(b, loc, x, y);
}
Value KernelBuilder::fma(Value x, Value y, Value z) {
  return math::FmaOp::create(b, loc, x, y, z);
}
Value KernelBuilder::maxf(Value x, Value y) {
  Value larger = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, y);
  return arith::SelectOp::create(b, loc, larger, x, y);
}

Value KernelBuilder::splat(Value x, unsigned lanes) {
  if (lanes == 1 || isa<VectorType>(x.getType()))
    return x;
  return vector::BroadcastOp::create(b, loc, vec(x.getType(), lanes), x);
}
Value KernelBuilder::extract(Value vector, unsigned lane) {
  if (!isa<VectorType>(vector.getType()))
    return vector;
  return vector::ExtractOp::create(b, loc, vector, lane);
}
Value KernelBuilder::iota(Value first, unsigned lanes) {
  if (lanes == 1)
    return first;
  auto type = cast<VectorType>(vec(first.getType(), lanes));
  llvm::SmallVector<llvm::APInt> steps;
  for (unsigned i = 0; i < lanes; ++i)
    steps.emplace_back(type.getElementTypeBitWidth(), i);
  Value offsets = arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(type, ArrayRef<llvm::APInt>(steps)));
  return add(splat(first, lanes), offsets);
}
Value KernelBuilder::combineLanes(
    Value x, llvm::function_ref<Value(Value, Value)> combine) {
  for (unsigned lanes = lanesOf(x.getType()); lanes > 1; lanes /= 2) {
    llvm::SmallVector<int64_t> low, high;
    for (unsigned i = 0; i < lanes / 2; ++i) {
      low.push_back(i);
      high.push_back(i + lanes / 2);
    }
    if (lanes == 2)
      return combine(extract(x, 0), extract(x, 1));
    Value first = vector::ShuffleOp::create(b, loc, x, x, low);
    Value second = vector::ShuffleOp::create(b, loc, x, x, high);
    x = combine(first, second);
  }
  return x;
}
Values KernelBuilder::transpose(Values rows) {
  // Each round interleaves row i with row i + n/2; log2(n) rounds transpose.
  unsigned n = rows.size();
  llvm::SmallVector<int64_t> low, high;
  for (unsigned i = 0; i < n / 2; ++i) {
    low.append({i, i + n});
    high.append({i + n / 2, i + n / 2 + n});
  }
  for (unsigned round = 1; round < n; round *= 2) {
    Values next;
    for (unsigned i = 0; i < n / 2; ++i) {
      Value x = rows[i], y = rows[i + n / 2];
      next.push_back(vector::ShuffleOp::create(b, loc, x, y, low));
      next.push_back(vector::ShuffleOp::create(b, loc, x, y, high));
    }
    rows = std::move(next);
  }
  return rows;
}

Value KernelBuilder::at(Value base, Value index, Type element) {
  return LLVM::GEPOp::create(b, loc, base.getType(), element, base,
                             ArrayRef<LLVM::GEPArg>{index});
}
static unsigned elementBytes(Type type) {
  return isa<LLVM::LLVMPointerType>(type)
             ? 8
             : KernelBuilder::elementOf(type).getIntOrFloatBitWidth() / 8;
}
Value KernelBuilder::at(Value base, int64_t index, Type element) {
  if (index == 0)
    return base;
  return LLVM::GEPOp::create(
      b, loc, base.getType(), element, base,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
}
Value KernelBuilder::loadAt(Type type, Value address, unsigned alignment) {
  return LLVM::LoadOp::create(b, loc, type, address, alignment);
}
void KernelBuilder::storeAt(Value value, Value address, unsigned alignment) {
  LLVM::StoreOp::create(b, loc, value, address, alignment);
}
Value KernelBuilder::load(Type type, Value base, Value index) {
  Value address = at(base, index, elementOf(type));
  return LLVM::LoadOp::create(b, loc, type, address, elementBytes(type));
}
void KernelBuilder::store(Value value, Value base, Value index) {
  Value address = at(base, index, elementOf(value.getType()));
  LLVM::StoreOp::create(b, loc, value, address, elementBytes(value.getType()));
}
Value KernelBuilder::buffer(LLVM::LLVMFuncOp function, unsigned i) {
  return load(LLVM::LLVMPointerType::get(b.getContext()),
              function.getArgument(0), i64(i));
}
Value KernelBuilder::stackArray(Type element, int64_t count) {
  return LLVM::AllocaOp::create(b, loc,
                                LLVM::LLVMPointerType::get(b.getContext()),
                                element, i64(count), /*alignment=*/64);
}

Values KernelBuilder::loop(Value low, Value high, int64_t step, Values carried,
                           llvm::function_ref<Values(Value, ValueRange)> body) {
  auto op =
      scf::ForOp::create(b, loc, low, high, i64(step), carried,
                         [&](OpBuilder &, Location, Value iv, ValueRange args) {
                           OpBuilder::InsertionGuard guard(b);
                           // The builder that scf hands over is another one
                           // than ours.
                           b.setInsertionPointToEnd(iv.getParentBlock());
                           Values next = body(iv, args);
                           scf::YieldOp::create(b, loc, next);
                         });
  return Values(op.getResults());
}
void KernelBuilder::loop(Value low, Value high, int64_t step,
                         llvm::function_ref<void(Value)> body) {
  loop(low, high, step, Values{}, [&](Value iv, ValueRange) {
    body(iv);
    return Values{};
  });
}
void KernelBuilder::when(Value condition, llvm::function_ref<void()> body) {
  auto op = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op.thenYield());
  body();
}
void KernelBuilder::columns(int64_t count,
                            llvm::function_ref<void(Value, unsigned)> body) {
  int64_t whole = count - count % CpuTarget::kLanes;
  if (whole == CpuTarget::kLanes)
    body(i64(0), CpuTarget::kLanes);
  else if (whole > 0)
    loop(i64(0), i64(whole), CpuTarget::kLanes,
         [&](Value column) { body(column, CpuTarget::kLanes); });
  for (unsigned lanes : tailLanes(count)) {
    body(i64(whole), lanes);
    whole += lanes;
  }
}

llvm::SmallVector<unsigned> llamac::tailLanes(int64_t count) {
  llvm::SmallVector<unsigned> lanes;
  for (unsigned piece = CpuTarget::kLanes / 2; piece > 0; piece /= 2)
    if (count % CpuTarget::kLanes & piece)
      lanes.push_back(piece);
  return lanes;
}

KernelBuffers KernelBuffers::of(Operation *source) {
  KernelBuffers buffers;
  bool inKernel = source->getNumOperands() > 0;
  for (Value operand : source->getOperands()) {
    auto argument = dyn_cast<BlockArgument>(operand);
    inKernel &= argument && argument.getOwner() == source->getBlock();
  }
  for (OpOperand &operand : source->getOpOperands())
    buffers.operands.push_back(
        inKernel ? cast<BlockArgument>(operand.get()).getArgNumber()
                 : operand.getOperandNumber());
  buffers.firstResult = inKernel ? source->getBlock()->getNumArguments()
                                 : source->getNumOperands();
  return buffers;
}
