//===- HfConfig.h - config.json of a Llama checkpoint -----------*- C++ -*-===//
//
// The keys of Transformers' LlamaConfig that change what the model computes, in
// the style of version 4 (rope_theta, rope_scaling, torch_dtype) and of version
// 5 (rope_parameters, dtype). What we do not compute is refused by name, never
// ignored.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace llamac {

/// "llama3" frequency scaling (transformers modeling_rope_utils.py).
struct HfRopeScaling {
  double factor = 1;
  double lowFreqFactor = 1;
  double highFreqFactor = 4;
  int64_t originalMaxPositions = 0;
};

enum class HfDType { F32, BF16, F16 };

/// Checked: sizes positive and bounded, heads a multiple of kvHeads, headDim
/// even.
struct HfConfig {
  int64_t hiddenSize = 0;
  int64_t intermediateSize = 0;
  int64_t numLayers = 0;
  int64_t numHeads = 0;
  int64_t numKvHeads = 0; ///< default: numHeads
  int64_t headDim = 0;    ///< default: hiddenSize / numHeads
  int64_t vocabSize = 0;
  int64_t maxPositions = 2048;
  double rmsNormEps = 1e-6;
  double ropeTheta = 1e4;
  std::optional<HfRopeScaling> ropeScaling;
  HfDType dtype = HfDType::F32; ///< of the stored weights
  bool tieWordEmbeddings = false;
  std::optional<int64_t> bosTokenId;
  llvm::SmallVector<int64_t, 2> eosTokenIds;
  std::optional<int64_t> padTokenId;
  double initializerRange = 0.02;
};

/// Parses the text of a config.json; `path` is for messages. Errors name file
/// and key.
llvm::Expected<HfConfig> parseHfConfig(llvm::StringRef text,
                                       llvm::StringRef path);

/// Reads `path`, a config.json.
llvm::Expected<HfConfig> readHfConfig(llvm::StringRef path);

} // namespace llamac
