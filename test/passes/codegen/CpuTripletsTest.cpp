#include "test/passes/codegen/KernelRunner.h"
#include "test/passes/codegen/TripletReference.h"

namespace {

using Floats = std::vector<float>;

std::string matrix(int64_t rows, int64_t columns, const char *type = "f32") {
  return "tensor<" + std::to_string(rows) + "x" + std::to_string(columns) +
         "x" + type + ">";
}

std::vector<TripletCase> cases() {
  return {{4, {{64, 96}, {96, 64}, {7, 3}}},
          {1, {{5, 9}}},
          {12, {{40, 33}, {16, 100}}, 0.25f},
          {17, {{32, 32}}, 0.5f}};
}

struct Types {
  explicit Types(const TripletCase &c)
      : flat(matrix(c.rows(), 1024)),
        table(matrix(c.modules(), llm::kTripletFields, "i64")),
        grams(matrix(2 * c.modules(), c.gramWidth())),
        norms("tensor<" + std::to_string(2 * c.modules()) + "xf32>"),
        scores(matrix(3 * c.modules(), c.rank)),
        kept(matrix(c.modules(), c.rank)) {}
  std::string flat, table, grams, norms, scores, kept;
};

std::string function(const std::string &arguments, const std::string &body) {
  return "func.func @f(" + arguments + ") { " + body + " return }";
}

void expectNear(const std::vector<double> &expected, const Floats &got,
                double tolerance) {
  ASSERT_EQ(expected.size(), got.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(expected[i], got[i], tolerance * (1 + std::abs(expected[i])))
        << i;
}

TEST(CpuTriplets, Grams) {
  for (TripletCase c : cases())
    for (bool withGradients : {true, false}) {
      Types t(c);
      std::string gradients = withGradients ? ", " + t.flat : "";
      KernelRunner kernel(function(
          "%p: " + t.flat + ", %t: " + t.table +
              (withGradients ? ", %g: " + t.flat : ""),
          "%r = llm.triplet_grams %p, %t " +
              std::string(withGradients ? "gradients(%g)" : "") + " : (" +
              t.flat + ", " + t.table + gradients + ") -> " + t.grams));
      Floats out(2 * c.modules() * c.gramWidth(), -1.0f);
      std::vector<void *> buffers{c.params.data(), c.table.data()};
      if (withGradients)
        buffers.push_back(c.gradients.data());
      buffers.push_back(out.data());
      // In pieces, as threads take them.
      kernel.run(buffers, 1, 2 * c.modules(), {c.modules()});
      kernel.run(buffers, 0, 1, {c.modules()});
      expectNear(c.grams(withGradients), out, 2e-6);
    }
}

TEST(CpuTriplets, Finish) {
  for (TripletCase c : cases()) {
    Types t(c);
    KernelRunner kernel(
        function("%g: " + t.flat + ", %p: " + t.flat + ", %s: " + t.grams +
                     ", %n: " + t.norms + ", %t: " + t.table,
                 "%r = llm.triplet_finish %g, %p, %s, %n, %t factor 0.75 : (" +
                     t.flat + ", " + t.flat + ", " + t.grams + ", " + t.norms +
                     ", " + t.table + ") -> " + t.flat));
    Floats grams = c.anyGrams();
    Floats norms(2 * c.modules());
    for (size_t i = 0; i < norms.size(); ++i)
      norms[i] = i == 1 ? 0 : 1 + float(i);
    auto expected = c.finished(grams, norms, 0.75);
    Floats out = c.gradients;
    kernel.run({out.data(), c.params.data(), grams.data(), norms.data(),
                c.table.data(), out.data()},
               0, 2 * c.modules(), {c.modules()});
    expectNear(expected, out, 2e-6);
  }
}

TEST(CpuTriplets, Scores) {
  for (TripletCase c : cases()) {
    Types t(c);
    KernelRunner kernel(function(
        "%s: " + t.flat + ", %u: " + t.flat +
            ", %a: tensor<2xi64>, %t: " + t.table,
        "%r = llm.triplet_scores %s, %u, %a, %t : (" + t.flat + ", " + t.flat +
            ", tensor<2xi64>, " + t.table + ") -> " + t.scores));
    for (int64_t mode : {0, 1, 2, 3}) {
      std::vector<int64_t> allocation{mode, 1};
      Floats out(3 * c.modules() * c.rank, -1.0f);
      kernel.run({c.sensitivity.data(), c.uncertainty.data(), allocation.data(),
                  c.table.data(), out.data()},
                 0, 3 * c.modules(), {c.modules()});
      if (mode == 1 || mode == 2)
        expectNear(c.scores(), out, 2e-6);
      else
        EXPECT_EQ(out, Floats(out.size(), -1.0f));
    }
  }
}

TEST(CpuTriplets, Mask) {
  for (TripletCase c : cases()) {
    Types t(c);
    KernelRunner kernel(
        function("%p: " + t.flat + ", %k: " + t.kept + ", %s: " + t.kept +
                     ", %a: tensor<2xi64>, %t: " + t.table,
                 "%q, %l = llm.triplet_mask %p, %k, %s, %a, %t : (" + t.flat +
                     ", " + t.kept + ", " + t.kept + ", tensor<2xi64>, " +
                     t.table + ") -> (" + t.flat + ", " + t.kept + ")"));
    int64_t n = c.modules() * c.rank;
    Floats scores = randomFloats(n, 5);
    for (float &s : scores)
      s = std::abs(s);
    if (n > 4)
      scores[1] = scores[3] = scores[4]; // ties go together
    for (int64_t mode : {0, 1, 2, 3})
      for (int64_t k : {int64_t(0), int64_t(1), n / 2, n}) {
        std::vector<int64_t> allocation{mode, k};
        Floats kept(n, 1.0f), params = c.params, expected = c.params;
        kept[0] = 0;
        Floats wanted = mode == 1 || mode == 2 ? c.kept(scores, k) : kept;
        if (mode)
          c.mask(expected, wanted);
        kernel.run({params.data(), kept.data(), scores.data(),
                    allocation.data(), c.table.data(), params.data(),
                    kept.data()},
                   0, 1, {c.modules()});
        EXPECT_EQ(kept, wanted) << "mode " << mode << ", k " << k;
        EXPECT_EQ(params, expected) << "mode " << mode << ", k " << k;
      }
  }
}

} // namespace
