//===- LocationText.cpp - An MLIR location on one short line --------------===//
#include "compiler/emit/LocationText.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace {

/// What a walk over a location has found.
struct Parts {
  std::string position;
  llvm::SmallVector<StringRef> names;
  // Locations are graphs that share nodes: a walk may be longer than the text
  // of the module, and the first parts are the ones to show.
  int budget = 256;

  void visit(Location loc) {
    if (budget-- <= 0)
      return;
    if (auto file = dyn_cast<FileLineColLoc>(loc)) {
      if (position.empty())
        position = llvm::sys::path::filename(file.getFilename()).str() + ":" +
                   std::to_string(file.getLine()) + ":" +
                   std::to_string(file.getColumn());
    } else if (auto name = dyn_cast<NameLoc>(loc)) {
      if (!name.getName().empty() &&
          !llvm::is_contained(names, name.getName().getValue()))
        names.push_back(name.getName());
      visit(name.getChildLoc());
    } else if (auto call = dyn_cast<CallSiteLoc>(loc)) {
      visit(call.getCallee());
      visit(call.getCaller());
    } else if (auto fused = dyn_cast<FusedLoc>(loc)) {
      for (Location part : fused.getLocations())
        visit(part);
    } else if (auto opaque = dyn_cast<OpaqueLoc>(loc)) {
      visit(opaque.getFallbackLocation());
    }
  }
};

} // namespace

std::string llamac::locationText(Location loc) {
  constexpr size_t kNames = 4, kLength = 500;
  Parts parts;
  parts.visit(loc);
  std::string text = parts.position;
  for (auto [i, name] : llvm::enumerate(parts.names)) {
    if (i == kNames) {
      text += " + ...";
      break;
    }
    text += (i ? " + " : text.empty() ? "" : " ") + name.str();
  }
  if (text.empty())
    return "unknown";
  text.resize(std::min(text.size(), kLength));
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return text;
}
