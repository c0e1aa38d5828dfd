//===- EmitHeader.cpp - Target, grid, model, task, adapter ----------------===//
#include "compiler/emit/EmitContext.h"

#include "dialects/llm/LlmDialect.h"

#include <limits>

using namespace mlir;
using namespace llamac::emit;

namespace {

/// The module attributes as tables. The first error is kept; emission goes on
/// with zeros, so that each table is one expression.
class HeaderEmitter {
public:
  explicit HeaderEmitter(Context &context)
      : context(context), module(context.module), b(context.builder) {}

  FailureOr<Header> run() {
    Header header;
    header.target = target();
    header.grid = grid(plan::PlanDialect::kGridAttr);
    header.sourceGrid = grid(plan::PlanDialect::kSourceGridAttr);
    header.targetGrid = grid(plan::PlanDialect::kTargetGridAttr);
    header.model = model();
    header.task = task();
    header.adapter = adapter();
    if (broken)
      return failure();
    return header;
  }

private:
  Context &context;
  ModuleOp module;
  flatbuffers::FlatBufferBuilder &b;
  bool broken = false;

  void fail(const Twine &message) {
    if (!broken)
      module.emitError(message);
    broken = true;
  }

  template <typename Attr> Attr require(StringRef name) {
    auto attr = module->getAttrOfType<Attr>(name);
    if (!attr)
      fail("module lacks '" + name + "', which a plan needs");
    return attr;
  }

  uint32_t u32(int64_t value, StringRef what) {
    if (value < 0 || value > std::numeric_limits<uint32_t>::max())
      fail(what + " is " + Twine(value) + ", which no plan can hold");
    return static_cast<uint32_t>(value);
  }

  flatbuffers::Offset<fb::Target> target() {
    auto t = require<plan::TargetAttr>(plan::PlanDialect::kTargetAttr);
    if (!t)
      return {};
    auto kind = context.string(t.getKind()), arch = context.string(t.getArch()),
         features = context.string(t.getFeatures());
    return fb::CreateTarget(b, kind, arch, features);
  }

  Vector<flatbuffers::Offset<fb::GridAxis>> grid(StringRef name) {
    Tables<fb::GridAxis> axes;
    if (auto grid = module->getAttrOfType<ArrayAttr>(name))
      for (auto axis : grid.getAsRange<plan::AxisAttr>())
        axes.push_back(fb::CreateGridAxis(b, context.string(axis.getName()),
                                          u32(axis.getSize(), "grid axis")));
    return context.tables(axes);
  }

  /// Programs that a model file brought have neither decoder nor task.
  bool isBare(StringRef name) {
    return !module->hasAttr(name) &&
           llvm::all_of(
               module.getOps<plan::ProgramOp>(), [](plan::ProgramOp program) {
                 return program.getKind() == plan::ProgramKind::Gradient;
               });
  }

  fb::DType compute() {
    auto type =
        module->getAttrOfType<TypeAttr>(plan::PlanDialect::kComputeAttr);
    return type ? dtypeOf(type.getValue()) : fb::DType::F32;
  }

  flatbuffers::Offset<fb::Model> model() {
    if (isBare(llm::LlmDialect::kModelAttr))
      return fb::CreateModel(
          b, context.string(module.getSymName().value_or("unnamed")), 0, 0, 0,
          0, 0, 0, 0, 0, false, compute());
    auto m = require<llm::ModelAttr>(llm::LlmDialect::kModelAttr);
    if (!m)
      return {};
    return fb::CreateModel(b, context.string(m.getName()),
                           u32(m.getHidden(), "hidden size"),
                           u32(m.getIntermediate(), "intermediate size"),
                           u32(m.getLayers(), "number of layers"),
                           u32(m.getHeads(), "number of heads"),
                           u32(m.getKvHeads(), "number of kv heads"),
                           u32(m.getHeadDim(), "head dimension"),
                           u32(m.getVocab(), "vocabulary size"),
                           u32(m.getMaxPositions(), "number of positions"),
                           m.getTiedEmbeddings(), compute());
  }

  flatbuffers::Offset<fb::Task> task() {
    if (isBare(llm::LlmDialect::kTaskAttr))
      return fb::CreateTask(b, context.string("none"));
    auto t = require<llm::TaskAttr>(llm::LlmDialect::kTaskAttr);
    if (!t)
      return {};
    auto head = fb::Head::Classification;
    switch (t.getHead()) {
    case llm::Head::Classification:
      break;
    case llm::Head::Regression:
      head = fb::Head::Regression;
      break;
    case llm::Head::CausalLM:
      head = fb::Head::CausalLM;
      break;
    }
    return fb::CreateTask(b, context.string(t.getName()), head,
                          u32(t.getLabels(), "number of labels"),
                          u32(t.getBatch(), "batch size"),
                          u32(t.getMaxLength(), "maximal length"),
                          u32(t.getAccumulation(), "accumulation"));
  }

  Vector<flatbuffers::Offset<flatbuffers::String>> strings(ArrayAttr list,
                                                           StringRef what) {
    std::vector<flatbuffers::Offset<flatbuffers::String>> table;
    for (Attribute entry : list) {
      if (auto text = dyn_cast<StringAttr>(entry))
        table.push_back(context.string(text));
      else
        fail(what + " of the adapter must be strings");
    }
    return b.CreateVector(table);
  }

  Vector<flatbuffers::Offset<fb::Pattern>> patterns(DictionaryAttr dict,
                                                    StringRef what) {
    Tables<fb::Pattern> table;
    for (NamedAttribute entry : dict) {
      double value = 0;
      if (auto number = dyn_cast<FloatAttr>(entry.getValue()))
        value = number.getValueAsDouble();
      else if (auto number = dyn_cast<IntegerAttr>(entry.getValue()))
        value = static_cast<double>(number.getInt());
      else
        fail(what + " of the adapter must hold numbers");
      table.push_back(
          fb::CreatePattern(b, context.string(entry.getName()), value));
    }
    return context.tables(table);
  }

  flatbuffers::Offset<fb::Adapter> adapter() {
    auto a =
        module->getAttrOfType<llm::AdapterAttr>(llm::LlmDialect::kAdapterAttr);
    if (!a)
      return fb::CreateAdapter(b, context.string("none"));
    auto kind = context.string(a.getKind());
    auto targets = strings(a.getTargets(), "targets");
    auto modules = strings(a.getModules(), "modules");
    auto ranks = patterns(a.getRankPattern(), "rank_pattern");
    auto alphas = patterns(a.getAlphaPattern(), "alpha_pattern");
    flatbuffers::Offset<fb::AdaLora> adalora;
    if (llm::AdaLoraAttr budget = a.getAdalora())
      adalora = fb::CreateAdaLora(
          b, u32(budget.getTargetRank(), "target rank of the adapter"),
          budget.getTinit(), budget.getTfinal(), budget.getDeltaT(),
          budget.getBeta1().getValueAsDouble(),
          budget.getBeta2().getValueAsDouble(),
          budget.getOrthRegWeight().getValueAsDouble(), budget.getTotalStep());
    return fb::CreateAdapter(b, kind, u32(a.getRank(), "rank of the adapter"),
                             a.getAlpha().getValueAsDouble(),
                             a.getDropout().getValueAsDouble(),
                             a.getUseRslora(), targets, a.getTargetsIsRegex(),
                             modules, ranks, alphas, adalora);
  }
};

} // namespace

FailureOr<Header> llamac::emit::emitHeader(Context &context) {
  return HeaderEmitter(context).run();
}
