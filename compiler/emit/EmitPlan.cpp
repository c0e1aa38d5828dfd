//===- EmitPlan.cpp - The root table and the file -------------------------===//
#include "compiler/emit/EmitPlan.h"

#include "compiler/emit/EmitContext.h"
#include "runtime/plan/Container.h"
#include "runtime/plan/SchemaHash.h"

using namespace mlir;
using namespace llamac::emit;

LogicalResult llamac::emitPlan(ModuleOp module, std::string &bytes) {
  Context context(module);
  auto header = emitHeader(context);
  if (failed(header))
    return failure();
  auto allocations = emitAllocations(context);
  auto constants = emitConstants(context);
  if (failed(constants))
    return failure();
  auto tensors = emitTensors(context);
  auto codeObjects = emitCodeObjects(context);
  auto kernels = emitKernels(context);
  if (failed(kernels))
    return failure();
  auto programs = emitPrograms(context);
  if (failed(programs))
    return failure();
  // Last: the tables above put their buffers and locations in them.
  auto buffers = context.bufferTable();
  auto locations = context.locationTable();

  auto text = [&](StringRef name) {
    auto attr = module->getAttrOfType<StringAttr>(name);
    return context.string(attr ? attr.getValue() : "");
  };
  auto schemaHash = context.string(fb::kSchemaHash);
  auto version = context.string(LLAMAC_VERSION);
  auto flags = text(plan::PlanDialect::kFlagsAttr);
  auto modelHash = text(plan::PlanDialect::kModelHashAttr);
  fb::FinishPlanBuffer(
      context.builder,
      fb::CreatePlan(context.builder, schemaHash, version, flags, modelHash,
                     header->target, header->grid, header->model, header->task,
                     header->adapter, allocations, buffers, tensors, *constants,
                     codeObjects, *kernels, *programs, locations,
                     header->sourceGrid, header->targetGrid));
  auto payload = context.builder.GetBufferSpan();
  bytes = fb::makeContainer(
      std::as_bytes(std::span<const uint8_t>(payload.data(), payload.size())));
  return success();
}
