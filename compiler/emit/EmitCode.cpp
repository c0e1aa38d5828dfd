//===- EmitCode.cpp - Code objects and kernels ----------------------------===//
#include "compiler/emit/EmitContext.h"

using namespace mlir;
using namespace llamac::emit;

static_assert(int(plan::CodeFormat::Ptx) == int(fb::CodeFormat::Ptx) &&
              int(plan::getMaxEnumValForCodeFormat()) ==
                  int(fb::CodeFormat::MAX));

Vector<flatbuffers::Offset<fb::CodeObject>>
llamac::emit::emitCodeObjects(Context &context) {
  Tables<fb::CodeObject> table;
  for (auto op : context.module.getOps<plan::CodeObjectOp>()) {
    context.codeObjects[op.getSymName()] = table.size();
    auto arch = context.string(op.getArch());
    auto data = context.blob(op.getData());
    table.push_back(fb::CreateCodeObject(
        context.builder, static_cast<fb::CodeFormat>(op.getFormat()), arch,
        data));
  }
  return context.tables(table);
}

FailureOr<Vector<flatbuffers::Offset<fb::Kernel>>>
llamac::emit::emitKernels(Context &context) {
  Tables<fb::Kernel> table;
  for (auto op : context.module.getOps<plan::KernelOp>()) {
    if (!op.getCodeObject())
      return op.emitOpError("has no code object: generate code first");
    context.kernels[op.getSymName()] = table.size();
    auto symbol = context.string(op.getSymName());
    auto description = context.string(op.getDescription());
    table.push_back(fb::CreateKernel(
        context.builder, symbol,
        context.codeObjects.lookup(*op.getCodeObject()), description));
  }
  return context.tables(table);
}
