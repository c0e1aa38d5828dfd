//===- Layouts.cpp - Which dimension of a tensor which axis splits --------===//
#include "passes/shard/Layouts.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <numeric>

using namespace mlir;
using namespace llamac;

namespace {

/// Column: the rows of [out, in] are split, every rank computes some columns of
/// the output. Row: the columns are, every rank adds a part of the sum.
enum class Style { Column, Row };

/// What must not be cut in two.
enum class Unit { Head, KvHead, Feature, Word };

struct LayerRule {
  StringLiteral module;
  Style style;
  Unit unit;
};
constexpr LayerRule kLayers[] = {
    {"embed_tokens", Style::Column, Unit::Word},
    {"lm_head", Style::Column, Unit::Word},
    {"q_proj", Style::Column, Unit::Head},
    {"k_proj", Style::Column, Unit::KvHead},
    {"v_proj", Style::Column, Unit::KvHead},
    {"gate_proj", Style::Column, Unit::Feature},
    {"up_proj", Style::Column, Unit::Feature},
    {"o_proj", Style::Row, Unit::Head},
    {"down_proj", Style::Row, Unit::Feature},
    {"linear", Style::Column, Unit::Feature}, // a layer by itself
};

constexpr int kWhole = -1;
struct TensorRule {
  StringLiteral suffix;
  int column, row; // dimension split in a layer of that style
};
constexpr TensorRule kTensors[] = {
    {".lora_A.weight", kWhole, 1}, // [rank, in]
    {".lora_B.weight", 0, kWhole}, // [out, rank]
    // AdaLoRA's, as PEFT names them.
    {".lora_A", kWhole, 1},
    {".lora_B", 0, kWhole},
    {".lora_E", kWhole, kWhole},
    {".bias", 0, kWhole},
    {".weight", 0, 1}, // last: a suffix of the factors', too
};

struct Split {
  unsigned dimension;
  Unit unit;
};

std::optional<Split> splitOf(StringRef name) {
  auto *tensor = llvm::find_if(kTensors, [&](const TensorRule &rule) {
    return name.ends_with(rule.suffix);
  });
  if (tensor == std::end(kTensors))
    return std::nullopt;
  StringRef module = name.drop_back(tensor->suffix.size());
  module = module.substr(module.rfind('.') + 1); // all of it without a dot
  auto *layer = llvm::find_if(
      kLayers, [&](const LayerRule &rule) { return rule.module == module; });
  if (layer == std::end(kLayers))
    return std::nullopt;
  int dimension = layer->style == Style::Column ? tensor->column : tensor->row;
  if (dimension == kWhole)
    return std::nullopt;
  return Split{static_cast<unsigned>(dimension), layer->unit};
}

int64_t countOf(Unit unit, llm::ModelAttr model) {
  switch (unit) {
  case Unit::Head:
    return model.getHeads();
  case Unit::KvHead:
    return model.getKvHeads();
  case Unit::Feature:
    return model.getIntermediate();
  case Unit::Word:
    return model.getVocab();
  }
  llvm_unreachable("all units are handled");
}

StringRef pluralOf(Unit unit) {
  switch (unit) {
  case Unit::Head:
    return "heads";
  case Unit::KvHead:
    return "key/value heads";
  case Unit::Feature:
    return "features";
  case Unit::Word:
    return "vocabulary entries";
  }
  llvm_unreachable("all units are handled");
}

SmallVector<int64_t> divisorsOf(int64_t n) {
  SmallVector<int64_t> small, large;
  for (int64_t d = 1; d * d <= n; ++d)
    if (n % d == 0) {
      small.push_back(d);
      if (d * d != n)
        large.push_back(n / d);
    }
  small.append(large.rbegin(), large.rend());
  return small;
}

} // namespace

std::optional<unsigned> llamac::splitDimension(StringRef name) {
  if (std::optional<Split> split = splitOf(name))
    return split->dimension;
  return std::nullopt;
}

RankedTensorType llamac::localType(StringRef name, RankedTensorType global,
                                   int64_t tp) {
  std::optional<Split> split = splitOf(name);
  if (!split)
    return global;
  SmallVector<int64_t> shape(global.getShape());
  shape[split->dimension] /= tp;
  return RankedTensorType::get(shape, global.getElementType());
}

SmallVector<int64_t> llamac::tensorParallelSizes(llm::ModelAttr model) {
  int64_t common = 0;
  for (const LayerRule &rule : kLayers)
    common = std::gcd(common, countOf(rule.unit, model));
  return divisorsOf(common);
}

LogicalResult llamac::checkSplit(Location loc, StringRef name,
                                 RankedTensorType global, llm::ModelAttr model,
                                 int64_t tp) {
  std::optional<Split> split = splitOf(name);
  if (!split)
    return success();
  if (split->dimension >= global.getRank())
    return emitError(loc) << "tensor '" << name << "' of type " << global
                          << " has no dimension " << split->dimension
                          << ", which the tp axis splits";
  int64_t size = global.getDimSize(split->dimension);
  int64_t units = model ? countOf(split->unit, model) : size;
  if (tp >= 1 && units % tp == 0 && size % tp == 0)
    return success();
  auto sizes = model ? tensorParallelSizes(model) : divisorsOf(size);
  InFlightDiagnostic error = emitError(loc);
  error << "tensor '" << name << "': dimension " << split->dimension << " of "
        << global << ", " << units << " "
        << (model ? pluralOf(split->unit) : StringRef("elements"))
        << ", has no " << tp << " equal parts; tp can be ";
  llvm::interleaveComma(sizes, error);
  return error;
}
