//===- PeftAdapter.h - Adapters in PEFT's files ----------------*- C++ -*-===//
//
// A directory with adapter_config.json and adapter_model.safetensors. Source of
// names and layouts: peft/peft_model.py, peft/utils/save_and_load.py.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/io/PeftConfig.h"
#include "runtime/io/Safetensors.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// Name of the weights in an adapter directory.
inline constexpr char kAdapterWeightsFile[] = "adapter_model.safetensors";

/// A trainable tensor as float32, C order.
struct AdapterTensor {
  Shape shape;
  std::vector<float> data;
};

/// Tensors by our names, which are those of plan.fb:
///   model.layers.<i>.<module>.lora_A.weight  [rank, in]
///   model.layers.<i>.<module>.lora_B.weight  [out, rank]
///   score.weight                             [num_labels, hidden]
/// of AdaLoRA
///   model.layers.<i>.<module>.lora_A         [rank, in]
///   model.layers.<i>.<module>.lora_E         [rank, 1]
///   model.layers.<i>.<module>.lora_B         [out, rank]
using AdapterTensors = std::map<std::string, AdapterTensor>;

/// The same where they lie, in whatever dtype; TensorView::name is the file's.
using AdapterViews = std::map<std::string, TensorView>;
AdapterViews viewsOf(const AdapterTensors &tensors);

struct PeftAdapter {
  PeftConfig config;
  AdapterTensors tensors;
};

/// A mapped adapter_model.safetensors, or a file of PyTorch parameters.
struct AdapterFile {
  SafetensorsFile file;
  AdapterViews tensors; ///< into `file`
};

/// An adapter of which nothing was read yet but names and shapes: a rank takes
/// its part of each tensor.
struct MappedAdapter {
  PeftConfig config;
  AdapterFile weights;
};

/// Our name for PEFT's, as in a saved adapter or as a parameter of a live
/// PyTorch model (adapter `default`); nothing if it is not a trainable tensor
/// that PEFT would name. Examples:
///   base_model.model.model.layers.0.mlp.up_proj.lora_A.weight
///   base_model.model.model.layers.0.mlp.up_proj.lora_A.default.weight
///     -> model.layers.0.mlp.up_proj.lora_A.weight
///   base_model.model.score.weight
///   base_model.model.score.modules_to_save.default.weight -> score.weight
/// AdaLoRA's parameters have no `.weight`:
///   base_model.model.<module>.lora_E[.default] -> <module>.lora_E
std::optional<std::string> fromPeftName(std::string_view name);

/// PEFT's name in a saved adapter: "base_model.model." + `name`.
std::string toPeftName(std::string_view name);

/// Reads an adapter directory, made by PEFT or by writePeftAdapter(). Any
/// floating-point dtype is converted to float32.
/// \throws Error(BadInput) naming file and key or tensor: what readPeftConfig()
///   refuses, tensors that are neither the method's factors nor `score`,
///   factors without their partners or of a rank that the config does not give,
///   masks of modules that have no factors, and a SEQ_CLS adapter without
///   `score.weight`.
MappedAdapter mapPeftAdapter(const std::filesystem::path &directory);
/// The same, as float32 in memory.
PeftAdapter readPeftAdapter(const std::filesystem::path &directory);

/// Writes both files as one (AtomicFileSet), creating the directory.
/// \throws Error(Storage) on write errors: old files stay intact.
///   Error(BadInput) naming the tensor if its name is none of the above or its
///   data do not fill its shape.
void writePeftAdapter(const std::filesystem::path &directory,
                      const PeftAdapter &adapter);

/// Reads a safetensors file of PyTorch parameters (`...lora_A.default.weight`)
/// for --init-from, converted to float32.
/// \throws Error(BadInput) naming file and tensor if a name is not PEFT's.
AdapterFile mapPyTorchParameters(const std::filesystem::path &path);
/// The same, as float32 in memory.
AdapterTensors readPyTorchParameters(const std::filesystem::path &path);

} // namespace llamarun
