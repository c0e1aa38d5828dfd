//===- GpuRowwise.cpp - llm.rowwise for NVIDIA GPUs -----------------------===//
#include "passes/codegen/GpuRowwise.h"

#include "passes/codegen/GpuRowwiseEmitter.h"
#include "passes/codegen/KernelBuffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace llamac;

using llm::RowReduceOp;
using llm::RowwiseOp;

LogicalResult GpuRowwiseEmitter::analyze(const GpuRowwiseOptions &options) {
  if (failed(body.analyze("GPU")))
    return failure();
  shape = GpuRowwiseShape::choose(body, options.alignments);
  for (auto [i, access] : llvm::enumerate(body.reads))
    reads.push_back({access, shape.readBytes[i], Value(), Value()});
  for (auto [j, access] : llvm::enumerate(body.writes))
    writes.push_back({access, shape.writeBytes[j], Value(), Value()});
  for (const auto &access : llvm::concat<Access>(reads, writes))
    fast |= access.element.isBF16() && access.index.column != 0;
  sum = options.sum;
  if (sum && !canSum(sum->input))
    return op.emitOpError("cannot take the sum of input ")
           << sum->input << " over GPUs";
  return success();
}

//===----------------------------------------------------------------------===//
// Where this thread is
//===----------------------------------------------------------------------===//

void GpuRowwiseEmitter::emitPosition(gpu::GPUFuncOp function) {
  OpBuilder &b = k.b;
  Type word = b.getI32Type();
  auto i32 = [&](int64_t value) { return k.integer(word, value); };
  auto cast = [&](Value index) -> Value {
    return arith::IndexCastUIOp::create(b, k.loc, word, index);
  };
  Value block = cast(gpu::BlockIdOp::create(b, k.loc, gpu::Dimension::x));
  thread = cast(gpu::ThreadIdOp::create(b, k.loc, gpu::Dimension::x));
  if (shape.tiles > 1) {
    tile = arith::DivUIOp::create(b, k.loc, thread, i32(shape.threads));
    thread = arith::RemUIOp::create(b, k.loc, thread, i32(shape.threads));
    block = k.add(k.mul(block, i32(shape.tiles)), tile);
    // A tile without a row takes the last one and keeps its results to itself,
    // so that shuffles and barriers have all threads.
    Value rows = arith::TruncIOp::create(
        b, k.loc, word,
        function.getArgument(KernelBuffers::of(op).firstResult +
                             op.getNumResults()));
    Value tiles = k.mul(rows, i32(shape.chunks));
    inside = arith::CmpIOp::create(b, k.loc, arith::CmpIPredicate::ult, block,
                                   tiles);
    block = arith::MinUIOp::create(b, k.loc, block, k.sub(tiles, i32(1)));
  }
  row = block;
  if (shape.chunks > 1) {
    row = arith::DivUIOp::create(b, k.loc, block, i32(shape.chunks));
    chunk = arith::RemUIOp::create(b, k.loc, block, i32(shape.chunks));
  }
}

/// `certain`: the vectors of this tile, all threads together, up to and with
/// this one, in the chunk that has the fewest columns left. If the row has
/// them all there is nothing to check.
GpuRowwiseEmitter::Piece GpuRowwiseEmitter::pieceAt(Value base, int64_t offset,
                                                    int64_t certain) {
  Piece piece{base, offset, Value(), Memo()};
  if (certain <= shape.cols / shape.lanes)
    return piece;
  // Beyond the row the last vector is read once more, and not used.
  Value column = k.add(base, k.i64(offset));
  piece.valid = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ult,
                                      column, k.i64(shape.cols));
  piece.base = k.min(column, k.i64(shape.cols - shape.lanes));
  piece.offset = 0;
  return piece;
}

/// The pieces of a tile that holds all its columns.
void GpuRowwiseEmitter::makeResident() {
  Type word = k.b.getI32Type();
  Value base = k.mul(thread, k.integer(word, shape.lanes));
  if (chunk)
    base = k.add(base,
                 k.mul(chunk, k.integer(word, shape.stride() * shape.vectors)));
  base = arith::ExtUIOp::create(k.b, k.loc, k.b.getI64Type(), base);
  int64_t before = (shape.chunks - 1) * shape.vectors;
  for (int64_t j = 0; j < shape.vectors; ++j)
    resident.push_back(
        pieceAt(base, j * shape.stride(), (before + j + 1) * shape.threads));
}

/// Keeps of a resident piece what was loaded to be kept, alone.
void GpuRowwiseEmitter::forget(Piece &piece) {
  Memo keep;
  for (auto [i, kept] : llvm::enumerate(shape.kept)) {
    Value argument = op.getBlock().getArgument(i);
    auto it = piece.memo.find(argument);
    if (kept && it != piece.memo.end())
      keep[argument] = it->second;
  }
  piece.memo = std::move(keep);
}

/// Calls `body` for all columns of the tile, in as many pieces at a time as
/// the shape says. What a call returns is carried to the next.
KernelBuilder::Values
GpuRowwiseEmitter::sweep(Values carried,
                         llvm::function_ref<Values(Pieces, ValueRange)> body) {
  if (shape.resident) {
    carried = body(resident, carried);
    for (Piece &piece : resident)
      forget(piece);
    return carried;
  }
  Value first = arith::ExtUIOp::create(
      k.b, k.loc, k.b.getI64Type(),
      k.mul(thread, k.integer(k.b.getI32Type(), shape.lanes)));
  int64_t step = shape.stride() * shape.vectors;
  int64_t whole = shape.cols - shape.cols % step;
  auto piecesFrom = [&](Value base, int64_t count, int64_t before) {
    llvm::SmallVector<Piece> pieces;
    for (int64_t j = 0; j < count; ++j)
      pieces.push_back(
          pieceAt(base, j * shape.stride(), before + (j + 1) * shape.threads));
    return pieces;
  };
  if (whole > 0)
    carried = k.loop(k.i64(0), k.i64(whole), step, carried,
                     [&](Value column, ValueRange values) {
                       auto pieces = piecesFrom(k.add(first, column),
                                                shape.vectors, INT64_MIN / 2);
                       return body(pieces, values);
                     });
  if (whole == shape.cols)
    return carried;
  auto pieces = piecesFrom(k.add(first, k.i64(whole)),
                           llvm::divideCeil(shape.cols - whole, shape.stride()),
                           whole / shape.lanes);
  return body(pieces, carried);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Whether another thread may still have to read what this yield writes.
bool GpuRowwiseEmitter::mayAliasPerRow(unsigned yield) {
  Type type = op.getResult(op.getYieldResults()[yield]).getType();
  return llvm::is_contained(op.getInputs().getTypes(), type);
}

void GpuRowwiseEmitter::emitWrites() {
  llvm::DenseSet<Value> seen;
  auto values = op.getYield().getValues();
  llvm::SmallVector<unsigned> byColumn, perRow;
  bool shared = false;
  for (auto [j, value] : llvm::enumerate(values)) {
    prepare(value, seen);
    writeAddress(j);
    bool varies = shape.cols > 1 && writes[j].index.column != 0;
    (varies ? byColumn : perRow).push_back(j);
    shared |= !varies && mayAliasPerRow(j);
  }
  if (!byColumn.empty())
    sweep({}, [&](Pieces pieces, ValueRange) {
      for (Piece &piece : pieces)
        for (unsigned j : byColumn)
          loadInputs(values[j], piece);
      for (Piece &piece : pieces) {
        Values computed;
        for (unsigned j : byColumn)
          computed.push_back(varying(values[j], piece));
        auto store = [&] {
          for (auto [j, value] : llvm::zip(byColumn, computed))
            storePiece(value, writes[j], piece);
        };
        Value when = piece.valid;
        if (when && inside)
          when = arith::AndIOp::create(k.b, k.loc, when, inside);
        else if (inside)
          when = inside;
        if (when)
          k.when(when, store);
        else
          store();
      }
      return Values{};
    });
  if (perRow.empty())
    return;
  Values computed;
  for (unsigned j : perRow)
    computed.push_back(uniform(values[j]));
  // Every thread of the row has read what its result may alias.
  if (shared && shape.threads > 1)
    gpu::BarrierOp::create(k.b, k.loc);
  Value first = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::eq,
                                      thread, k.integer(thread.getType(), 0));
  if (inside)
    first = arith::AndIOp::create(k.b, k.loc, first, inside);
  k.when(first, [&] {
    for (auto [j, value] : llvm::zip(perRow, computed))
      k.store(value, writes[j].row, k.i64(0));
  });
}

void GpuRowwiseEmitter::emit(gpu::GPUFuncOp function, Value sharedMemory,
                             bool programmatic) {
  shared = sharedMemory;
  KernelBuffers buffers = KernelBuffers::of(op);
  for (auto [i, access] : llvm::enumerate(reads))
    access.base = function.getArgument(buffers.operands[i]);
  for (auto [j, access] : llvm::enumerate(writes))
    access.base =
        function.getArgument(buffers.firstResult + op.getYieldResults()[j]);
  if (programmatic) {
    // The next grid may be placed once all blocks of this one are; it waits
    // itself for what this one writes.
    NVVM::GriddepcontrolOp::create(k.b, k.loc,
                                   NVVM::GridDepActionKind::launch_dependents);
    NVVM::GriddepcontrolOp::create(k.b, k.loc, NVVM::GridDepActionKind::wait);
  }
  emitPosition(function);
  if (shape.resident && shape.cols > 1)
    makeResident();
  // What is kept is asked for before anything waits for memory.
  llvm::DenseSet<Value> seen;
  for (auto [i, kept] : llvm::enumerate(shape.kept))
    if (kept) {
      Value argument = op.getBlock().getArgument(i);
      prepare(argument, seen);
      for (Piece &piece : resident)
        varying(argument, piece);
    }
  if (sum)
    emitSum(function);
  for (MutableArrayRef<RowReduceOp> reduces : body.levels)
    emitReductions(reduces);
  emitWrites();
}

FailureOr<GpuRowwiseKernel>
llamac::emitGpuRowwise(OpBuilder &builder, gpu::GPUModuleOp target,
                       StringRef symbol, RowwiseOp op,
                       const GpuRowwiseOptions &options) {
  OpBuilder::InsertionGuard guard(builder);
  KernelBuilder k(builder, op.getLoc());
  GpuRowwiseEmitter emitter(op, k);
  if (failed(emitter.analyze(options)))
    return failure();
  const GpuRowwiseShape &shape = emitter.getShape();

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
        (symbol + "__shared").str(), Attribute(), /*alignment=*/16,
        static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared));

  KernelBuffers buffers = KernelBuffers::of(op);
  llvm::SmallVector<Type> parameters(buffers.firstResult + op.getNumResults(),
                                     pointer(NVVM::NVVMMemorySpace::Global));
  if (shape.takesRows())
    parameters.push_back(builder.getI64Type());
  if (options.sum)
    parameters.append(kSumArguments, builder.getI64Type());
  auto function = gpu::GPUFuncOp::create(
      builder, k.loc, symbol, builder.getFunctionType(parameters, {}));
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  function.setKnownBlockSizeAttr(builder.getDenseI32ArrayAttr(
      {static_cast<int32_t>(shape.blockThreads()), 1, 1}));
  builder.setInsertionPointToEnd(&function.getBody().front());
  auto end = gpu::ReturnOp::create(builder, k.loc);
  builder.setInsertionPoint(end);
  Value shared;
  if (global)
    shared = LLVM::AddressOfOp::create(builder, k.loc, global);
  emitter.emit(function, shared, options.programmatic);
  return GpuRowwiseKernel{function, shape};
}
