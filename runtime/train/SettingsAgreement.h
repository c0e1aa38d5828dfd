//===- SettingsAgreement.h - All ranks were told the same ------*- C++ -*-===//
#pragma once

#include "runtime/io/HfCheckpoint.h"
#include "runtime/train/Dataset.h"
#include "runtime/train/Ranks.h"

#include <filesystem>
#include <map>
#include <string>

namespace llamarun {

/// What a rank was told, by the name a message may give it: flags, and
/// fingerprints of the files it read.
using Settings = std::map<std::string, std::string>;

/// Ranks started by hand or by a launcher have command lines and disks of their
/// own. Were a seed, a schedule or the data another on one of them, replicas
/// would drift apart and nothing would fail. So all compare before step 0.
/// All ranks call this at the same place.
/// \throws Error(Usage) naming every setting that differs, its values and whose
///   they are; the same on all ranks.
void agreeOnSettings(const Settings &mine, const Ranks &ranks);

/// Of each split the number of examples and a hash of all tokens and labels,
/// under "--data (train)".
Settings fingerprintsOf(const std::vector<Dataset> &splits);

/// Hash of every tensor's name, type, shape and first 4 KiB, as no rank reads
/// all of a checkpoint: other training of the same model shows in them.
std::string fingerprintOf(const HfCheckpoint &checkpoint);

/// Hash of what --init-from and --adapter name: a safetensors file, or a
/// directory's adapter_config.json and adapter_model.safetensors.
/// \throws Error(BadInput) naming what cannot be read.
std::string fingerprintOfAdapter(const std::filesystem::path &path);

} // namespace llamarun
