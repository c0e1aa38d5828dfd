//===- TaskOptions.cpp - Heads of the tasks; token buckets ----------------===//
#include "compiler/options/CompilerOptions.h"

#include "llvm/ADT/StringRef.h"

using namespace llamac;

llvm::Expected<TaskOptions> TaskOptions::parse(llvm::StringRef name) {
  // Labels as in the GLUE loading script (huggingface/datasets glue.py).
  static const TaskOptions known[] = {
      {"cola", "classification", 2}, {"sst2", "classification", 2},
      {"mrpc", "classification", 2}, {"qqp", "classification", 2},
      {"stsb", "regression", 1},     {"mnli", "classification", 3},
      {"qnli", "classification", 2}, {"rte", "classification", 2},
      {"wnli", "classification", 2}, {"ax", "classification", 3},
      {"lm", "causal_lm", 0}};
  for (const TaskOptions &task : known)
    if (name == task.name)
      return task;
  std::string names;
  for (const TaskOptions &task : known)
    names += (names.empty() ? "" : ", ") + task.name;
  return llvm::createStringError("--task: '" + name + "' is none of " + names);
}

std::vector<int64_t> llamac::defaultBuckets(int64_t batch, int64_t maxLength,
                                            int64_t parts) {
  auto whole = [&](int64_t tokens) {
    return (tokens + parts - 1) / parts * parts;
  };
  int64_t largest = whole(batch * maxLength);
  std::vector<int64_t> buckets;
  for (int64_t octave = 64; octave < largest; octave *= 2)
    for (int64_t quarter = 4; quarter < 8; ++quarter) {
      int64_t tokens = whole(octave * quarter / 4);
      if (tokens < largest && (buckets.empty() || tokens > buckets.back()))
        buckets.push_back(tokens);
    }
  buckets.push_back(largest);
  return buckets;
}
