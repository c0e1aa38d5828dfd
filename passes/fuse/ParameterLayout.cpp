//===- ParameterLayout.cpp - Where parameters lie in the flat buffers -----===//
#include "passes/fuse/ParameterLayout.h"

#include "dialects/llm/LlmDialect.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace llamac;

bool ParameterLayout::Entry::isPart() const {
  return parameter->hasAttr(llm::LlmDialect::kSplitAxesAttr);
}

static int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() * type.getElementTypeBitWidth() / 8;
}

ParameterLayout::ParameterLayout(ModuleOp module) {
  // Which sum a gradient takes part in; the first program that has it decides.
  llvm::DenseMap<StringRef, unsigned> groups;
  unsigned group = 0;
  module.walk([&](llm::ReduceGradientsOp op) {
    bool isNew = false;
    for (auto name : op.getParameters().getAsRange<StringAttr>())
      isNew |= groups.try_emplace(name.getValue(), group).second;
    group += isNew;
  });
  SmallVector<std::pair<StringRef, Entry>> order;
  llvm::DenseSet<StringRef> seen;
  module.walk([&](llm::ParameterOp op) {
    if (seen.insert(op.getName()).second)
      order.push_back(
          {op.getName(), Entry{cast<RankedTensorType>(op.getType()), 0, op}});
  });
  auto key = [&](const std::pair<StringRef, Entry> &p) {
    auto it = groups.find(p.first);
    return std::pair(it == groups.end() ? group : it->second,
                     !p.second.isPart());
  };
  llvm::stable_sort(order, [&](auto &a, auto &b) { return key(a) < key(b); });

  int64_t end = 0;
  constexpr int64_t kRowBytes = kColumns * 4;
  bool wasPart = false;
  for (auto &[name, entry] : order) {
    if (end > 0 && entry.isPart() != wasPart)
      end = llvm::alignTo(end, kRowBytes);
    wasPart = entry.isPart();
    entry.offset = end;
    entries.insert({name, entry});
    end = llvm::alignTo(end + bytesOf(entry.type), kAlignment);
    partRows.resize(llvm::divideCeil(end, kRowBytes), wasPart);
  }
  rows = llvm::divideCeil(end, kRowBytes);
}

RankedTensorType ParameterLayout::flatType(MLIRContext *context) const {
  return RankedTensorType::get({rows, kColumns}, Float32Type::get(context));
}

FailureOr<std::pair<int64_t, int64_t>>
ParameterLayout::rangeOf(ArrayAttr names) const {
  int64_t begin = bytes(), end = 0;
  llvm::DenseSet<StringRef> wanted;
  for (auto name : names.getAsRange<StringAttr>()) {
    auto it = entries.find(name.getValue());
    if (it == entries.end())
      return failure();
    wanted.insert(name.getValue());
    const Entry &entry = it->second;
    begin = std::min(begin, entry.offset);
    end = std::max(end, entry.offset + bytesOf(entry.type));
  }
  for (auto &[name, entry] : entries)
    if (entry.offset >= begin && entry.offset < end && !wanted.contains(name))
      return failure();
  return std::pair(begin, end);
}
