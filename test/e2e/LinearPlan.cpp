// Runs a plan of models/linear.mlir (of any size) on as many ranks as it is for
// and compares what comes out with loops in float64:
//
//   y = x W^T, loss = s * sum(y), dx = s * (columns' sums of W),
//   dW[o] = s * (columns' sums of x, over the batches of all replicas)
//
// The replicas' batches differ. Prints the largest errors, relative to the
// largest element of each. For a GPU as well; run by linear.py.
#include "runtime/comm/Communicator.h"
#include "runtime/comm/Join.h"
#include "runtime/executor/Session.h"
#include "runtime/support/Error.h"
#include "runtime/train/Ranks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace llamarun;

namespace {

/// In [-1, 1), exact in bf16: a hash of stream and index.
double drawn(std::uint64_t stream, std::uint64_t index) {
  std::uint64_t x =
      (index + 1) * 0xd1342543de82ef95 + stream * 0x2545f4914f6cdd1d;
  x ^= x >> 29;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 32;
  return static_cast<double>(x % 128) / 64 - 1;
}

/// f32, or bf16: its upper half.
std::vector<std::byte> encoded(fb::DType dtype,
                               const std::vector<double> &values) {
  std::vector<std::byte> bytes;
  for (double value : values) {
    auto number = static_cast<float>(value);
    auto *first = reinterpret_cast<const std::byte *>(&number);
    bytes.insert(bytes.end(), first + (dtype == fb::DType::F32 ? 0 : 2),
                 first + 4);
  }
  return bytes;
}

std::vector<double> decoded(fb::DType dtype,
                            const std::vector<std::byte> &bytes) {
  std::size_t width = dtype == fb::DType::F32 ? 4 : 2;
  std::vector<double> values;
  for (std::size_t i = 0; i < bytes.size(); i += width) {
    float number = 0;
    std::memcpy(reinterpret_cast<std::byte *>(&number) + 4 - width, &bytes[i],
                width);
    values.push_back(static_cast<double>(number));
  }
  return values;
}

double errorOf(const std::vector<double> &got,
               const std::vector<double> &wanted) {
  double worst = got.size() == wanted.size() ? 0 : INFINITY, largest = 0;
  for (std::size_t i = 0; i < std::min(got.size(), wanted.size()); ++i) {
    double error = std::abs(got[i] - wanted[i]);
    worst = std::isfinite(error) ? std::max(worst, error) : INFINITY;
    largest = std::max(largest, std::abs(wanted[i]));
  }
  return worst / largest;
}

class LinearRank {
public:
  LinearRank(Session &session, const Ranks &ranks)
      : session(session), plan(session.plan()), ranks(ranks),
        program(*session.find(fb::ProgramKind::Gradient, 1)) {
    auto *w = plan.findTensor(fb::Role::Parameter, "linear.weight");
    if (!w)
      fail(ExitCode::BadInput, "no parameter linear.weight");
    dtype = plan.buffer(w->buffer()).dtype();
    rows = program.tokens();
    out = w->global_shape()->Get(0);
    in = w->global_shape()->Get(1);
    localOut = plan.buffer(w->buffer()).shape()->Get(0);
    firstOut = localOut == out ? 0 : ranks.gridIndex().back() * localOut;
    scale = 1.0 / 64; // exact, and not 1
  }

  /// The largest error of all, printed.
  double check() {
    std::vector<double> w, x;
    for (std::uint64_t i = 0; i < localOut * in; ++i)
      w.push_back(drawn(1, firstOut * in + i));
    auto firstRow = ranks.dataRank() * rows;
    for (std::uint64_t i = 0; i < rows * in; ++i)
      x.push_back(drawn(2, firstRow * in + i));
    session.writeTensor(fb::Role::Parameter, "linear.weight",
                        encoded(dtype, w));
    session.writeInput(program, "x", encoded(dtype, x));
    session.writeInput(program, "loss_scale", encoded(fb::DType::F32, {scale}));
    session.run(program).wait();
    references(x);
    double worst = 0;
    auto compare = [&](const char *name, const std::vector<double> &got,
                       const std::vector<double> &wanted) {
      double error = errorOf(got, wanted);
      std::printf("rank %u %-14s error %.3g\n", ranks.rank(), name, error);
      worst = std::max(worst, std::isfinite(error) ? error : INFINITY);
    };
    compare("loss", output("loss", fb::DType::F32, 1), {loss});
    compare("y", output("y", dtype, rows * out), y);
    compare("x.gradient", output("x.gradient", dtype, rows * in), dx);
    std::vector<std::byte> bytes(encoded(dtype, w).size());
    session.readTensor(fb::Role::Gradient, "linear.weight", bytes);
    compare("gradient", decoded(dtype, bytes), dw);
    return worst;
  }

private:
  Session &session;
  const Plan &plan;
  const Ranks &ranks;
  const fb::Program &program;
  fb::DType dtype;
  std::uint64_t rows, out, in, localOut, firstOut;
  double scale, loss = 0;
  std::vector<double> y, dx, dw;

  std::vector<double> output(const char *name, fb::DType dtype,
                             std::uint64_t count) {
    std::vector<std::byte> bytes(count * (dtype == fb::DType::F32 ? 4 : 2));
    session.readOutput(program, name, bytes);
    return decoded(dtype, bytes);
  }

  void references(const std::vector<double> &x) {
    y.assign(rows * out, 0);
    dx.assign(rows * in, 0);
    dw.assign(localOut * in, 0);
    std::vector<double> w(in), columns(in);
    for (std::uint64_t o = 0; o < out; ++o) {
      for (std::uint64_t i = 0; i < in; ++i)
        columns[i] += w[i] = drawn(1, o * in + i);
      for (std::uint64_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (std::uint64_t i = 0; i < in; ++i)
          sum += x[r * in + i] * w[i];
        y[r * out + o] = sum;
        loss += scale * sum;
      }
    }
    for (std::uint64_t i = 0; i < rows * in; ++i)
      dx[i] = scale * columns[i % in];
    for (std::uint64_t i = 0; i < in; ++i) {
      double sum = 0;
      for (std::uint64_t r = 0; r < rows * ranks.dataRanks(); ++r)
        sum += drawn(2, r * in + i);
      for (std::uint64_t o = 0; o < localOut; ++o)
        dw[o * in + i] = scale * sum;
    }
  }
};

double runRank(const std::string &path, unsigned rank, std::uint16_t port) {
  auto plan = Plan::load(path);
  World world;
  world.rank = world.localRank = rank;
  world.size = world.localSize = static_cast<unsigned>(plan->gridSize());
  world.masterPort = port;
  auto peers = joinPeers(world, "linear");
  auto device = createDevice(viewOf(plan->target().kind()),
                             {.threads = 1, .ordinal = rank});
  auto communicators = createCommunicators(*plan, *peers, *device);
  double worst = 0;
  {
    Session session(plan, std::move(device),
                    {.communicators = communicators.get()});
    Ranks ranks(*plan, peers.get());
    worst = LinearRank(session, ranks).check();
    peers->leave();
  }
  return worst;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s PLAN TOLERANCE\n", argv[0]);
    return 2;
  }
  double tolerance = std::strtod(argv[2], nullptr);
  auto port = static_cast<std::uint16_t>(20000 + ::getpid() % 20000);
  std::vector<pid_t> children;
  std::uint64_t ranks = 1;
  try {
    ranks = Plan::load(argv[1])->gridSize();
  } catch (const Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.code());
  }
  for (unsigned rank = 0; rank < ranks; ++rank) {
    auto child = ::fork();
    if (child == 0) {
      int code = 1;
      try {
        code = runRank(argv[1], rank, port) <= tolerance ? 0 : 1;
      } catch (const Error &error) {
        std::fprintf(stderr, "rank %u: %s\n", rank, error.what());
        code = static_cast<int>(error.code());
      }
      std::fflush(stdout);
      std::_Exit(code);
    }
    children.push_back(child);
  }
  int worst = 0;
  for (auto child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    worst = std::max(worst, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  return worst;
}
