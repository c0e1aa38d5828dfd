//===- TinyPlan.h - A plan that shows what it was given --------*- C++ -*-===//
//
// No model: its programs copy inputs to outputs, so that a test can tell which
// values reached the device.
//   Train       loss = grad_norm = loss_scale, learning_rate = 0.25, and
//               lora_B becomes 0.5 everywhere
//   Accumulate  loss = loss_scale
//   Evaluate    loss = loss_scale; regression: logits = labels
// AdaLoRA: Train's task_loss is loss_scale (its loss trainLoss, if given),
// lora_E becomes 0.5 everywhere and the output kept is what the state tensor
// holds; Evaluate's regulariser is 0.125.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/plan/Plan.h"
#include "runtime/train/Ranks.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun::tiny {

struct Options {
  std::string task = "stsb";
  fb::Head head = fb::Head::Regression;
  std::uint32_t labels = 1;
  std::uint32_t batch = 4;
  std::uint32_t sequences = 4;
  std::uint32_t maxLength = 8;
  std::uint32_t accumulation = 1;
  std::vector<std::uint32_t> buckets = {16, 32};
  fb::DType weights = fb::DType::F32;
  std::uint32_t rows = 3; ///< of the weights
  bool tied = false;
  double trainLoss = 0; ///< not 0: what Train's loss is instead of loss_scale
  double gradient = 0;  ///< what Train writes to lora_B's gradient
  /// Devices along "dp" and "tp"; 1 and 1: no grid. tp splits the embedding and
  /// lora_B by rows, lora_A and lm_head by columns. Programs of a grid have the
  /// inputs `random` and `grid_index`.
  unsigned dp = 1, tp = 1;
  bool adalora = false;    ///< tinit 1, tfinal 2, deltaT 2, target_r 1
  bool unevenRows = false; ///< rows need not be a multiple of tp
};

inline constexpr char kLoraA[] =
    "model.layers.0.self_attn.q_proj.lora_A.weight";
inline constexpr char kLoraB[] =
    "model.layers.0.self_attn.q_proj.lora_B.weight";
/// With Options::adalora; B is split as lora_B, A as lora_A.
inline constexpr char kAdaLoraA[] = "model.layers.0.self_attn.q_proj.lora_A";
inline constexpr char kAdaLoraE[] = "model.layers.0.self_attn.q_proj.lora_E";
inline constexpr char kAdaLoraB[] = "model.layers.0.self_attn.q_proj.lora_B";
inline constexpr std::uint32_t kVocabulary = 800, kHidden = 4, kRank = 2;

std::shared_ptr<const Plan> makePlan(const Options &options = {});
/// On the CPU, with two threads. \param communicators of a grid.
std::unique_ptr<Session> openSession(const Options &options = {},
                                     Communicators *communicators = nullptr);
/// The same on a device that works as late as it may (LazyDevice.h).
std::unique_ptr<Session> openLazySession(const Options &options = {});

/// Runs `body` once a rank of the options' grid, each with a session.
void runGrid(const Options &options,
             const std::function<void(Session &, const Ranks &)> &body);

/// A whole input as the device sees it.
template <typename T>
std::vector<T> input(Session &session, const fb::Program &program,
                     std::string_view name) {
  for (auto *binding : *program.inputs())
    if (viewOf(binding->name()) == name) {
      std::vector<T> values(session.plan().elements(binding->buffer()));
      session.device().copyFromDevice(values.data(),
                                      session.range(binding->buffer()).pointer,
                                      values.size() * sizeof(T));
      return values;
    }
  return {};
}

/// This rank's part of a tensor as elements of T.
template <typename T>
std::vector<T> read(Session &session, fb::Role role, const std::string &name) {
  auto *tensor = session.plan().findTensor(role, name);
  std::vector<T> values(session.plan().bytes(tensor->buffer()) / sizeof(T));
  session.readTensor(role, name, std::as_writable_bytes(std::span(values)));
  return values;
}

} // namespace llamarun::tiny
