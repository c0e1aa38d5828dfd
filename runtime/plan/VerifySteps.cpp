// Steps: operands in range, of the right size and type, ordered.
#include "runtime/plan/VerifyContext.h"

#include <cmath>
#include <map>
#include <string>

namespace llamarun::verify {

void checkWritable(const Context &context, std::uint64_t index,
                   const char *what) {
  context.checkBuffer(index, what);
  context.require(context.categoryOf(index) != fb::Category::Constants, what,
                  " writes to a constant");
}

namespace {

/// A matrix as it lies in its buffer: `rows` x `columns` of leading dimension
/// `leading`, all in elements.
struct Matrix {
  std::uint32_t buffer;
  std::uint64_t rows, columns, leading;
};

/// The matrix lies inside its buffer's bytes; one that begins at a buffer with
/// a pitch is a panel of the matrix around it, and lies inside the allocation.
void checkMatrix(const Context &context, const Matrix &matrix,
                 const char *what) {
  context.checkBuffer(matrix.buffer, what);
  auto count = context.counts[matrix.buffer];
  auto &range = context.ranges[matrix.buffer];
  if (range.pitch) {
    auto *allocation = context.plan.allocations()->Get(
        static_cast<flatbuffers::uoffset_t>(range.allocation));
    count = (allocation->bytes() - range.begin) /
            sizeOf(context.buffer(matrix.buffer).dtype());
  }
  // rows - 1 <= count / leading keeps the product below from wrapping.
  bool inside = matrix.leading >= matrix.columns && matrix.columns <= count &&
                matrix.rows - 1 <= count / matrix.leading &&
                (matrix.rows - 1) * matrix.leading <= count - matrix.columns;
  context.require(inside, what, " takes ", matrix.rows, " x ", matrix.columns,
                  " elements with leading dimension ", matrix.leading,
                  ", buffer ", matrix.buffer, " is ",
                  show(context.buffer(matrix.buffer).shape()),
                  range.pitch ? " in an allocation that ends before" : "");
}

/// True if two matrices share an element. Matrices that are column blocks of
/// one wider matrix interleave without sharing any.
bool share(const Context &context, const Matrix &x, const Matrix &y) {
  auto rangeOf = [&](const Matrix &m) {
    auto size = sizeOf(context.buffer(m.buffer).dtype());
    Range range = context.ranges[m.buffer];
    range.row = m.columns * size;
    range.pitch = m.leading * size;
    range.end = range.begin + (m.rows - 1) * range.pitch + range.row;
    if (m.rows == 1 || m.leading == m.columns)
      range.row = range.pitch = 0;
    return range;
  };
  return rangeOf(x).overlaps(rangeOf(y));
}

void checkGemm(const Context &context, const fb::Gemm &gemm) {
  auto m = gemm.m(), n = gemm.n(), k = gemm.k();
  context.require(m > 0 && n > 0 && k > 0 && m <= kMaxItems && n <= kMaxItems &&
                      k <= kMaxItems && gemm.lda() <= kMaxItems &&
                      gemm.ldb() <= kMaxItems && gemm.ldd() <= kMaxItems,
                  "m, n, k = ", m, ", ", n, ", ", k,
                  " or a leading dimension is 0 or above 2^31");
  Matrix a{gemm.a(), gemm.transpose_a() ? k : m, gemm.transpose_a() ? m : k,
           gemm.lda()};
  Matrix b{gemm.b(), gemm.transpose_b() ? n : k, gemm.transpose_b() ? k : n,
           gemm.ldb()};
  Matrix d{gemm.d(), m, n, gemm.ldd()};
  checkMatrix(context, a, "A");
  checkMatrix(context, b, "B");
  checkWritable(context, gemm.d(), "D");
  checkMatrix(context, d, "D");
  auto typeA = context.buffer(a.buffer).dtype();
  auto typeB = context.buffer(b.buffer).dtype();
  auto typeD = context.buffer(d.buffer).dtype();
  bool real = typeA == fb::DType::F32 || typeA == fb::DType::BF16 ||
              typeA == fb::DType::F16 || typeA == fb::DType::F64;
  context.require(real && typeA == typeB &&
                      (typeD == typeA || typeD == fb::DType::F32),
                  "operands are ", nameOf(typeA), " x ", nameOf(typeB), " -> ",
                  nameOf(typeD));
  context.require(!share(context, d, a) && !share(context, d, b),
                  "D overlaps an operand");
  context.require(std::isfinite(gemm.alpha()) && std::isfinite(gemm.beta()),
                  "alpha or beta is not finite");
}

void checkLaunch(const Context &context, const fb::Launch &launch) {
  context.require(launch.kernel() < sizeOf(context.plan.kernels()), "kernel ",
                  launch.kernel(), " of ", sizeOf(context.plan.kernels()));
  auto *reads = launch.reads();
  auto *writes = launch.writes();
  checkAligned(context, launch.scalars(), "its list of scalars");
  context.require(
      sizeOf(reads) <= kMaxArguments && sizeOf(writes) <= kMaxArguments &&
          sizeOf(launch.scalars()) <= kMaxArguments &&
          sizeOf(reads) + sizeOf(writes) + sizeOf(launch.scalars()) <=
              kMaxArguments,
      "more than ", kMaxArguments, " arguments");
  for (std::size_t i = 0; i < sizeOf(reads); ++i)
    context.checkBuffer(reads->Get(i), "a read");
  for (std::size_t i = 0; i < sizeOf(writes); ++i)
    checkWritable(context, writes->Get(i), "a write");
  context.require(sizeOf(writes) > 0, "a kernel that writes nothing");
  std::uint64_t items = 1, threads = 1;
  for (std::uint64_t extent :
       {launch.grid_x(), launch.grid_y(), launch.grid_z()}) {
    context.require(extent > 0 && extent <= kMaxItems / items,
                    "grid is empty or above 2^31");
    items *= extent;
  }
  for (std::uint64_t extent :
       {launch.block_x(), launch.block_y(), launch.block_z()}) {
    context.require(extent > 0 && extent <= 1024 / threads,
                    "block is empty or above 1024 threads");
    threads *= extent;
  }
  context.require(launch.sums() >= -1 &&
                      (launch.sums() < 0 ||
                       static_cast<std::size_t>(launch.sums()) < sizeOf(reads)),
                  "sums read ", launch.sums(), " of ", sizeOf(reads));
  context.require(launch.grain() > 0, "grain is 0");
  context.require(launch.shared_bytes() <= (1u << 20), "shared memory of ",
                  launch.shared_bytes(), " bytes");
}

void checkCopy(const Context &context, const fb::Copy &copy) {
  context.checkBuffer(copy.source(), "the source");
  checkWritable(context, copy.target(), "the target");
  auto &source = context.ranges[copy.source()];
  auto &target = context.ranges[copy.target()];
  if (source.pitch || target.pitch) {
    auto &from = context.buffer(copy.source());
    auto &to = context.buffer(copy.target());
    bool same = from.dtype() == to.dtype() && sizeOf(from.shape()) == 2 &&
                sizeOf(to.shape()) == 2;
    for (unsigned d = 0; same && d < 2; ++d)
      same = from.shape()->Get(d) == to.shape()->Get(d);
    context.require(same, "one side has a pitch, but the source is ",
                    nameOf(from.dtype()), " ", show(from.shape()),
                    " and the target ", nameOf(to.dtype()), " ",
                    show(to.shape()));
  } else {
    context.require(source.end - source.begin == target.end - target.begin,
                    "source and target differ in size");
  }
  context.require(!source.overlaps(target), "source and target overlap");
}

void checkFill(const Context &context, const fb::Fill &fill) {
  checkWritable(context, fill.target(), "the target");
  checkPacked(context, fill.target(), "the target");
  auto dtype = context.buffer(fill.target()).dtype();
  auto value = fill.value();
  bool whole = std::isfinite(value) && std::trunc(value) == value;
  bool fits = true;
  if (dtype == fb::DType::U8)
    fits = whole && value >= 0 && value <= 255;
  else if (dtype == fb::DType::I32)
    fits = whole && value >= -2147483648.0 && value <= 2147483647.0;
  else if (dtype == fb::DType::I64)
    fits = whole && std::fabs(value) <= 9007199254740992.0;
  context.require(fits, value, " is no ", nameOf(dtype));
}

void checkOperation(const Context &context, const fb::Step &step) {
  // VerifyOperation passes unknown members of the union, and an absent one.
  context.require(step.operation(), "no operation");
  switch (step.operation_type()) {
  case fb::Operation::Gemm:
    return checkGemm(context, *step.operation_as_Gemm());
  case fb::Operation::Launch:
    return checkLaunch(context, *step.operation_as_Launch());
  case fb::Operation::Copy:
    return checkCopy(context, *step.operation_as_Copy());
  case fb::Operation::Fill:
    return checkFill(context, *step.operation_as_Fill());
  case fb::Operation::Collective:
    return checkCollective(context, *step.operation_as_Collective());
  case fb::Operation::NONE:
    break;
  }
  context.reject("unknown operation");
}

} // namespace

/// `step` comes after `last` on its stream; either may be null, at the ends.
static void checkSumInKernel(const Context &context, const fb::Step *last,
                             const fb::Step *step) {
  auto *sum = last ? last->operation_as_Collective() : nullptr;
  auto *launch = step ? step->operation_as_Launch() : nullptr;
  bool left = sum && sum->in_kernel();
  bool takes = launch && launch->sums() >= 0;
  context.require(!left || takes, "the sum in a kernel before it is not taken");
  context.require(!takes || left, "takes a sum, but none is before it");
  if (!left)
    return;
  auto taken = launch->reads()->Get(static_cast<std::uint32_t>(launch->sums()));
  context.require(taken == sum->source(), "takes the sum of buffer ", taken,
                  ", the one before it is of ", sum->source());
}

void checkSteps(Context &context, const fb::Program &program) {
  auto *steps = program.steps();
  auto *locations = context.plan.locations();
  context.require(sizeOf(steps) > 0, "no steps");
  auto prefix = context.where;
  prefix.replace(prefix.size() - 2, 2, ", step ");
  std::map<unsigned, const fb::Step *> lastOn;
  for (std::size_t i = 0; i < sizeOf(steps); ++i) {
    auto &step = *steps->Get(i);
    context.where = prefix + std::to_string(i) + ": ";
    context.require(step.location() < sizeOf(locations), "location ",
                    step.location(), " of ", sizeOf(locations));
    auto location = printable(viewOf(locations->Get(step.location())));
    context.where = prefix + std::to_string(i) + " (" +
                    nameOf(step.operation_type()) + ", " + location + "): ";
    context.require(step.stream() < program.streams(), "stream ", step.stream(),
                    " of ", program.streams());
    context.require(sizeOf(step.waits()) <= kMaxWaits, "more than ", kMaxWaits,
                    " waits");
    for (std::size_t j = 0; j < sizeOf(step.waits()); ++j)
      context.require(step.waits()->Get(j) < i, "waits for step ",
                      step.waits()->Get(j), ", which is not before it");
    checkOperation(context, step);
    auto &last = lastOn[step.stream()];
    checkSumInKernel(context, last, &step);
    last = &step;
  }
  context.where = prefix.substr(0, prefix.size() - 7) + ": ";
  for (auto [stream, last] : lastOn)
    checkSumInKernel(context, last, nullptr);
}

} // namespace llamarun::verify
