//===- AssignStreams.cpp - What runs beside the backward pass -------------===//
//
// Products that end in the gradient buffer are wanted by nobody before the
// clipping norm: they run on a second stream, beside the products that the
// backward pass waits for. What they read must stay until they are done, so
// every kLag steps the main stream waits for those that are old. Sums of
// gradients over devices run on a third stream, as soon as a bucket is full;
// one stream for all that goes along the batch axis keeps it in one order.
//
//===----------------------------------------------------------------------===//
#include "dialects/plan/PlanDialect.h"
#include "passes/memory/Passes.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

namespace llamac {
#define GEN_PASS_DEF_ASSIGNSTREAMS
#include "passes/memory/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

/// About the steps of the backward pass of one layer.
constexpr int64_t kLag = 48;
enum Stream { kMain, kSide, kReduce };
/// The grid's first axis splits the batch.
constexpr int64_t kDataAxis = 0;

plan::BufferOp bufferOf(Value value) {
  if (auto view = value.getDefiningOp<plan::ViewOp>())
    value = view.getSource();
  return value.getDefiningOp<plan::BufferOp>();
}

class ProgramStreams {
public:
  ProgramStreams(plan::ProgramOp program, const llvm::StringSet<> &gradients)
      : program(program), gradients(gradients) {}

  void assign() {
    SmallVector<plan::StepOpInterface> steps;
    for (auto step : program.getBlock().getOps<plan::StepOpInterface>())
      steps.push_back(step);
    int64_t streams = 1;
    for (plan::StepOpInterface step : steps)
      streams = std::max<int64_t>(streams, streamOf(step) + 1);
    if (streams == 1)
      return;
    for (auto [i, step] : llvm::enumerate(steps)) {
      auto index = static_cast<int64_t>(i);
      switch (streamOf(step)) {
      case kMain:
        main(step, index);
        break;
      case kSide:
        side(step, index);
        break;
      case kReduce:
        reduce(step, index);
        break;
      }
    }
    program.setStreams(streams);
  }

private:
  plan::ProgramOp program;
  const llvm::StringSet<> &gradients;
  /// Last main step that wrote a buffer.
  llvm::DenseMap<Operation *, int64_t> writer;
  int64_t lastMain = -1;
  int64_t mainGradients = -1; ///< last main step that wrote gradients
  int64_t waited = -1;        ///< main step the side stream has waited for
  int64_t joined = -1;        ///< side step the main stream has waited for
  int64_t joinedAt = 0;       ///< where
  int64_t reduceWaitedMain = -1, reduceWaitedSide = -1;
  int64_t lastReduce = -1, joinedReduce = -1;
  SmallVector<int64_t> sides;
  /// What reductions write and have read, by its writer among them.
  llvm::DenseMap<Operation *, int64_t> reduced;

  bool inGradients(Value value) {
    return gradients.contains(bufferOf(value).getAllocation());
  }
  auto gradientTest() {
    return [this](Value value) { return inGradients(value); };
  }

  Stream streamOf(plan::StepOpInterface step) {
    if (auto collective = dyn_cast<plan::CollectiveOp>(*step))
      return llvm::is_contained(collective.getAxes(), kDataAxis) ||
                     inGradients(collective.getTarget())
                 ? kReduce
                 : kMain;
    if (auto gemm = dyn_cast<plan::GemmOp>(*step))
      return inGradients(gemm.getD()) ? kSide : kMain;
    return isa<plan::LaunchOp>(*step) &&
                   llvm::all_of(step.getWrites(), gradientTest()) &&
                   llvm::none_of(step.getReads(), gradientTest())
               ? kSide
               : kMain;
  }

  /// A launch that begins early would begin before what it waits for.
  static void setWaits(plan::StepOpInterface step, ArrayRef<int64_t> waits) {
    if (waits.empty())
      return;
    step.setStepWaits(waits);
    if (auto launch = dyn_cast<plan::LaunchOp>(*step))
      launch.setProgrammatic(false);
  }

  int64_t writerOf(plan::StepOpInterface step) {
    int64_t needs = -1;
    for (Value value : step.getReads())
      if (auto it = writer.find(bufferOf(value)); it != writer.end())
        needs = std::max(needs, it->second);
    return needs;
  }

  /// After the main step before it, not only what it reads: the products of the
  /// backward pass want all multiprocessors, and the pauses between them are
  /// long enough (bench/results/2026-11-22-h200-e2e.md).
  void side(plan::StepOpInterface step, int64_t index) {
    step.setStepStream(kSide);
    if (lastMain > waited) {
      setWaits(step, {lastMain});
      waited = lastMain;
    }
    sides.push_back(index);
  }

  void reduce(plan::StepOpInterface step, int64_t index) {
    step.setStepStream(kReduce);
    SmallVector<int64_t> waits;
    int64_t needs = writerOf(step);
    if (llvm::any_of(step.getReads(), gradientTest())) {
      needs = std::max(needs, mainGradients);
      if (!sides.empty() && sides.back() > reduceWaitedSide)
        waits.push_back(reduceWaitedSide = sides.back());
    }
    if (needs > reduceWaitedMain)
      waits.push_back(reduceWaitedMain = needs);
    llvm::sort(waits);
    setWaits(step, waits);
    lastReduce = index;
    for (Value value : llvm::concat<Value>(step.getReads(), step.getWrites()))
      reduced[bufferOf(value)] = index;
  }

  void main(plan::StepOpInterface step, int64_t index) {
    bool readsGradients = llvm::any_of(step.getReads(), gradientTest());
    bool writesGradients = llvm::any_of(step.getWrites(), gradientTest());
    lastMain = index;
    for (Value value : step.getWrites())
      writer[bufferOf(value)] = index;
    SmallVector<int64_t> waits;
    if (int64_t wait = sideToWaitFor(index, readsGradients || writesGradients);
        wait > joined) {
      waits.push_back(joined = wait);
      joinedAt = index;
    }
    int64_t sum = readsGradients ? lastReduce : -1;
    for (Value value : llvm::concat<Value>(step.getReads(), step.getWrites()))
      if (auto it = reduced.find(bufferOf(value)); it != reduced.end())
        sum = std::max(sum, it->second);
    if (sum > joinedReduce)
      waits.push_back(joinedReduce = sum);
    if (writesGradients)
      mainGradients = index;
    llvm::sort(waits);
    setWaits(step, waits);
  }

  /// The side step that the main stream must be behind at `index`, or -1.
  int64_t sideToWaitFor(int64_t index, bool usesGradients) {
    if (sides.empty() || sides.back() <= joined)
      return -1;
    if (usesGradients)
      return sides.back();
    if (index - joinedAt < kLag)
      return -1;
    // The last one that is half a lag old, and probably done.
    int64_t wait = -1;
    for (int64_t s : sides)
      if (s <= index - kLag / 2)
        wait = s;
    return wait;
  }
};

struct AssignStreams : llamac::impl::AssignStreamsBase<AssignStreams> {
  void runOnOperation() override {
    llvm::StringSet<> gradients;
    for (auto allocation : getOperation().getOps<plan::AllocationOp>())
      if (allocation.getCategory() == plan::Category::Gradients)
        gradients.insert(allocation.getSymName());
    for (auto program : getOperation().getOps<plan::ProgramOp>())
      ProgramStreams(program, gradients).assign();
  }
};

} // namespace
