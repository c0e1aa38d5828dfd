//===- AdapterState.h - Trainable tensors to and from files ----*- C++ -*-===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/io/PeftAdapter.h"
#include "runtime/train/Ranks.h"

#include <filesystem>
#include <string>

namespace llamarun {

/// What PEFT's adapter_config.json says of the plan's adapter. `all-linear` is
/// written as the list of modules it matched, as PEFT does.
/// \param baseModel base_model_name_or_path: the weights' directory.
PeftConfig adapterConfig(const Plan &plan, const std::string &baseModel);

/// All tensors of the role (Parameter, Gradient) as float32 in C order, by
/// their names: put together from the ranks that hold the parts, those of the
/// first replica. All ranks call it; rank 0 gets the tensors, the others none.
AdapterTensors readTensors(Session &session, fb::Role role,
                           const Ranks &ranks = {});
inline AdapterTensors readParameters(Session &session,
                                     const Ranks &ranks = {}) {
  return readTensors(session, fb::Role::Parameter, ranks);
}

/// Writes all Parameters of the session: of split ones this rank's slice.
/// \param source opens messages: the file or directory that `tensors` is from.
/// \throws Error(BadInput) naming the tensor: missing, unexpected, of another
///   shape than the plan's, or not finite.
void writeParameters(Session &session, const AdapterViews &tensors,
                     const std::string &source, const Ranks &ranks = {});

/// Writes adapter_config.json and adapter_model.safetensors as one: rank 0
/// does. All ranks call it, and all throw if it cannot.
/// \throws Error(Storage): the old files stay intact.
void saveAdapter(Session &session, const std::filesystem::path &directory,
                 const std::string &baseModel, const Ranks &ranks = {});

/// Loads an adapter directory made by saveAdapter() or by PEFT, or a
/// safetensors file of PyTorch parameters (`...lora_A.default.weight`): this
/// rank's part of it, straight from the mapped file.
/// \throws Error(BadInput) as writeParameters(), and if the directory's config
///   scales a module otherwise than the plan (alpha, rank, rslora).
void loadAdapter(Session &session, const std::filesystem::path &path,
                 const Ranks &ranks = {});

} // namespace llamarun
