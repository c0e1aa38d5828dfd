//===- TripletReference.h - AdaLoRA in plain C++ ----------------*- C++ -*-===//
//
// What the llm.triplet_* kernels compute, in float64, from the formulas of PEFT
// (tuners/adalora/layer.py, model.py). Used by the tests of the CPU's and of
// the GPU's kernels.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "dialects/llm/TripletTable.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

struct TripletCase {
  struct Shape {
    int64_t in, out;
  };
  int64_t rank;
  std::vector<Shape> shapes; // of the modules
  /// Modules at odd places have an A, at even places a B that several devices
  /// share; what is whole counts `whole`.
  float whole = 1;

  std::vector<int64_t> table;
  std::vector<float> params, gradients, sensitivity, uncertainty;

  int64_t modules() const { return int64_t(shapes.size()); }
  int64_t gramWidth() const { return rank * rank + rank; }
  int64_t rows() const { return int64_t(params.size()) / 1024; }

  TripletCase(int64_t rank, std::vector<Shape> shapes, float whole = 1)
      : rank(rank), shapes(std::move(shapes)), whole(whole) {
    int64_t end = 0;
    auto place = [&](int64_t count) {
      int64_t at = end;
      end = (end + count + 15) / 16 * 16;
      return at;
    };
    auto bits = [](float x) { return int64_t(std::bit_cast<uint32_t>(x)); };
    for (int64_t m = 0; m < modules(); ++m) {
      auto [in, out] = this->shapes[m];
      int64_t row[llm::kTripletFields];
      row[llm::kTripletA] = place(rank * in);
      row[llm::kTripletColumns] = in;
      row[llm::kTripletE] = place(rank);
      row[llm::kTripletB] = place(out * rank);
      row[llm::kTripletRows] = out;
      float a = m % 2 ? 1 : whole, b = m % 2 ? whole : 1;
      row[llm::kTripletAWeight] = bits(a);
      row[llm::kTripletBWeight] = bits(b);
      row[llm::kTripletEWeight] = bits(whole);
      row[llm::kTripletAMean] = bits(a / float(3 * in));
      row[llm::kTripletBMean] = bits(b / float(out));
      table.insert(table.end(), std::begin(row), std::end(row));
    }
    std::mt19937 engine(7);
    std::normal_distribution<float> normal;
    int64_t size = (end + 1023) / 1024 * 1024;
    for (auto *x : {&params, &gradients, &sensitivity, &uncertainty})
      for (int64_t i = 0; i < size; ++i)
        x->push_back(normal(engine) * (x == &params ? 0.1f : 1.0f));
    for (auto *x : {&sensitivity, &uncertainty})
      for (float &value : *x)
        value = std::abs(value);
  }

  int64_t field(int64_t m, llm::TripletField which) const {
    return table[m * llm::kTripletFields + which];
  }
  double weight(int64_t m, llm::TripletField which) const {
    return std::bit_cast<float>(uint32_t(field(m, which)));
  }
  /// Element i of column c of A or row c of B in a flat buffer.
  int64_t at(int64_t m, bool isA, int64_t i, int64_t c) const {
    return isA ? field(m, llm::kTripletA) + i * shapes[m].in + c
               : field(m, llm::kTripletB) + c * rank + i;
  }
  int64_t count(int64_t m, bool isA) const {
    return isA ? shapes[m].in : shapes[m].out;
  }

  /// [2M, r*r + r].
  std::vector<double> grams(bool withGradients) const {
    std::vector<double> out(2 * modules() * gramWidth());
    for (int64_t row = 0; row < 2 * modules(); ++row) {
      bool isA = row < modules();
      int64_t m = isA ? row : row - modules();
      double w = weight(m, isA ? llm::kTripletAWeight : llm::kTripletBWeight);
      double *g = &out[row * gramWidth()];
      for (int64_t c = 0; c < count(m, isA); ++c)
        for (int64_t i = 0; i < rank; ++i) {
          double x = params[at(m, isA, i, c)];
          for (int64_t j = 0; j < rank; ++j)
            g[i * rank + j] += w * x * params[at(m, isA, j, c)];
          if (isA && withGradients)
            g[rank * rank + i] += w * x * gradients[at(m, true, i, c)];
        }
    }
    return out;
  }

  /// Any numbers in place of Grams: symmetric, as they are.
  std::vector<float> anyGrams() const {
    std::mt19937 engine(3);
    std::normal_distribution<float> normal;
    std::vector<float> out(2 * modules() * gramWidth());
    for (float &x : out)
      x = normal(engine);
    for (int64_t row = 0; row < 2 * modules(); ++row)
      for (int64_t i = 0; i < rank; ++i)
        for (int64_t j = 0; j < i; ++j)
          out[row * gramWidth() + i * rank + j] =
              out[row * gramWidth() + j * rank + i];
    return out;
  }

  /// The gradients after llm.triplet_finish.
  std::vector<double> finished(const std::vector<float> &g,
                               const std::vector<float> &norms,
                               double factor) const {
    std::vector<double> out(gradients.begin(), gradients.end());
    for (int64_t row = 0; row < 2 * modules(); ++row) {
      bool isA = row < modules();
      int64_t m = isA ? row : row - modules();
      double slope = norms[row] > 0 ? factor / norms[row] : 0;
      const float *gram = &g[row * gramWidth()];
      for (int64_t i = 0; i < rank; ++i) {
        double e = params[field(m, llm::kTripletE) + i];
        for (int64_t c = 0; c < count(m, isA); ++c) {
          double sum = 0;
          for (int64_t j = 0; j < rank; ++j)
            sum += (gram[i * rank + j] - (i == j)) * params[at(m, isA, j, c)];
          double &x = out[at(m, isA, i, c)];
          x = (isA ? e * x : x) + slope * sum;
        }
        if (isA)
          out[field(m, llm::kTripletE) + i] = gram[rank * rank + i];
      }
    }
    return out;
  }

  /// [3M, r].
  std::vector<double> scores() const {
    std::vector<double> out(3 * modules() * rank);
    auto score = [&](int64_t i) {
      return double(sensitivity[i]) * uncertainty[i];
    };
    for (int64_t m = 0; m < modules(); ++m)
      for (int64_t i = 0; i < rank; ++i) {
        for (bool isA : {true, false})
          for (int64_t c = 0; c < count(m, isA); ++c)
            out[((isA ? 0 : modules()) + m) * rank + i] +=
                score(at(m, isA, i, c)) *
                weight(m, isA ? llm::kTripletAMean : llm::kTripletBMean);
        out[(2 * modules() + m) * rank + i] =
            score(field(m, llm::kTripletE) + i) *
            weight(m, llm::kTripletEWeight);
      }
    return out;
  }

  /// Masks of modes 1 and 2, by sorting.
  static std::vector<float> kept(std::vector<float> scores, int64_t k) {
    std::vector<float> out(scores.size(), 1.0f), sorted = scores;
    if (k == 0)
      return out;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < scores.size(); ++i)
      out[i] = scores[i] > sorted[k - 1];
    return out;
  }
  /// Sets E to zero where nothing is kept.
  void mask(std::vector<float> &flat, const std::vector<float> &kept) const {
    for (int64_t m = 0; m < modules(); ++m)
      for (int64_t i = 0; i < rank; ++i)
        if (kept[m * rank + i] == 0)
          flat[field(m, llm::kTripletE) + i] = 0;
  }
};
