//===- TraceText.h - A small trace.json ------------------------*- C++ -*-===//
#pragma once

#include <string>

namespace llamarun {

inline constexpr char kOptimizer[] =
    R"("optimizer": {"lr": 0.25, "betas": [0.9, 0.999], "eps": 1e-8,
       "weight_decay": 0.01, "warmup": 3, "total_steps": 20,
       "max_grad_norm": 0.5})";

/// A trace of one step of two rows, whose loss is `loss`.
inline std::string traceText(const std::string &loss) {
  return std::string("{") + kOptimizer +
         R"(, "pad_token_id": 0, "steps": [{"input_ids": [[1, 2, 0], [3]],
         "labels": [1.5, 2.5], "loss": )" +
         loss + R"(, "grad_norm": 0.5, "lr": 0.25}]})";
}

} // namespace llamarun
