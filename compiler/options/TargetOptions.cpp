//===- TargetOptions.cpp - The texts of --target, --arch, --shard ---------===//
#include "compiler/options/CompilerOptions.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llamac;

llvm::Expected<GridOptions> GridOptions::parse(llvm::StringRef text) {
  GridOptions grid;
  llvm::SmallVector<llvm::StringRef> words;
  text.split(words, ',');
  for (llvm::StringRef word : words) {
    int64_t *axis = nullptr;
    llvm::StringRef number = word;
    if (number.consume_front("ddp") || number.consume_front("dp"))
      axis = &grid.dp;
    else if (number.consume_front("tp"))
      axis = &grid.tp;
    if (!axis || number.getAsInteger(10, *axis) || *axis < 1)
      return llvm::createStringError("--shard: '" + word +
                                     "' is not ddpN or tpN");
  }
  return grid;
}

llvm::Expected<TargetOptions> TargetOptions::parse(llvm::StringRef kind,
                                                   llvm::StringRef arch) {
  TargetOptions target;
  target.kind = kind.str();
  if (kind == "cuda")
    return llvm::createStringError(
        "--target=cuda: this llamac generates code for cpu only");
  if (kind != "cpu")
    return llvm::createStringError("--target: '" + kind + "' is not cpu");
  if (!arch.empty())
    target.arch = arch.str();
  if (target.arch != "x86-64-v3" && target.arch != "x86-64-v4" &&
      target.arch != "native")
    return llvm::createStringError("--arch: '" + target.arch +
                                   "' is not x86-64-v3, x86-64-v4 or native");
  return target;
}

llvm::Expected<Level> llamac::parseLevel(llvm::StringRef name) {
  int level = llvm::StringSwitch<int>(name)
                  .Case("graph", 0)
                  .Case("train", 1)
                  .Case("sharded", 2)
                  .Case("fused", 3)
                  .Case("plan", 4)
                  .Default(-1);
  if (level < 0)
    return llvm::createStringError(
        "--compile-to: '" + name +
        "' is no level: graph, train, sharded, fused, plan");
  return static_cast<Level>(level);
}
