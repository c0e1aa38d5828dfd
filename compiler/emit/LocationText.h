//===- LocationText.h - An MLIR location on one short line -----*- C++ -*-===//
#pragma once

#include "mlir/IR/Location.h"

#include <string>

namespace llamac {

/// "model.mlir:42:10 model.layers.3.mlp.up_proj": the first file position in
/// `loc`, its folder left out, then the names in it in order, joined by " + "
/// and cut after the fourth. "unknown" if there is neither. Always printable.
std::string locationText(mlir::Location loc);

} // namespace llamac
