//===- GpuRowwiseSum.cpp - An input that is a term of a sum over GPUs -----===//
//
// One-shot all-reduce inside a row kernel. Every GPU writes its term straight
// into an inbox in each peer's memory and reads the others' terms from its own.
// An element that has not come yet is a word that no sender sends, as in the
// Lamport variant of one-shot all-reduces (TensorRT-LLM): no flags, one way
// over the link.
//
// An inbox has three phases of `devices` slots, one a sender. Call n uses phase
// n mod 3 and empties that of call n - 1, which this GPU has read whole. A peer
// writes there in call n + 2, for which it waits for this GPU's terms of call
// n + 1, which are sent after call n has ended.
//
// The state is four words: phase, blocks that have begun, bytes to empty (of
// the call before), unused. The last block to begin moves it on, which the
// other blocks have read by then.
//
//===----------------------------------------------------------------------===//
#include "passes/codegen/GpuRowwiseEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace llamac;

static constexpr int64_t kWord = 4, kPacket = 16, kPhases = 3;
/// Two bf16 of -0: senders send 0 instead.
static constexpr uint32_t kAbsent = 0x80008000;

/// `text` may say ABSENT.
static Value inlineAsm(KernelBuilder &k, Type result, std::string text,
                       StringRef constraints, ValueRange operands) {
  constexpr StringRef word = "ABSENT";
  for (size_t at; (at = text.find(word)) != std::string::npos;)
    text.replace(at, word.size(), std::to_string(kAbsent));
  auto op = LLVM::InlineAsmOp::create(
      k.b, k.loc, result ? TypeRange(result) : TypeRange(), operands, text,
      constraints, /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
  return result ? op.getResult(0) : Value();
}

/// Four words of an asm that returns a struct.
static std::array<Value, 4> fourWords(KernelBuilder &k, StringRef text,
                                      StringRef constraints,
                                      ValueRange operands) {
  Type word = k.b.getI32Type();
  auto type = LLVM::LLVMStructType::getLiteral(k.b.getContext(),
                                               {word, word, word, word});
  Value all = inlineAsm(k, type, text.str(), constraints, operands);
  std::array<Value, 4> words;
  for (int64_t i = 0; i < 4; ++i)
    words[i] = LLVM::ExtractValueOp::create(k.b, k.loc, all, i);
  return words;
}

bool GpuRowwiseEmitter::canSum(unsigned input) {
  Access &access = reads[input];
  auto type = cast<RankedTensorType>(op.getInputs()[input].getType());
  bool whole = op.inputMap(input).isIdentity() && type.getRank() == 2 &&
               type.getDimSize(1) == shape.cols;
  int64_t bytes = access.element.getIntOrFloatBitWidth() / 8 * shape.lanes;
  return whole && shape.cols > 1 && shape.resident && shape.kept[input] &&
         (access.element.isBF16() || access.element.isF32()) &&
         bytes % kPacket == 0 && access.bytes == kPacket;
}

bool llamac::canSumInKernel(llm::RowwiseOp op, unsigned input) {
  OpBuilder b(op.getContext());
  KernelBuilder k(b, op.getLoc());
  GpuRowwiseEmitter emitter(op, k);
  return succeeded(emitter.analyze({})) && emitter.canSum(input);
}

/// Replaces the terms in `resident` by sums.
void GpuRowwiseEmitter::emitSum(gpu::GPUFuncOp function) {
  OpBuilder &b = k.b;
  Value argument = op.getBlock().getArgument(sum->input);
  auto from = function.getNumArguments() - kSumArguments;
  SumCall call;
  call.rank = function.getArgument(from);
  call.bytes = function.getArgument(from + 1);
  call.slot = function.getArgument(from + 2);
  call.inboxes = function.getArgument(from + 3);
  call.state = function.getArgument(from + 4);
  call.abort = function.getArgument(from + 5);

  Values terms;
  llvm::SmallVector<Type> types;
  for (Piece &piece : resident) {
    terms.push_back(piece.memo[argument]);
    types.push_back(terms.back().getType());
  }
  // Without a rank the sum has been taken already.
  Value inKernel = arith::CmpIOp::create(b, k.loc, arith::CmpIPredicate::sge,
                                         call.rank, k.i64(0));
  auto branch = scf::IfOp::create(b, k.loc, types, inKernel, true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, k.loc, exchange(call, terms));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, k.loc, terms);
  }
  for (auto [piece, total] : llvm::zip(resident, branch.getResults()))
    piece.memo[argument] = total;
}

KernelBuilder::Values GpuRowwiseEmitter::exchange(const SumCall &call,
                                                  ValueRange terms) {
  OpBuilder &b = k.b;
  Type word = b.getI32Type();
  Type element = reads[sum->input].element;
  int64_t size = element.getIntOrFloatBitWidth() / 8;
  int64_t packets = shape.lanes * size / kPacket;
  auto words = VectorType::get({packets * kPacket / kWord}, word);
  auto wide = [&](Value x) -> Value {
    return arith::ExtUIOp::create(b, k.loc, b.getI64Type(), x);
  };
  Value absent = k.integer(word, static_cast<int32_t>(kAbsent));
  Value none = k.integer(word, 0);

  auto state = fourWords(k, "ld.relaxed.gpu.global.v4.b32 {$0,$1,$2,$3}, [$4];",
                         "=r,=r,=r,=r,l,~{memory}", {call.state});
  Value phase = state[0], dirty = wide(state[2]);
  Value before = arith::SelectOp::create(
      b, k.loc,
      arith::CmpIOp::create(b, k.loc, arith::CmpIPredicate::eq, phase, none),
      k.integer(word, kPhases - 1), k.sub(phase, k.integer(word, 1)));
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), 1);
  Value table = LLVM::IntToPtrOp::create(b, k.loc, pointer, call.inboxes);
  Values inboxes;
  for (int64_t p = 0; p < sum->devices; ++p)
    inboxes.push_back(k.load(b.getI64Type(), table, k.i64(p)));
  Value mine = k.load(b.getI64Type(), table, call.rank);
  /// Slot of sender `sender` in a phase.
  auto slotAt = [&](Value inbox, Value phase, Value sender) {
    Value index = k.add(k.mul(wide(phase), sum->devices), sender);
    return k.add(inbox, k.mul(index, call.slot));
  };

  // Send. Words are kept as they are sent: all GPUs add the same.
  Value start = k.mul(wide(row), shape.cols);
  Values offsets;
  llvm::SmallVector<Values> own; // of a piece
  for (auto [piece, term] : llvm::zip(resident, terms)) {
    Value column = k.add(piece.base, k.i64(piece.offset));
    offsets.push_back(k.mul(k.add(start, column), size));
    Value bits = vector::BitCastOp::create(b, k.loc, words, term);
    Values &of = own.emplace_back();
    for (int64_t i = 0; i < words.getNumElements(); ++i) {
      Value x = k.extract(bits, i);
      Value is =
          arith::CmpIOp::create(b, k.loc, arith::CmpIPredicate::eq, x, absent);
      of.push_back(arith::SelectOp::create(b, k.loc, is, none, x));
    }
  }
  for (int64_t p = 0; p < sum->devices; ++p) {
    Value slot = slotAt(inboxes[p], phase, call.rank);
    for (auto [offset, of] : llvm::zip(offsets, own))
      for (int64_t i = 0; i < packets; ++i)
        inlineAsm(k, {},
                  "{ .reg .pred p; setp.ne.s64 p, $5, $6; @p "
                  "st.relaxed.sys.global.v4.b32 [$0], {$1,$2,$3,$4}; }",
                  "l,r,r,r,r,l,n,~{memory}",
                  {k.add(slot, k.add(offset, k.i64(i * kPacket))), of[4 * i],
                   of[4 * i + 1], of[4 * i + 2], of[4 * i + 3], call.rank,
                   k.i64(p)});
  }

  // Empty what the call before used, all threads of the grid together.
  for (int64_t p = 0; p < sum->devices; ++p)
    inlineAsm(k, {},
              "{ .reg .pred p; .reg .b32 t, n, c; .reg .b64 at, end, step;\n"
              "setp.eq.s64 p, $2, $3; @p bra done;\n"
              "mov.u32 t, %tid.x; mov.u32 n, %ntid.x; mov.u32 c, %ctaid.x;\n"
              "mad.lo.u32 t, c, n, t; mov.u32 c, %nctaid.x;\n"
              "mul.wide.u32 at, t, 16; mul.lo.u32 n, n, c;\n"
              "mul.wide.u32 step, n, 16;\n"
              "add.u64 at, at, $0; add.u64 end, $0, $1; mov.b32 t, ABSENT;\n"
              "again: setp.ge.u64 p, at, end; @p bra done;\n"
              "st.global.v4.b32 [at], {t,t,t,t};\n"
              "add.u64 at, at, step; bra again;\ndone: }",
              "l,l,l,n,~{memory}",
              {slotAt(mine, before, k.i64(p)), dirty, call.rank, k.i64(p)});

  // Every thread of the block has read the state.
  gpu::BarrierOp::create(b, k.loc);
  Value next = arith::SelectOp::create(
      b, k.loc,
      arith::CmpIOp::create(b, k.loc, arith::CmpIPredicate::eq, phase,
                            k.integer(word, kPhases - 1)),
      none, k.add(phase, k.integer(word, 1)));
  inlineAsm(
      k, {},
      "{ .reg .pred p; .reg .b32 t, last;\n"
      "mov.u32 t, %tid.x; setp.ne.u32 p, t, 0; @p bra done;\n"
      "mov.u32 last, %nctaid.x; sub.u32 last, last, 1;\n"
      "atom.relaxed.gpu.global.inc.u32 t, [$0 + 4], last;\n"
      "setp.ne.u32 p, t, last; @p bra done;\n"
      "st.relaxed.gpu.global.b32 [$0], $1;\n"
      "st.relaxed.gpu.global.b32 [$0 + 8], $2;\ndone: }",
      "l,r,r,~{memory}",
      {call.state, next, arith::TruncIOp::create(b, k.loc, word, call.bytes)});

  // Receive, and add in order of rank.
  Values sums;
  for (auto [piece, offset, of] : llvm::zip(resident, offsets, own)) {
    Value total;
    for (int64_t p = 0; p < sum->devices; ++p) {
      Value slot = slotAt(mine, phase, k.i64(p));
      Values all;
      for (int64_t i = 0; i < packets; ++i)
        llvm::append_range(
            all,
            fourWords(
                k,
                // Now and then: whether a peer is lost.
                "{ .reg .pred p, q; .reg .b32 n, f;\n"
                "mov.b32 $0, $6; mov.b32 $1, $7; mov.b32 $2, $8; mov.b32 $3, "
                "$9;\n"
                "setp.eq.s64 p, $10, $11; @p bra done; mov.b32 n, 0;\n"
                "again: ld.relaxed.sys.global.v4.b32 {$0,$1,$2,$3}, [$4];\n"
                "setp.eq.b32 p, $0, ABSENT; setp.eq.b32 q, $1, ABSENT;\n"
                "or.pred p, p, q; setp.eq.b32 q, $2, ABSENT; or.pred p, p, q;\n"
                "setp.eq.b32 q, $3, ABSENT; or.pred p, p, q; @!p bra done;\n"
                "add.u32 n, n, 1; and.b32 f, n, 1023; setp.ne.u32 p, f, 0;\n"
                "@p bra again; ld.relaxed.sys.global.b32 f, [$5];\n"
                "setp.eq.u32 p, f, 0; @p bra again;\ndone: }",
                "=&r,=&r,=&r,=&r,l,l,r,r,r,r,l,n,~{memory}",
                {k.add(slot, k.add(offset, k.i64(i * kPacket))), call.abort,
                 of[4 * i], of[4 * i + 1], of[4 * i + 2], of[4 * i + 3],
                 call.rank, k.i64(p)}));
      Value term =
          vector::FromElementsOp::create(b, k.loc, words, ValueRange(all));
      term = vector::BitCastOp::create(
          b, k.loc, cast<VectorType>(k.vec(element, shape.lanes)), term);
      if (!element.isF32())
        term =
            arith::ExtFOp::create(b, k.loc, k.vec(k.f32(), shape.lanes), term);
      total = total ? k.addf(total, term) : term;
    }
    if (!element.isF32())
      total =
          arith::TruncFOp::create(b, k.loc, k.vec(element, shape.lanes), total);
    sums.push_back(total);
  }
  return sums;
}
