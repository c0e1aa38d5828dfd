//===- EmitPrograms.cpp - Programs, bindings, steps -----------------------===//
#include "compiler/emit/EmitContext.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace llamac::emit;

static_assert(int(plan::ProgramKind::Probe) == int(fb::ProgramKind::Probe) &&
              int(plan::getMaxEnumValForProgramKind()) ==
                  int(fb::ProgramKind::MAX));
static_assert(int(plan::CollectiveKind::Broadcast) ==
                  int(fb::CollectiveKind::Broadcast) &&
              int(plan::getMaxEnumValForCollectiveKind()) ==
                  int(fb::CollectiveKind::MAX));

namespace {

/// A member of the union Operation.
struct Member {
  fb::Operation type = fb::Operation::NONE;
  flatbuffers::Offset<void> table;
};

class ProgramEmitter {
public:
  ProgramEmitter(Context &context, plan::ProgramOp op)
      : context(context), b(context.builder), op(op) {}

  FailureOr<flatbuffers::Offset<fb::Program>> run() {
    for (Operation &inner : op.getBlock()) {
      auto buffer = dyn_cast<plan::BufferOp>(inner);
      if (buffer && !buffer.getOffset())
        return buffer.emitOpError("has no offset: plan the memory first");
    }
    Tables<fb::Binding> inputs, outputs;
    Tables<fb::Step> steps;
    for (Operation &inner : op.getBlock()) {
      if (auto input = dyn_cast<plan::InputOp>(inner))
        inputs.push_back(binding(input.getName(), input.getBuffer()));
      else if (auto output = dyn_cast<plan::OutputOp>(inner))
        outputs.push_back(binding(output.getName(), output.getBuffer()));
      else if (auto inside = dyn_cast<plan::StepOpInterface>(inner))
        steps.push_back(step(inside));
    }
    auto name = context.string(op.getSymName());
    auto inputTable = context.tables(inputs);
    auto outputTable = context.tables(outputs);
    auto stepTable = context.tables(steps);
    return fb::CreateProgram(
        b, name, static_cast<fb::ProgramKind>(op.getKind()), op.getTokens(),
        op.getSequences(), inputTable, outputTable, stepTable, op.getStreams(),
        op.getActivationBytes().value_or(0), op.getFlops().value_or(0),
        op.getBytes().value_or(0));
  }

private:
  Context &context;
  flatbuffers::FlatBufferBuilder &b;
  plan::ProgramOp op;

  flatbuffers::Offset<fb::Binding> binding(StringRef name, Value buffer) {
    return fb::CreateBinding(b, context.string(name), context.buffer(buffer));
  }

  flatbuffers::Offset<fb::Step> step(plan::StepOpInterface step) {
    Member member =
        TypeSwitch<Operation *, Member>(step)
            .Case<plan::GemmOp, plan::LaunchOp, plan::CopyOp, plan::FillOp,
                  plan::CollectiveOp>([&](auto op) { return emit(op); });
    auto waits = context.numbers<uint32_t>(step.getStepWaits());
    return fb::CreateStep(b, member.type, member.table,
                          static_cast<uint16_t>(step.getStepStream()), waits,
                          context.location(step->getLoc()));
  }

  // Buffers are numbered as they are met: one statement each, because the order
  // of a call's arguments is the C++ compiler's choice.
  Member emit(plan::GemmOp op) {
    uint32_t x = context.buffer(op.getA());
    uint32_t y = context.buffer(op.getB());
    uint32_t d = context.buffer(op.getD());
    auto table = fb::CreateGemm(
        b, x, y, d, op.getTransposeA(), op.getTransposeB(), op.getM(),
        op.getN(), op.getK(), op.getLda(), op.getLdb(), op.getLdd(),
        static_cast<float>(op.getAlpha().convertToDouble()),
        static_cast<float>(op.getBeta().convertToDouble()));
    return {fb::Operation::Gemm, table.Union()};
  }

  Member emit(plan::LaunchOp op) {
    auto indices = [&](ValueRange values) {
      return context.numbers<uint32_t>(llvm::map_to_vector(
          values, [&](Value v) { return context.buffer(v); }));
    };
    auto reads = indices(op.getInputs()), writes = indices(op.getOutputs());
    auto scalars = context.numbers<int64_t>(op.getScalars());
    ArrayRef<int64_t> grid = op.getGrid(), block = op.getBlock();
    auto table = fb::CreateLaunch(
        b, context.kernels.lookup(op.getKernel()), reads, writes, scalars,
        grid[0], grid[1], grid[2], block[0], block[1], block[2],
        op.getSharedBytes(), op.getGrain(), op.getProgrammatic(),
        op.getSums() ? static_cast<int32_t>(*op.getSums()) : -1);
    return {fb::Operation::Launch, table.Union()};
  }

  Member emit(plan::CopyOp op) {
    uint32_t source = context.buffer(op.getSource());
    uint32_t target = context.buffer(op.getTarget());
    auto table = fb::CreateCopy(b, source, target);
    return {fb::Operation::Copy, table.Union()};
  }

  Member emit(plan::FillOp op) {
    auto table = fb::CreateFill(b, context.buffer(op.getTarget()),
                                op.getValue().convertToDouble());
    return {fb::Operation::Fill, table.Union()};
  }

  Member emit(plan::CollectiveOp op) {
    auto axes = context.numbers<uint8_t>(op.getAxes());
    uint32_t source = context.buffer(op.getSource());
    uint32_t target = context.buffer(op.getTarget());
    auto table =
        fb::CreateCollective(b, static_cast<fb::CollectiveKind>(op.getKind()),
                             axes, source, target, op.getInKernel());
    return {fb::Operation::Collective, table.Union()};
  }
};

} // namespace

FailureOr<Vector<flatbuffers::Offset<fb::Program>>>
llamac::emit::emitPrograms(Context &context) {
  Tables<fb::Program> table;
  for (auto op : context.module.getOps<plan::ProgramOp>()) {
    auto program = ProgramEmitter(context, op).run();
    if (failed(program))
      return failure();
    table.push_back(*program);
  }
  if (table.empty()) {
    context.module.emitError("module holds no plan.program");
    return failure();
  }
  return context.tables(table);
}
