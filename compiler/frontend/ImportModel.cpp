//===- ImportModel.cpp - Hugging Face directory -> model.mlir -------------===//
#include "compiler/frontend/ImportModel.h"

#include "compiler/frontend/CheckpointNames.h"
#include "compiler/frontend/HfConfig.h"
#include "compiler/frontend/JsonFile.h"
#include "compiler/frontend/ModelText.h"
#include "dialects/llm/LlmDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace llamac {

static constexpr StringLiteral kEmbedding = "model.embed_tokens.weight";
static constexpr StringLiteral kHead = "lm_head.weight";

/// The name as a word that needs no quoting anywhere.
static std::string plainName(StringRef dir, StringRef name) {
  SmallString<256> real;
  if (name.empty() && !sys::fs::real_path(dir, real))
    name = sys::path::filename(real);
  std::string plain;
  for (char c : name)
    plain += isAlnum(c) || c == '.' || c == '_' || c == '-' ? c : '-';
  return plain.empty() ? "model" : plain;
}

/// Parses and verifies `text`; the names of its weights, one for each layer.
static Expected<std::vector<std::string>> weightsOf(StringRef text,
                                                    StringRef path) {
  mlir::DialectRegistry registry;
  registry.insert<llm::LlmDialect, mlir::func::FuncDialect>();
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &d) {
    if (message.empty())
      message = d.str();
    return mlir::success();
  });
  mlir::ParserConfig parserConfig(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>(text, parserConfig, "model.mlir");
  if (!module)
    return fileError(path, "does not make a valid model: " + message);

  std::vector<std::string> names;
  module->walk([&](llm::WeightOp weight) {
    auto layers = weight->getParentOfType<llm::LayersOp>();
    auto [before, after] = weight.getName().split("{layer}");
    if (!layers || before.size() == weight.getName().size())
      return names.push_back(weight.getName().str());
    for (int64_t layer = 0, count = layers.getCount(); layer < count; ++layer)
      names.push_back((before + Twine(layer) + after).str());
  });
  return names;
}

/// The checkpoint has every weight of the model. A tied embedding may be stored
/// under either of its names: safetensors keeps one of two shared tensors.
static Error checkWeights(const CheckpointNames &checkpoint, bool tied,
                          ArrayRef<std::string> wanted) {
  SmallVector<StringRef> missing;
  for (const std::string &name : wanted) {
    bool present =
        checkpoint.names.contains(name) ||
        (tied && name == kEmbedding && checkpoint.names.contains(kHead));
    if (!present && !is_contained(missing, name))
      missing.push_back(name);
  }
  if (missing.empty())
    return Error::success();
  if (missing.front() == kHead)
    return fileError(checkpoint.path,
                     "has no lm_head.weight but config.json says that the "
                     "embeddings are not tied (tie_word_embeddings false)");
  std::string others =
      missing.size() == 1
          ? ""
          : " and " + std::to_string(missing.size() - 1) + " more";
  return fileError(checkpoint.path, "has no tensor " + missing.front() +
                                        others +
                                        ", which config.json calls for");
}

Expected<std::string> importHfDirectory(StringRef dir, StringRef name,
                                        SmallVectorImpl<std::string> *remarks) {
  auto remark = [&](const Twine &text) {
    if (remarks)
      remarks->push_back(text.str());
  };
  SmallString<256> path(dir);
  sys::path::append(path, "config.json");
  Expected<HfConfig> config = readHfConfig(path);
  if (!config)
    return config.takeError();
  Expected<std::optional<CheckpointNames>> found = readCheckpointNames(dir);
  if (!found)
    return found.takeError();
  const std::optional<CheckpointNames> &checkpoint = *found;

  // A sequence classification checkpoint has `score` in place of `lm_head`.
  bool withLogits = config->tieWordEmbeddings || !checkpoint ||
                    checkpoint->names.contains(kHead) ||
                    !checkpoint->names.contains("score.weight");
  std::string text = writeModelText(*config, plainName(dir, name), withLogits);
  Expected<std::vector<std::string>> weights = weightsOf(text, path);
  if (!weights)
    return weights.takeError();

  if (!checkpoint)
    remark(dir + ": neither model.safetensors nor model.safetensors.index.json"
                 " is there: the model is made from config.json alone");
  else if (Error error =
               checkWeights(*checkpoint, config->tieWordEmbeddings, *weights))
    return error;
  if (!withLogits)
    remark(checkpoint->path +
           ": has score.weight and no lm_head.weight: the model has no "
           "@logits and cannot be trained as a language model");
  if (checkpoint && config->tieWordEmbeddings &&
      checkpoint->names.contains(kHead) &&
      checkpoint->names.contains(kEmbedding))
    remark(checkpoint->path +
           ": lm_head.weight is ignored, because config.json "
           "ties it to the embedding");
  if (config->dtype == HfDType::F16)
    remark(path + ": float16 weights are computed in float32");
  return text;
}

} // namespace llamac
