//===- CompilerOptions.h - What one llamac run is asked to do --*- C++ -*-===//
#pragma once

#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llamac {

/// `--adapter=lora:r=16,alpha=32,dropout=0.05,targets=q_proj,v_proj`.
struct AdapterOptions {
  std::string kind = "none"; // "lora", "adalora" or "none"
  int64_t rank = 8;
  double alpha = 8;
  double dropout = 0;
  bool useRslora = false;
  /// PEFT's default for Llama (utils/constants.py).
  std::vector<std::string> targets = {"q_proj", "v_proj"};
  std::vector<std::string> rankPattern, alphaPattern; // key=number

  /// AdaLoRA's, with PEFT's names and defaults (tuners/adalora/config.py);
  /// totalStep 0: the length of the training.
  struct AdaLora {
    int64_t initR = 12, targetR = 8;
    int64_t tinit = 0, tfinal = 0, deltaT = 1, totalStep = 0;
    double beta1 = 0.85, beta2 = 0.85, orthRegWeight = 0.5;
  } adalora;

  /// `placement=probe.json`: which layers get an adapter, and of which rank
  /// (adapters-place). Without a file there is none.
  struct Placement {
    std::string file, statistic = "weight_gradient.norm", rule = "top";
    double budget = 0.5;
    int64_t maxRank = 0; ///< 0: twice r
  } placement;

  /// A word without '=' continues the list of the key before it; a regex,
  /// `targets=regex:...`, takes the rest of the text up to the next `key=`.
  static llvm::Expected<AdapterOptions> parse(llvm::StringRef text);
};

/// `--probe=activations[:regex]`, `--probe-threshold`.
struct ProbeOptions {
  bool activations = false;
  std::string modules; ///< regular expression for paths; empty: all linear
  double threshold = 0.01;
  static llvm::Expected<ProbeOptions> parse(llvm::StringRef text,
                                            double threshold);
};

/// `--shard=ddp4|tp4|ddp2,tp2`: sizes of the grid's axes.
struct GridOptions {
  int64_t dp = 1, tp = 1;
  /// `flag` is what messages call it.
  static llvm::Expected<GridOptions> parse(llvm::StringRef text,
                                           llvm::StringRef flag = "--shard");
};

/// `--task`: the head a GLUE task (or a causal LM) needs.
struct TaskOptions {
  std::string name = "sst2";
  std::string head = "classification"; // classification, regression, causal_lm
  int64_t labels = 2;
  static llvm::Expected<TaskOptions> parse(llvm::StringRef name);
};

/// `--target`, `--arch`, `--dtype`.
struct TargetOptions {
  std::string kind = "cpu"; // "cpu" or "cuda"
  std::string arch = "x86-64-v3";
  /// Of base weights and activations; adapters, their gradients and the
  /// optimizer are f32.
  std::string compute = "f32"; // "f32" or "bf16"
  /// PTX, which the driver compiles for any GPU from `arch` on.
  bool ptx = false;

  bool isCuda() const { return kind == "cuda"; }
  /// Empty texts take the target's default: x86-64-v3 and float32, or sm_90 and
  /// bfloat16. An arch sm_90+ asks for PTX.
  static llvm::Expected<TargetOptions>
  parse(llvm::StringRef kind, llvm::StringRef arch, llvm::StringRef dtype);
};

/// The levels of docs/architecture.md, in order.
enum class Level { Graph, Train, Sharded, Fused, Plan };
llvm::Expected<Level> parseLevel(llvm::StringRef name);

/// Every flag of `llamac`, parsed.
struct CompilerOptions {
  AdapterOptions adapter;
  ProbeOptions probe;
  GridOptions grid;
  bool sequenceParallel = false; // --sequence-parallel
  /// --reshard-from: the plan is not one that trains but one that changes the
  /// layout of a checkpoint, from this grid to `grid`.
  std::optional<GridOptions> reshardFrom;
  TaskOptions task;
  TargetOptions target;
  int64_t batch = 8;            // sequences, per device
  int64_t maxLength = 128;      // tokens a sequence keeps
  int64_t accumulation = 1;     // micro-batches an optimizer step
  std::vector<int64_t> buckets; // tokens; empty: defaultBuckets
  bool foldAdapters = false;    // --fold-adapters; by default on a GPU
  bool bringsPrograms = false;  // the model does (Pipeline.h)
  Level stopAfter = Level::Plan;
  std::string dumpPhases; // folder, or empty
  /// The flags as given, less file paths: recorded in the plan.
  std::string recordedFlags;
};

/// Token counts from 64 to the largest batch, four an octave: a batch is padded
/// by a tenth on average. Each is a multiple of `parts`.
std::vector<int64_t> defaultBuckets(int64_t batch, int64_t maxLength,
                                    int64_t parts = 1);

} // namespace llamac
