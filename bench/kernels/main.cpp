//===- main.cpp - CPU kernels against a copy of the same bytes ------------===//
//
// For every kernel: microseconds a call, GB/s, and the ratio to memcpy of as
// many bytes in the same run on the same thread (1.0 = as fast as memory
// allows; below 1.0 where several reads go with one write). Attention is rated
// by GFLOP/s.
//
//   bench_kernels [arch]       x86-64-v3, x86-64-v4; default: the best that
//   runs
//
//===----------------------------------------------------------------------===//
#include "test/passes/codegen/NativeKernel.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <random>

namespace {

struct FreeDeleter {
  void operator()(float *p) const { std::free(p); }
};
/// Floats at a 64-byte boundary, as plan buffers are.
struct Buffer {
  explicit Buffer(size_t count)
      : count(count), data(static_cast<float *>(std::aligned_alloc(
                          64, (count * sizeof(float) + 63) / 64 * 64))) {
    std::mt19937 engine(count);
    std::uniform_real_distribution<float> draw(-1, 1);
    for (size_t i = 0; i < count; ++i)
      data.get()[i] = draw(engine);
  }
  size_t count;
  std::unique_ptr<float, FreeDeleter> data;
};

/// Processor time of this thread: what others run meanwhile does not count.
double now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

/// Median seconds of a call.
double seconds(const std::function<void()> &call) {
  std::vector<double> times;
  call();
  double begin = now();
  while (times.size() < 5 || (now() - begin < 0.2 && times.size() < 2000)) {
    double start = now();
    call();
    times.push_back(now() - start);
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2,
                   times.end());
  return times[times.size() / 2];
}

double copySeconds(size_t bytes) {
  Buffer from(bytes / 4), to(bytes / 4);
  return seconds([&] {
    std::memcpy(to.data.get(), from.data.get(), bytes);
    // Without it the copy of a buffer that is never read may go.
    asm volatile("" ::"r"(to.data.get()) : "memory");
  });
}

std::string function(const std::string &arguments, const std::string &op) {
  return "func.func @f(" + arguments + ") {\n" + op + "\nreturn\n}";
}

struct Bench {
  std::string arch;

  /// `matrices` of [rows, cols] are arguments, the vector is last of them if
  /// there is one; `results` more matrices.
  void rowwise(const char *name, int64_t rows, int64_t cols, unsigned matrices,
               unsigned results, const std::string &arguments,
               const std::string &op, size_t vectorAt = SIZE_MAX) {
    NativeKernel kernel(function(arguments, op), arch);
    if (!kernel.call()) {
      std::printf("%s: %s\n", name, kernel.error().c_str());
      return;
    }
    std::vector<Buffer> buffers;
    std::vector<void *> pointers;
    for (size_t i = 0; i < matrices + results; ++i)
      buffers.emplace_back(rows * cols);
    for (Buffer &b : buffers)
      pointers.push_back(b.data.get());
    Buffer vector(cols);
    if (vectorAt != SIZE_MAX)
      pointers.insert(pointers.begin() + vectorAt, vector.data.get());
    double time =
        seconds([&] { kernel.call()(pointers.data(), nullptr, 0, rows); });
    double bytes = 4.0 * rows * cols * (matrices + results);
    double copy = copySeconds(static_cast<size_t>(bytes / 2) / 64 * 64);
    std::printf("%-16s %6ld x %-6ld %10.1f us %7.1f GB/s %6.2f x memcpy\n",
                name, static_cast<long>(rows), static_cast<long>(cols),
                time * 1e6, bytes / time * 1e-9, time / copy);
  }

  void attention(int64_t heads, int64_t kvHeads, int64_t d, int64_t length,
                 int64_t sequences) {
    int64_t tokens = length * sequences;
    std::string wide = tensor({tokens, heads * d}),
                narrow = tensor({tokens, kvHeads * d}),
                sums = tensor({tokens, heads}),
                cu = tensor({sequences + 1}, "i32");
    std::string first =
        "%q: " + wide + ", %k: " + narrow + ", %v: " + narrow + ", %cu: " + cu;
    std::string tail = " heads(" + std::to_string(heads) + ") kv_heads(" +
                       std::to_string(kvHeads) + ") scale 2.5e-01 : (" + wide +
                       ", " + narrow + ", " + narrow + ", " + cu;
    NativeKernel forward(
        function(first, "%o, %l = llm.attention %q, %k, %v, %cu" + tail +
                            ") -> (" + wide + ", " + sums + ")"),
        arch);
    NativeKernel backward(
        function(first + ", %o: " + wide + ", %l: " + sums + ", %do: " + wide,
                 "%dq, %dk, %dv = llm.attention_grad %q, %k, %v, %cu, %o, %l, "
                 "%do" +
                     tail + ", " + wide + ", " + sums + ", " + wide + ") -> (" +
                     wide + ", " + narrow + ", " + narrow + ")"),
        arch);
    Buffer q(tokens * heads * d), k(tokens * kvHeads * d), v(k.count),
        out(q.count), dout(q.count), dq(q.count), dk(k.count), dv(k.count),
        lse(tokens * heads);
    std::vector<int32_t> starts;
    for (int64_t s = 0; s <= sequences; ++s)
      starts.push_back(s * length);
    int64_t scalars[] = {tokens, sequences}, items = sequences * kvHeads;
    auto at = [](Buffer &b) -> void * { return b.data.get(); };
    void *one[] = {at(q), at(k), at(v), starts.data(), at(out), at(lse)};
    void *two[] = {at(q),   at(k),    at(v),  starts.data(), at(out),
                   at(lse), at(dout), at(dq), at(dk),        at(dv)};
    double pairs = double(sequences) * heads * length * (length + 1) / 2;
    double forwardTime =
        seconds([&] { forward.call()(one, scalars, 0, items); });
    double backwardTime =
        seconds([&] { backward.call()(two, scalars, 0, items); });
    for (auto [name, time, products] :
         {std::tuple("attention", forwardTime, 2.0),
          std::tuple("attention_grad", backwardTime, 5.0)})
      std::printf("%-16s %ld/%ld heads of %ld, %ld x %ld tokens %10.1f us "
                  "%6.1f GFLOP/s\n",
                  name, long(heads), long(kvHeads), long(d), long(sequences),
                  long(length), time * 1e6,
                  products * 2 * d * pairs / time * 1e-9);
  }
};

} // namespace

int main(int argc, char **argv) {
  std::vector<std::string> known = runnableArchitectures();
  if (known.empty()) {
    std::fprintf(stderr, "this processor is below x86-64-v3\n");
    return 2;
  }
  Bench bench{argc > 1 ? argv[1] : known.back()};
  if (std::find(known.begin(), known.end(), bench.arch) == known.end()) {
    std::fprintf(stderr, "%s does not run here\n", bench.arch.c_str());
    return 2;
  }
  std::printf("%s\n", bench.arch.c_str());
  for (int64_t cols : {128, 4096, 14336}) {
    int64_t rows = cols == 128 ? 640 : 256;
    std::string m = tensor({rows, cols}), w = tensor({cols});
    bench.rowwise("add", rows, cols, 2, 1, "%a: " + m + ", %b: " + m,
                  "%y = llm.add %a, %b : " + m);
    bench.rowwise("rms_norm", rows, cols, 1, 1, "%x: " + m + ", %w: " + w,
                  "%y = llm.rms_norm %x, %w eps 1.0e-05 : " + m + ", " + w, 1);
    bench.rowwise(
        "rms_norm_grad", rows, cols, 2, 1,
        "%x: " + m + ", %w: " + w + ", %d: " + m,
        "%y = llm.rms_norm_grad %x, %w, %d eps 1.0e-05 : " + m + ", " + w, 1);
    bench.rowwise("swiglu", rows, cols, 2, 1, "%g: " + m + ", %u: " + m,
                  "%y = llm.swiglu %g, %u : " + m);
    bench.rowwise("swiglu_grad", rows, cols, 3, 2,
                  "%g: " + m + ", %u: " + m + ", %d: " + m,
                  "%a, %b = llm.swiglu_grad %g, %u, %d : " + m);
    bench.rowwise("softmax", rows, cols, 1, 1, "%x: " + m,
                  "%y = llm.rowwise rows(" + std::to_string(rows) + ") cols(" +
                      std::to_string(cols) + ") ins(%x : " + m +
                      ") maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1] "
                      "outs [0] at [affine_map<(r, c) -> (r, c)>] -> (" +
                      m + R"() {
          ^bb0(%a: f32):
            %max = llm.row_reduce max %a : f32
            %s = arith.subf %a, %max : f32
            %e = math.exp %s : f32
            %sum = llm.row_reduce add %e : f32
            %p = arith.divf %e, %sum : f32
            llm.yield %p : f32
          })");
  }
  bench.attention(8, 4, 16, 12, 50);
  bench.attention(8, 4, 16, 40, 16);
  bench.attention(32, 8, 64, 128, 4);
  bench.attention(32, 8, 128, 128, 4);
  bench.attention(8, 2, 128, 1024, 1);
  return 0;
}
