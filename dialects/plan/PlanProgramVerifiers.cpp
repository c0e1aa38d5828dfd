//===- PlanProgramVerifiers.cpp - Programs and buffers --------------------===//
#include "dialects/plan/PlanDialect.h"
#include "dialects/plan/PlanPlace.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace plan;

void ProgramOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                      ProgramKind kind, int64_t tokens, int64_t sequences) {
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.sym_name = builder.getStringAttr(name);
  properties.kind = ProgramKindAttr::get(builder.getContext(), kind);
  properties.tokens = builder.getI64IntegerAttr(tokens);
  properties.sequences = builder.getI64IntegerAttr(sequences);
  properties.streams = builder.getI64IntegerAttr(1);
  state.addRegion()->emplaceBlock();
}

LogicalResult ProgramOp::verify() {
  for (auto [what, value] : {std::pair("tokens", getTokens()),
                             std::pair("sequences", getSequences())})
    if (value < 1 || value > (1u << 30))
      return emitOpError(what)
             << " is " << static_cast<int64_t>(value) << ", not 1 to 2^30";
  if (getStreams() < 1 || getStreams() > 64)
    return emitOpError("has ")
           << static_cast<int64_t>(getStreams()) << " streams, not 1 to 64";
  if (getBody().getNumArguments() != 0)
    return emitOpError("takes no block arguments");
  return success();
}

static LogicalResult verifyPlacement(ProgramOp program, StepOpInterface step,
                                     ArrayRef<uint64_t> earlierStreams) {
  uint64_t stream = step.getStepStream();
  if (stream >= program.getStreams())
    return step->emitOpError("runs on stream ")
           << static_cast<int64_t>(stream) << " of " << program.getStreams();
  for (int64_t wait : step.getStepWaits()) {
    if (wait < 0 || wait >= static_cast<int64_t>(earlierStreams.size()))
      return step->emitOpError("waits for step ")
             << wait << ", which is not before it: it is step "
             << earlierStreams.size();
    if (earlierStreams[wait] == stream)
      return step->emitOpError("waits for step ")
             << wait << " of its own stream";
  }
  return success();
}

/// A sum marked `in_kernel` and the launch that takes it are neighbours on
/// their stream. `step` comes after `last`, which may be null, or is null at
/// the end.
static LogicalResult verifySumInKernel(Operation *last, Operation *step) {
  auto sum = dyn_cast_or_null<CollectiveOp>(last);
  auto launch = dyn_cast_or_null<LaunchOp>(step);
  Value taken;
  if (launch && launch.getSums())
    taken = launch.getInputs()[*launch.getSums()];
  if (sum && sum.getInKernel()) {
    if (taken == sum.getTarget())
      return success();
    return sum.emitOpError(
        "is marked in_kernel, but the next step of its stream does not take "
        "the sum");
  }
  if (taken)
    return launch.emitOpError("takes a sum, but the step before it on its "
                              "stream is no collective marked in_kernel");
  return success();
}

LogicalResult ProgramOp::verifyRegions() {
  SmallVector<uint64_t> streams;
  llvm::SmallDenseMap<uint64_t, Operation *> lastOn;
  llvm::StringSet<> inputs, outputs;
  for (Operation &op : getBlock()) {
    if (auto step = dyn_cast<StepOpInterface>(op)) {
      if (failed(verifyPlacement(*this, step, streams)))
        return failure();
      streams.push_back(step.getStepStream());
      Operation *&last = lastOn[step.getStepStream()];
      if (failed(verifySumInKernel(last, &op)))
        return failure();
      last = &op;
    } else if (auto input = dyn_cast<InputOp>(op)) {
      if (!inputs.insert(input.getName()).second)
        return op.emitOpError("binds '") << input.getName() << "' twice";
    } else if (auto output = dyn_cast<OutputOp>(op)) {
      if (!outputs.insert(output.getName()).second)
        return op.emitOpError("binds '") << output.getName() << "' twice";
    } else if (!isa<BufferOp, ViewOp>(op)) {
      return op.emitOpError("is no buffer, input, output or step of a plan");
    }
  }
  for (auto [stream, last] : lastOn)
    if (failed(verifySumInKernel(last, nullptr)))
      return failure();
  return success();
}

LogicalResult BufferOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  std::optional<int64_t> bytes = placeBytes(type);
  if (!bytes || *bytes == 0 || type.getRank() > 8)
    return emitOpError("is empty, above 2^47 bytes or of rank above 8");
  return success();
}

LogicalResult BufferOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto type = cast<RankedTensorType>(getType());
  return success(checkPlace(*this, symbols, getAllocationAttr(), type,
                            getOffset()) != nullptr);
}

LogicalResult ViewOp::verify() {
  if (!getSource().getDefiningOp<BufferOp>())
    return emitOpError("must be of a plan.buffer");
  auto source = cast<RankedTensorType>(getSource().getType());
  auto type = cast<RankedTensorType>(getType());
  if (type.getElementType() != source.getElementType())
    return emitOpError("is of ")
           << type.getElementType() << " but its buffer of "
           << source.getElementType();
  auto pitch = static_cast<int64_t>(getPitch());
  auto offset = static_cast<int64_t>(getOffset());
  int64_t count = source.getNumElements();
  if (type.getRank() != 2 || type.getNumElements() == 0 ||
      pitch < type.getDimSize(1) || pitch > count || offset < 0 ||
      offset > count ||
      type.getDimSize(0) - 1 > (count - offset - type.getDimSize(1)) / pitch ||
      count - offset < type.getDimSize(1))
    return emitOpError("rows ") << pitch << " elements apart from element "
                                << offset << " on are not inside " << source;
  return success();
}
