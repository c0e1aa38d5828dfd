//===- AdapterState.h - Trainable tensors to and from files ----*- C++ -*-===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/io/PeftAdapter.h"
#include "runtime/train/Ranks.h"

#include <filesystem>
#include <span>
#include <string>

namespace llamarun {

/// What PEFT's adapter_config.json says of the plan's adapter. `all-linear` is
/// written as the list of modules it matched, as PEFT does.
/// \param baseModel base_model_name_or_path: the weights' directory.
/// \param totalStep length of training: AdaLoRA's total_step, if the plan has
///   none. Of AdaLoRA no triplet is masked.
PeftConfig adapterConfig(const Plan &plan, const std::string &baseModel,
                         std::uint64_t totalStep = 0);

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
/// \param kept of AdaLoRA, whose `tensors` have no rows for masked triplets:
///   those get E = 0, and A and B stay as they are in the session.
/// \param source opens messages: the file or directory that `tensors` is from.
/// \throws Error(BadInput) naming the tensor: missing, unexpected, of another
///   shape than the plan's, or not finite.
void writeParameters(Session &session, const AdapterViews &tensors,
                     const std::string &source, const Ranks &ranks = {},
                     const KeptTriplets *kept = nullptr);

/// Writes adapter_config.json and adapter_model.safetensors as one: rank 0
/// does. All ranks call it, and all throw if it cannot. AdaLoRA's masked
/// triplets are left out, whatever E is there.
/// \param totalStep as adapterConfig().
/// \throws Error(Storage): the old files stay intact.
void saveAdapter(Session &session, const std::filesystem::path &directory,
                 const std::string &baseModel, const Ranks &ranks = {},
                 std::uint64_t totalStep = 0);

/// The same from tensors in memory, by any one thread of one rank.
/// \param kept AdaLoRA's mask, [modules, r]; empty for others.
void writeAdapterFiles(const Plan &plan, const std::filesystem::path &directory,
                       const std::string &baseModel, std::uint64_t totalStep,
                       AdapterTensors tensors, std::span<const float> kept);

/// Loads an adapter directory made by saveAdapter() or by PEFT, or a
/// safetensors file of PyTorch parameters (`...lora_A.default.weight`): this
/// rank's part of it, straight from the mapped file. What an AdaLoRA directory
/// has masked is masked from then on, until the next allocation. \throws
/// Error(BadInput) as writeParameters(), and if the directory's config
///   is of another method than the plan's adapter, or scales a module
///   otherwise (alpha, rank, rslora, init_r).
void loadAdapter(Session &session, const std::filesystem::path &path,
                 const Ranks &ranks = {});

} // namespace llamarun
