//===- SelectLibraryKernels.cpp - Hand-written kernels for the GPU --------===//
#include "passes/codegen/Passes.h"

#include "compiler/kernels/FactorGradients.h"
#include "compiler/kernels/LibraryKernels.h"
#include "compiler/kernels/SkinnyGemm.h"
#include "compiler/kernels/Triplets.h"
#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

namespace llamac {
#define GEN_PASS_DEF_SELECTLIBRARYKERNELS
#include "passes/codegen/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using namespace llamac;

namespace {

RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

int64_t pitchOf(Value v) {
  if (auto view = v.getDefiningOp<plan::ViewOp>())
    return view.getPitch();
  return typeOf(v).getShape().back();
}

LibraryType libraryType(Type element) {
  return element.isBF16() ? LibraryType::BF16 : LibraryType::F32;
}

struct SelectLibraryKernels
    : public llamac::impl::SelectLibraryKernelsBase<SelectLibraryKernels> {
  using SelectLibraryKernelsBase::SelectLibraryKernelsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::StringMap<plan::KernelOp> sources;
    for (auto kernel : module.getOps<plan::KernelOp>())
      if (isa_and_nonnull<llm::AttentionOp, llm::AttentionGradOp,
                          llm::FoldIntoOp, llm::TripletGramsOp,
                          llm::TripletFinishOp, llm::TripletScoresOp,
                          llm::TripletMaskOp>(kernel.getSource()))
        sources[kernel.getSymName()] = kernel;
    // Symbols and code go in front of everything that uses them.
    auto all = module.getOps<plan::KernelOp>();
    auto programs = module.getOps<plan::ProgramOp>();
    if (programs.empty())
      return;
    place = all.empty() ? (*programs.begin()).getOperation()
                        : (*all.begin()).getOperation();
    SmallVector<plan::GemmOp> gemms;
    module.walk([&](plan::GemmOp gemm) { gemms.push_back(gemm); });
    for (plan::GemmOp gemm : gemms)
      if (failed(replaceSkinny(gemm)))
        return signalPassFailure();
    for (auto program : programs)
      if (failed(groupFactorGradients(program)))
        return signalPassFailure();
    if (sources.empty())
      return;
    if (auto task =
            module->getAttrOfType<llm::TaskAttr>(llm::LlmDialect::kTaskAttr))
      maxLength = task.getMaxLength();
    SmallVector<plan::LaunchOp> launches;
    module.walk([&](plan::LaunchOp launch) {
      if (sources.contains(launch.getKernel()))
        launches.push_back(launch);
    });
    for (plan::LaunchOp launch : launches)
      if (failed(replace(launch, sources.lookup(launch.getKernel()))))
        return signalPassFailure();
    for (auto &entry : sources)
      entry.second.erase();
  }

private:
  int64_t maxLength = INT32_MAX;
  Operation *place = nullptr;
  llvm::StringMap<std::string> kernels; // symbol -> plan.kernel
  llvm::StringSet<> waits;              // may be launched programmatically

  LogicalResult replace(plan::LaunchOp launch, plan::KernelOp kernel) {
    Operation *source = kernel.getSource();
    llvm::DenseMap<int, Value> buffers;
    auto bind = [&](ArrayRef<LibraryBuffer> which, ValueRange values) {
      for (auto [name, value] : llvm::zip(which, values))
        buffers[static_cast<int>(name)] = value;
    };
    using enum LibraryBuffer;
    std::optional<std::vector<LibraryLaunch>> found;
    if (isa<llm::FoldIntoOp>(source)) {
      bind({Params, FoldTable}, launch.getInputs());
      bind({Weights}, launch.getOutputs());
      found.emplace({foldLaunch(
          libraryType(typeOf(launch.getOutputs()[0]).getElementType()),
          typeOf(launch.getInputs()[0]).getDimSize(0),
          typeOf(launch.getInputs()[1]).getDimSize(0))});
      return emit(cast<plan::StepOpInterface>(*launch), *found, buffers,
                  kernel.getDescription());
    }
    if (isa<llm::TripletGramsOp, llm::TripletFinishOp, llm::TripletScoresOp,
            llm::TripletMaskOp>(source)) {
      auto triplets = tripletLaunch(source, launch.getScalars()[0]);
      if (!triplets)
        return launch.emitOpError("no CUDA kernel does AdaLoRA of this rank "
                                  "and number of modules");
      bind(triplets->reads, launch.getInputs());
      bind(triplets->writes, launch.getOutputs());
      return emit(cast<plan::StepOpInterface>(*launch), {*triplets}, buffers,
                  kernel.getDescription());
    }
    bool grad = isa<llm::AttentionGradOp>(source);
    ValueRange in = launch.getInputs(), out = launch.getOutputs();
    if (grad) {
      bind({Q, K, V, CuSeqlens, Out, Lse, Dout}, in);
      bind({Dq, Dk, Dv}, out);
    } else {
      bind({Q, K, V, CuSeqlens}, in);
      bind({Out, Lse}, out);
    }
    auto number = [&](StringRef name) {
      return source->getAttrOfType<IntegerAttr>(name).getInt();
    };
    auto pitch = [&](LibraryBuffer which) -> int64_t {
      Value value = buffers.lookup(static_cast<int>(which));
      return value ? pitchOf(value) : 0;
    };
    AttentionShape shape;
    shape.type = libraryType(typeOf(in[0]).getElementType());
    shape.heads = number("heads");
    shape.kvHeads = number("kv_heads");
    shape.headDim = typeOf(in[0]).getDimSize(1) / shape.heads;
    shape.tokens = launch.getScalars()[0];
    shape.sequences = launch.getScalars()[1];
    shape.maxLength = std::min(maxLength, shape.tokens);
    shape.pitches = {pitch(Q),    pitch(K),  pitch(V),  pitch(Out),
                     pitch(Dout), pitch(Dq), pitch(Dk), pitch(Dv)};
    shape.scale = static_cast<float>(
        source->getAttrOfType<FloatAttr>("scale").getValueAsDouble());
    found = grad ? attentionGradLaunches(shape, arch.getValue(), ptx)
                 : attentionForwardLaunches(shape, arch.getValue(), ptx);
    if (!found)
      return launch.emitOpError("no CUDA kernel does attention of head size ")
             << shape.headDim << ", " << shape.heads << " heads, "
             << shape.kvHeads << " kv_heads and " << shape.tokens << " tokens";
    if (attentionDeltaBytes(*found, shape) > 0) {
      OpBuilder b(launch);
      buffers[static_cast<int>(Delta)] = plan::BufferOp::create(
          b, launch.getLoc(),
          RankedTensorType::get({shape.tokens, shape.heads}, b.getF32Type()),
          "activations");
    }
    return emit(cast<plan::StepOpInterface>(*launch), *found, buffers,
                kernel.getDescription());
  }

  static std::optional<LibraryLaunch> tripletLaunch(Operation *source,
                                                    int64_t modules) {
    return llvm::TypeSwitch<Operation *, std::optional<LibraryLaunch>>(source)
        .Case([&](llm::TripletGramsOp op) {
          return tripletGramsLaunch(modules, op.getRank(),
                                    static_cast<bool>(op.getGradients()));
        })
        .Case([&](llm::TripletFinishOp op) {
          return tripletFinishLaunch(modules, op.getRank(),
                                     op.getFactor().convertToDouble());
        })
        .Case([&](llm::TripletScoresOp op) {
          return tripletScoresLaunch(modules, op.getRank());
        })
        .Case([&](llm::TripletMaskOp op) {
          return tripletMaskLaunch(modules, typeOf(op.getKept()).getDimSize(1));
        });
  }

  /// A product with few columns and a long inner dimension, as adapters have.
  LogicalResult replaceSkinny(plan::GemmOp gemm) {
    Type bf16 = BFloat16Type::get(&getContext());
    for (Value operand : {gemm.getA(), gemm.getB(), gemm.getD()})
      if (typeOf(operand).getElementType() != bf16 ||
          (operand == gemm.getD() ? !startsAt(operand, 4)
                                  : !startsAt(operand, 16)))
        return success();
    if (gemm.getTransposeA() || !gemm.getBeta().isZero() ||
        !gemm.getAlpha().isExactlyValue(1.0))
      return success();
    auto launch = skinnyGemmLaunch(
        gemm.getM(), gemm.getN(), gemm.getK(), gemm.getTransposeB(),
        gemm.getLda(), gemm.getLdb(), gemm.getLdd(), arch.getValue(), ptx);
    if (!launch)
      return success();
    llvm::DenseMap<int, Value> buffers;
    buffers[static_cast<int>(LibraryBuffer::GemmA)] = gemm.getA();
    buffers[static_cast<int>(LibraryBuffer::GemmB)] = gemm.getB();
    buffers[static_cast<int>(LibraryBuffer::GemmD)] = gemm.getD();
    return emit(cast<plan::StepOpInterface>(*gemm), {*launch}, buffers,
                "product with few columns");
  }

  /// One product dt^T x or dy^T t of the gradients, as the kernel sees it.
  struct Factor {
    plan::GemmOp gemm;
    Value y, s;
    FactorProblem problem;
  };

  static plan::BufferOp bufferOf(Value value) {
    if (auto view = value.getDefiningOp<plan::ViewOp>())
      value = view.getSource();
    return value.getDefiningOp<plan::BufferOp>();
  }

  bool isGradient(Value value) {
    plan::BufferOp buffer = bufferOf(value);
    auto allocation =
        getOperation().lookupSymbol<plan::AllocationOp>(buffer.getAllocation());
    return allocation && allocation.getCategory() == plan::Category::Gradients;
  }

  std::optional<Factor> factorOf(plan::GemmOp gemm) {
    Type bf16 = BFloat16Type::get(&getContext());
    if (!gemm.getTransposeA() || gemm.getTransposeB() ||
        !gemm.getBeta().isZero() ||
        typeOf(gemm.getA()).getElementType() != bf16 ||
        !typeOf(gemm.getD()).getElementType().isF32() ||
        !isGradient(gemm.getD()) || !startsAt(gemm.getA(), 16) ||
        !startsAt(gemm.getB(), 16) || !startsAt(gemm.getD(), 16))
      return std::nullopt;
    auto m = static_cast<int64_t>(gemm.getM()),
         n = static_cast<int64_t>(gemm.getN()),
         lda = static_cast<int64_t>(gemm.getLda()),
         ldb = static_cast<int64_t>(gemm.getLdb()),
         ldd = static_cast<int64_t>(gemm.getLdd());
    auto alpha = static_cast<float>(gemm.getAlpha().convertToDouble());
    if (n <= m)
      return Factor{
          gemm, gemm.getA(), gemm.getB(), {m, n, lda, ldb, ldd, false, alpha}};
    return Factor{
        gemm, gemm.getB(), gemm.getA(), {n, m, ldb, lda, ldd, true, alpha}};
  }

  /// Gradients of factors, four to a launch: they are small, and nobody waits
  /// for them before the clipping norm.
  LogicalResult groupFactorGradients(plan::ProgramOp program) {
    SmallVector<Factor> group;
    auto flush = [&]() -> LogicalResult {
      auto result = group.size() > 1 ? launchFactors(group) : success();
      group.clear();
      return result;
    };
    for (auto step : llvm::make_early_inc_range(
             program.getBlock().getOps<plan::StepOpInterface>())) {
      auto gemm = dyn_cast<plan::GemmOp>(*step);
      auto factor = gemm ? factorOf(gemm) : std::nullopt;
      if (!factor) {
        // The group moves down to its last product: nothing between may want
        // its results or overwrite what it reads.
        bool wanted = llvm::any_of(step.getReads(),
                                   [&](Value v) { return isGradient(v); });
        bool overwrites = llvm::any_of(step.getWrites(), [&](Value v) {
          return isGradient(v) || llvm::any_of(group, [&](const Factor &f) {
                   return bufferOf(v) == bufferOf(f.y) ||
                          bufferOf(v) == bufferOf(f.s);
                 });
        });
        if ((wanted || overwrites) && failed(flush()))
          return failure();
        continue;
      }
      if (!group.empty() && group[0].gemm.getK() != gemm.getK() &&
          failed(flush()))
        return failure();
      group.push_back(*factor);
      if (group.size() == 4 && failed(flush()))
        return failure();
    }
    return flush();
  }

  LogicalResult launchFactors(ArrayRef<Factor> group) {
    auto problems =
        llvm::map_to_vector(group, [](const Factor &f) { return f.problem; });
    plan::GemmOp last = group.back().gemm;
    auto launch = factorGradientsLaunch(
        static_cast<int64_t>(last.getK()),
        std::span(problems.data(), problems.size()), arch.getValue(), ptx);
    if (!launch)
      return success();
    auto kernel = kernelOf(last, *launch, "gradients of adapter factors");
    if (failed(kernel))
      return failure();
    SmallVector<Value> reads, writes;
    SmallVector<Location> locations;
    for (const Factor &factor : group) {
      reads.push_back(factor.y);
      reads.push_back(factor.s);
      writes.push_back(plan::GemmOp(factor.gemm).getD());
      locations.push_back(plan::GemmOp(factor.gemm).getLoc());
    }
    OpBuilder b(last);
    auto triple = [&](const std::array<uint32_t, 3> &n) {
      return b.getDenseI64ArrayAttr({n[0], n[1], n[2]});
    };
    plan::LaunchOp::create(
        b, b.getFusedLoc(locations), *kernel, reads, writes,
        b.getDenseI64ArrayAttr(launch->scalars), triple(launch->grid),
        triple(launch->block), b.getI64IntegerAttr(launch->sharedBytes),
        b.getI64IntegerAttr(1),
        waits.contains(launch->symbol) ? b.getUnitAttr() : UnitAttr(),
        /*sums=*/IntegerAttr(), b.getI64IntegerAttr(0),
        b.getDenseI64ArrayAttr({}));
    for (const Factor &factor : group)
      plan::GemmOp(factor.gemm)->erase();
    return success();
  }

  /// Allocations and their buffers start at multiples of 256 bytes.
  static bool startsAt(Value value, int64_t bytes) {
    auto view = value.getDefiningOp<plan::ViewOp>();
    int64_t start = view
                        ? static_cast<int64_t>(view.getOffset()) *
                              plan::elementBytes(typeOf(value).getElementType())
                        : 0;
    plan::BufferOp buffer = bufferOf(value);
    start += static_cast<int64_t>(buffer.getOffset().value_or(0));
    return start % bytes == 0;
  }

  LogicalResult emit(plan::StepOpInterface old,
                     ArrayRef<LibraryLaunch> launches,
                     const llvm::DenseMap<int, Value> &buffers,
                     StringRef description) {
    OpBuilder b(old);
    auto values = [&](ArrayRef<LibraryBuffer> which) {
      return llvm::map_to_vector(which, [&](LibraryBuffer name) {
        return buffers.lookup(static_cast<int>(name));
      });
    };
    auto triple = [&](const std::array<uint32_t, 3> &n) {
      return b.getDenseI64ArrayAttr({n[0], n[1], n[2]});
    };
    for (const LibraryLaunch &launch : launches) {
      auto kernel = kernelOf(old, launch, description);
      if (failed(kernel))
        return failure();
      plan::LaunchOp::create(
          b, old->getLoc(), *kernel, values(launch.reads),
          values(launch.writes), b.getDenseI64ArrayAttr(launch.scalars),
          triple(launch.grid), triple(launch.block),
          b.getI64IntegerAttr(launch.sharedBytes), b.getI64IntegerAttr(1),
          // Of several launches the second waits long, in the first one's way.
          launches.size() == 1 && waits.contains(launch.symbol)
              ? b.getUnitAttr()
              : UnitAttr(),
          /*sums=*/IntegerAttr(), b.getI64IntegerAttr(old.getStepStream()),
          b.getDenseI64ArrayAttr(old.getStepWaits()));
    }
    old->erase();
    return success();
  }

  /// The plan.kernel of a launch, with its code object.
  FailureOr<FlatSymbolRefAttr> kernelOf(Operation *user,
                                        const LibraryLaunch &launch,
                                        StringRef description) {
    MLIRContext *context = &getContext();
    auto [it, isNew] = kernels.try_emplace(launch.symbol, launch.symbol);
    if (!isNew)
      return FlatSymbolRefAttr::get(context, it->second);
    OpBuilder b(place);
    std::string object = "library_" + launch.module;
    if (!getOperation().lookupSymbol(object)) {
      auto code = libraryCode(launch.module, arch.getValue(), ptx);
      bool asPtx = ptx;
      if (!code && !ptx) {
        // An architecture that was not built: what drivers compile.
        code = libraryCode(launch.module, arch.getValue(), true);
        asPtx = true;
      }
      if (!code)
        return user->emitError("this llamac was built without nvcc and has no "
                               "CUDA kernels: cannot compile '")
               << launch.symbol << "' for cuda";
      plan::CodeObjectOp::create(b, user->getLoc(), object,
                                 asPtx ? plan::CodeFormat::Ptx
                                       : plan::CodeFormat::Cubin,
                                 asPtx ? StringRef("sm_80") : StringRef(arch),
                                 StringRef(code->data(), code->size()));
    }
    // Machine code for sm_90 and later waits by itself for the step before it.
    auto carried = getOperation().lookupSymbol<plan::CodeObjectOp>(object);
    unsigned number = 0;
    if (carried.getFormat() == plan::CodeFormat::Cubin &&
        !carried.getArch().drop_front(3).consumeInteger(10, number) &&
        number >= 90)
      waits.insert(launch.symbol);
    plan::KernelOp::create(b, user->getLoc(), b.getStringAttr(launch.symbol),
                           b.getStringAttr(description),
                           FlatSymbolRefAttr::get(context, object));
    return FlatSymbolRefAttr::get(context, launch.symbol);
  }
};

} // namespace
