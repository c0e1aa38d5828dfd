//===- TargetOptions.cpp - The texts of --target, --arch, --shard ---------===//
#include "compiler/options/CompilerOptions.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llamac;

llvm::Expected<GridOptions> GridOptions::parse(llvm::StringRef text,
                                               llvm::StringRef flag) {
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
      return llvm::createStringError(flag + ": '" + word +
                                     "' is not ddpN or tpN");
  }
  return grid;
}

static bool isGpuArch(llvm::StringRef arch) {
  unsigned number = 0;
  return arch.consume_front("sm_") && !arch.getAsInteger(10, number) &&
         number >= 80 && number < 1000;
}

llvm::Expected<TargetOptions> TargetOptions::parse(llvm::StringRef kind,
                                                   llvm::StringRef arch,
                                                   llvm::StringRef dtype) {
  TargetOptions target;
  target.kind = kind.str();
  if (kind == "cuda") {
    target.arch = "sm_90";
    target.compute = "bf16";
  } else if (kind != "cpu") {
    return llvm::createStringError("--target: '" + kind +
                                   "' is not cpu or cuda");
  }
  if (!arch.empty()) {
    target.ptx = kind == "cuda" && arch.consume_back("+");
    target.arch = arch.str();
    if (kind == "cuda" && !isGpuArch(arch))
      return llvm::createStringError(
          "--arch: '" + arch +
          "' is no GPU architecture from sm_80 on; "
          "sm_90 is one, sm_90+ that and later ones");
    if (kind == "cpu" && arch != "x86-64-v3" && arch != "x86-64-v4" &&
        arch != "native")
      return llvm::createStringError("--arch: '" + arch +
                                     "' is not x86-64-v3, x86-64-v4 or native");
  }
  if (dtype == "float32")
    target.compute = "f32";
  else if (dtype == "bfloat16")
    target.compute = "bf16";
  else if (!dtype.empty())
    return llvm::createStringError("--dtype: '" + dtype +
                                   "' is not float32 or bfloat16");
  if (kind == "cpu" && target.compute != "f32")
    return llvm::createStringError("--dtype: cpu computes in float32");
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
