// Kernels of the test plans, with the calling convention of plan.fbs: compiled
// to a shared object that the test puts into a plan.
#include <math.h>
#include <stdint.h>

// y[row] = x[row] / rms(x[row]) * scale; scalars: columns. One item is a row.
// buffers: x, scale, y
void row_norm(void *const *buffers, const int64_t *scalars, int64_t begin,
              int64_t end) {
  const float *x = buffers[0];
  const float *scale = buffers[1];
  float *y = buffers[2];
  int64_t columns = scalars[0];
  for (int64_t row = begin; row < end; ++row) {
    float sum = 0;
    for (int64_t i = 0; i < columns; ++i)
      sum += x[row * columns + i] * x[row * columns + i];
    float factor = 1.0f / sqrtf(sum / (float)columns + 1e-6f);
    for (int64_t i = 0; i < columns; ++i)
      y[row * columns + i] = x[row * columns + i] * factor * scale[i];
  }
}

// counts[item] += 1 and starts[item] = begin of the range it came in: shows how
// items are dealt out. buffers: counts, starts (i64)
void count_items(void *const *buffers, const int64_t *scalars, int64_t begin,
                 int64_t end) {
  (void)scalars;
  int64_t *counts = buffers[0];
  int64_t *starts = buffers[1];
  for (int64_t i = begin; i < end; ++i) {
    counts[i] += 1;
    starts[i] = begin;
  }
}
