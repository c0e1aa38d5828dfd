//===- TripletLayout.cpp - AdaLoRA's triplets in the flat buffers ---------===//
#include "passes/fuse/TripletLayout.h"

#include "dialects/llm/LlmDialect.h"
#include "dialects/llm/TripletTable.h"

using namespace mlir;
using namespace llamac;

static int64_t bitsOf(double value) {
  return llvm::bit_cast<uint32_t>(static_cast<float>(value));
}

/// Size of a dimension of the tensor that a parameter is a part of.
static int64_t wholeSize(const ParameterLayout::Entry &entry, unsigned dim) {
  if (auto whole = entry.parameter->getAttrOfType<DenseI64ArrayAttr>(
          llm::LlmDialect::kWholeShapeAttr))
    return whole[dim];
  return entry.type.getDimSize(dim);
}

FailureOr<TripletLayout> TripletLayout::create(Operation *user,
                                               ArrayAttr modules,
                                               const ParameterLayout &layout,
                                               int64_t tp) {
  TripletLayout result;
  for (auto &[name, entry] : layout.entries)
    result.hasParts |= entry.isPart();
  // Without parts nothing is summed over tp.
  double whole = result.hasParts ? 1.0 / static_cast<double>(tp) : 1.0;
  SmallVector<int64_t> rows;
  for (auto module : modules.getAsValueRange<StringAttr>()) {
    const ParameterLayout::Entry *factors[3];
    static constexpr StringLiteral kSuffixes[] = {".lora_A", ".lora_E",
                                                  ".lora_B"};
    for (auto [i, suffix] : llvm::enumerate(kSuffixes)) {
      std::string name = (module + suffix).str();
      auto it = layout.entries.find(name);
      if (it == layout.entries.end())
        return user->emitOpError("needs the parameter '") << name << "'";
      factors[i] = &it->second;
    }
    auto &[a, e, b] = factors;
    int64_t r = a->type.getDimSize(0);
    if (result.rank == 0)
      result.rank = r;
    if (r != result.rank || e->type.getDimSize(0) != r ||
        b->type.getDimSize(1) != r || e->isPart())
      return user->emitOpError("module '")
             << module << "' has factors " << a->type << ", " << e->type
             << " and " << b->type << "; all modules need whole triplets of "
             << "one rank";
    double aWeight = a->isPart() ? 1.0 : whole;
    double bWeight = b->isPart() ? 1.0 : whole;
    int64_t row[llm::kTripletFields];
    row[llm::kTripletA] = a->offset / 4;
    row[llm::kTripletColumns] = a->type.getDimSize(1);
    row[llm::kTripletE] = e->offset / 4;
    row[llm::kTripletB] = b->offset / 4;
    row[llm::kTripletRows] = b->type.getDimSize(0);
    row[llm::kTripletAWeight] = bitsOf(aWeight);
    row[llm::kTripletBWeight] = bitsOf(bWeight);
    row[llm::kTripletEWeight] = bitsOf(whole);
    row[llm::kTripletAMean] =
        bitsOf(aWeight / static_cast<double>(wholeSize(*a, 1)));
    row[llm::kTripletBMean] =
        bitsOf(bWeight / static_cast<double>(wholeSize(*b, 0)));
    rows.append(std::begin(row), std::end(row));
    ++result.modules;
  }
  result.table = DenseElementsAttr::get(
      RankedTensorType::get({result.modules, llm::kTripletFields},
                            IntegerType::get(user->getContext(), 64)),
      ArrayRef<int64_t>(rows));
  return result;
}
