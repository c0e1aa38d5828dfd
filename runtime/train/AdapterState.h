//===- AdapterState.h - Trainable tensors to and from files ----*- C++ -*-===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/io/PeftAdapter.h"

#include <filesystem>
#include <string>

namespace llamarun {

/// What PEFT's adapter_config.json says of the plan's adapter. `all-linear` is
/// written as the list of modules it matched, as PEFT does.
/// \param baseModel base_model_name_or_path: the weights' directory.
PeftConfig adapterConfig(const Plan &plan, const std::string &baseModel);

/// All Parameters of the session as float32 in C order, by their names.
AdapterTensors readParameters(Session &session);

/// Writes all Parameters of the session.
/// \param source opens messages: the file or directory that `tensors` is from.
/// \throws Error(BadInput) naming the tensor: missing, unexpected, of another
///   shape than the plan's, or not finite.
void writeParameters(Session &session, const AdapterTensors &tensors,
                     const std::string &source);

/// Writes adapter_config.json and adapter_model.safetensors as one.
/// \throws Error(Storage): the old files stay intact.
void saveAdapter(Session &session, const std::filesystem::path &directory,
                 const std::string &baseModel);

/// Loads an adapter directory made by saveAdapter() or by PEFT, or a
/// safetensors file of PyTorch parameters (`...lora_A.default.weight`).
/// \throws Error(BadInput) as writeParameters(), and if the directory's config
///   scales a module otherwise than the plan (alpha, rank, rslora).
void loadAdapter(Session &session, const std::filesystem::path &path);

} // namespace llamarun
