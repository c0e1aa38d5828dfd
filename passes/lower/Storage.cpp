//===- Storage.cpp - Where everything outside the arena lies --------------===//
#include "passes/lower/Storage.h"

#include "passes/lower/OptimizerState.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace llamac;

static int64_t bytesOf(Type type) {
  return plan::placeBytes(cast<RankedTensorType>(type)).value_or(0);
}

static int64_t aligned(int64_t bytes) {
  return llvm::alignTo(bytes, Storage::kAlignment);
}

RankedTensorType Storage::keptType(MLIRContext *context) const {
  return RankedTensorType::get(
      {static_cast<int64_t>(adalora.getModules().size()), adalora.getRank()},
      Float32Type::get(context));
}

FailureOr<Storage> Storage::create(ModuleOp module) {
  Storage storage(module);
  auto adapter =
      module->getAttrOfType<llm::AdapterAttr>(llm::LlmDialect::kAdapterAttr);
  if (adapter && adapter.getAdalora())
    storage.adalora = adapter;
  if (failed(storage.collect(module)) ||
      failed(storage.makeSegments(module.getContext())))
    return failure();
  return storage;
}

bool Storage::isFolded(StringRef weight) const {
  return llvm::any_of(foldedWeights, [&](auto &entry) {
    auto op = entry.second.first;
    return llvm::is_contained(llm::FoldedWeightOp(op)
                                  .getWeights()
                                  .template getAsValueRange<StringAttr>(),
                              weight);
  });
}

LogicalResult Storage::collect(ModuleOp module) {
  auto named = [](DictionaryAttr attrs, StringRef key) -> StringRef {
    auto name = attrs ? attrs.getAs<StringAttr>(key) : StringAttr();
    return name ? name.getValue() : StringRef();
  };
  for (auto f : module.getOps<func::FuncOp>()) {
    auto program =
        f->getAttrOfType<llm::ProgramAttr>(llm::LlmDialect::kProgramAttr);
    if (!program)
      return f.emitError("is no program: it lacks ")
             << llm::LlmDialect::kProgramAttr;
    bool looks = program.getKind() == llm::ProgramKind::Evaluate ||
                 program.getKind() == llm::ProgramKind::Probe;
    hasGradients |= !looks;
    trains |= !looks && program.getKind() != llm::ProgramKind::Gradient;
    for (unsigned i = 0; i < f.getNumArguments(); ++i) {
      StringRef name = named(f.getArgAttrDict(i), llm::LlmDialect::kInputAttr);
      if (name.empty())
        return f.emitError()
               << "argument " << i << " lacks " << llm::LlmDialect::kInputAttr;
      Slot &slot = inputs[name];
      slot.bytes = std::max(slot.bytes, bytesOf(f.getArgument(i).getType()));
    }
    for (unsigned i = 0; i < f.getNumResults(); ++i) {
      StringRef name =
          named(f.getResultAttrDict(i), llm::LlmDialect::kOutputAttr);
      if (name.empty())
        return f.emitError()
               << "result " << i << " lacks " << llm::LlmDialect::kOutputAttr;
      Slot &slot = outputs[name];
      slot.bytes = std::max(slot.bytes, bytesOf(f.getResultTypes()[i]));
    }
    for (Operation &op : f.getBody().front()) {
      if (auto weight = dyn_cast<llm::WeightOp>(op)) {
        auto type = cast<RankedTensorType>(weight.getType());
        auto [it, isNew] = weights.insert(
            {weight.getName(), Weight{type, weightBytes, weight}});
        if (isNew && isFolded(weight.getName()))
          return op.emitError() << "'" << weight.getName()
                                << "' is folded elsewhere but not here";
        if (isNew)
          weightBytes = aligned(weightBytes + bytesOf(type));
        else if (it->second.type != type)
          return op.emitError()
                 << "'" << weight.getName() << "' is " << type << " here and "
                 << it->second.type << " elsewhere";
      } else if (auto folded = dyn_cast<llm::FoldedWeightOp>(op)) {
        if (failed(collectFolded(folded)))
          return failure();
      } else if (auto parameter = dyn_cast<llm::ParameterOp>(op)) {
        if (layout.entries.find(parameter.getName())->second.type !=
            parameter.getType())
          return op.emitError() << "'" << parameter.getName()
                                << "' has another type elsewhere";
      } else if (isa<llm::GradientStoreOp, llm::PendingGradientOp>(op)) {
        StringRef name = op.getAttrOfType<StringAttr>("name").getValue();
        auto it = layout.entries.find(name);
        Type type = op.getNumOperands() ? op.getOperand(0).getType()
                                        : op.getResult(0).getType();
        if (it == layout.entries.end() || it->second.type != type)
          return op.emitError()
                 << "'" << name << "' is no parameter of type " << type;
      } else if (auto reduce = dyn_cast<llm::ReduceGradientsOp>(op)) {
        if (failed(layout.rangeOf(reduce.getParameters())))
          return op.emitError("sums gradients that do not lie one behind the "
                              "other: programs sum them in different groups");
      } else if (auto constant = dyn_cast<llm::ConstantOp>(op)) {
        auto [it, isNew] = constants.insert({constant.getValue(), Slot{}});
        if (isNew) {
          it->second = {bytesOf(constant.getType()), constantBytes};
          constantBytes = aligned(constantBytes + it->second.bytes);
        }
      }
    }
  }
  for (auto &[name, slot] : inputs) {
    slot.offset = inputBytes;
    inputBytes = aligned(inputBytes + slot.bytes);
  }
  for (auto &[name, slot] : outputs) {
    slot.offset = outputBytes;
    outputBytes = aligned(outputBytes + slot.bytes);
  }
  return success();
}

LogicalResult Storage::collectFolded(llm::FoldedWeightOp op) {
  StringRef name = cast<StringAttr>(op.getWeights()[0]).getValue();
  auto [it, isNew] = foldedWeights.insert({name, {op, weightBytes}});
  if (!isNew) {
    if (it->second.first->getAttrDictionary() == op->getAttrDictionary() &&
        it->second.first.getType() == op.getType())
      return success();
    return op.emitError() << "'" << name << "' is folded in another way here";
  }
  for (auto weight : op.getWeights().getAsValueRange<StringAttr>()) {
    if (weights.contains(weight))
      return op.emitError()
             << "'" << weight << "' is folded here but not elsewhere";
    for (auto &[other, entry] : foldedWeights)
      if (other != name &&
          llvm::is_contained(llm::FoldedWeightOp(entry.first)
                                 .getWeights()
                                 .getAsValueRange<StringAttr>(),
                             weight))
        return op.emitError()
               << "'" << weight << "' is folded with other weights elsewhere";
  }
  weightBytes = aligned(weightBytes + bytesOf(op.getType()));
  foldedElement = cast<RankedTensorType>(op.getType()).getElementType();
  return success();
}

LogicalResult Storage::makeSegments(MLIRContext *context) {
  SmallVector<std::array<int64_t, 7>> rows;
  for (auto &[name, entry] : foldedWeights) {
    llm::FoldedWeightOp op = entry.first;
    auto type = cast<RankedTensorType>(op.getType());
    int64_t width = type.getDimSize(1);
    int64_t base = entry.second / (type.getElementTypeBitWidth() / 8);
    auto add = [&](StringRef factor, int64_t row, int64_t column, double scale,
                   StringRef rowScales = {}) {
      auto it = layout.entries.find(factor);
      if (it == layout.entries.end())
        return failure();
      RankedTensorType shape = it->second.type;
      int64_t scales = -1;
      if (!rowScales.empty()) {
        auto e = layout.entries.find(rowScales);
        if (e == layout.entries.end())
          return failure();
        scales = e->second.offset / 4;
      }
      auto bits = llvm::bit_cast<uint32_t>(static_cast<float>(scale));
      rows.push_back({it->second.offset / 4, shape.getNumElements(),
                      shape.getDimSize(1), base + row * width + column, width,
                      static_cast<int64_t>(bits), scales});
      return success();
    };
    for (unsigned j = 0; j < op.getWeights().size(); ++j) {
      if (op.getRanks()[j] == 0)
        continue;
      int64_t rank = op.rankOf(j);
      if (failed(add(cast<StringAttr>(op.getA()[j]).getValue(),
                     op.getN() + rank, 0, 1.0,
                     op.getE() ? cast<StringAttr>((*op.getE())[j]).getValue()
                               : StringRef())) ||
          failed(add(cast<StringAttr>(op.getB()[j]).getValue(), op.rowOf(j),
                     op.getK() + rank, op.getScales()[j])))
        return op.emitError("a factor is no parameter of this module");
    }
  }
  if (rows.empty())
    return success();
  llvm::sort(rows);
  SmallVector<int64_t> flat;
  for (auto &row : rows)
    flat.append(row.begin(), row.end());
  auto type = RankedTensorType::get({static_cast<int64_t>(rows.size()), 7},
                                    IntegerType::get(context, 64));
  segments = DenseElementsAttr::get(type, ArrayRef<int64_t>(flat));
  constants[segments] = {bytesOf(type), constantBytes};
  constantBytes = aligned(constantBytes + bytesOf(type));
  return success();
}

Storage::FoldPlaces Storage::foldPlaces() const {
  auto segmentsType = cast<RankedTensorType>(segments.getType());
  int64_t width = foldedElement.getIntOrFloatBitWidth() / 8;
  return {{"parameters", 0},
          {"constants", constants.find(segments)->second.offset},
          {"weights", 0},
          layout.flatType(segments.getContext()),
          segmentsType,
          RankedTensorType::get({weightBytes / width}, foldedElement)};
}

Place Storage::folded(llm::FoldedWeightOp op) const {
  return {"weights",
          foldedWeights.find(cast<StringAttr>(op.getWeights()[0]).getValue())
              ->second.second};
}

Place Storage::weight(llm::WeightOp op) const {
  return {"weights", weights.find(op.getName())->second.offset};
}
Place Storage::parameter(StringRef name) const {
  return {"parameters", layout.entries.find(name)->second.offset};
}
Place Storage::gradient(StringRef name) const {
  return {"gradients", layout.entries.find(name)->second.offset};
}
Place Storage::constant(llm::ConstantOp op) const {
  return {"constants", constants.find(op.getValue())->second.offset};
}
Place Storage::input(StringRef name) const {
  return {"inputs", inputs.find(name)->second.offset};
}
Place Storage::output(StringRef name) const {
  return {"outputs", outputs.find(name)->second.offset};
}

Place Storage::flat(llm::Flat kind) const {
  switch (kind) {
  case llm::Flat::Parameters:
    return {"parameters", 0};
  case llm::Flat::Gradients:
    return {"gradients", 0};
  case llm::Flat::FirstMoments:
    return {"first_moments", 0};
  case llm::Flat::SecondMoments:
    return {"second_moments", 0};
  case llm::Flat::Step:
    return {"optimizer_state", 0};
  case llm::Flat::Beta1Power:
    return {"optimizer_state", kAlignment};
  case llm::Flat::Beta2Power:
    return {"optimizer_state", 2 * kAlignment};
  case llm::Flat::Sensitivity:
    return {"sensitivity", 0};
  case llm::Flat::Uncertainty:
    return {"uncertainty", 0};
  case llm::Flat::Kept:
    return {"optimizer_state", 3 * kAlignment};
  }
  llvm_unreachable("all kinds are handled");
}

/// Says which part of which whole a tensor is, if it is one (shard-partition).
static void markPart(plan::TensorOp tensor, Attribute whole, Attribute axes) {
  auto shape = dyn_cast_or_null<DenseI64ArrayAttr>(whole);
  if (!shape || shape.empty())
    return;
  tensor.setGlobalShapeAttr(shape);
  tensor.setShardingAttr(cast<ArrayAttr>(axes));
}

void Storage::emit(OpBuilder &b, Location loc, int64_t workspace) const {
  auto allocate = [&](StringRef name, plan::Category category, int64_t bytes) {
    if (bytes > 0 || category == plan::Category::Activations)
      plan::AllocationOp::create(b, loc, name, category, bytes, kAlignment);
  };
  int64_t flatBytes = layout.bytes();
  allocate("weights", plan::Category::Weights, weightBytes);
  allocate("parameters", plan::Category::Parameters, flatBytes);
  if (hasGradients)
    allocate("gradients", plan::Category::Gradients, flatBytes);
  if (trains) {
    allocate("first_moments", plan::Category::OptimizerState, flatBytes);
    allocate("second_moments", plan::Category::OptimizerState, flatBytes);
    int64_t kept = adalora ? aligned(bytesOf(keptType(b.getContext()))) : 0;
    allocate("optimizer_state", plan::Category::OptimizerState,
             3 * kAlignment + kept);
    if (adalora) {
      allocate("sensitivity", plan::Category::OptimizerState, flatBytes);
      allocate("uncertainty", plan::Category::OptimizerState, flatBytes);
    }
  }
  allocate("inputs", plan::Category::Inputs, inputBytes);
  allocate("outputs", plan::Category::Outputs, outputBytes);
  allocate("constants", plan::Category::Constants, constantBytes);
  allocate(kActivations, plan::Category::Activations, 0);
  allocate("workspace", plan::Category::Workspace, workspace);

  for (auto &[name, w] : weights) {
    llm::WeightOp op = w.op;
    markPart(plan::TensorOp::create(b, op.getLoc(), name, plan::Role::Weight,
                                    "weights", w.offset, w.type,
                                    plan::InitKind::Checkpoint),
             op->getAttr(llm::LlmDialect::kWholeShapeAttr),
             op->getAttr(llm::LlmDialect::kSplitAxesAttr));
  }
  for (auto &[name, entry] : foldedWeights) {
    llm::FoldedWeightOp op = entry.first;
    auto type = cast<RankedTensorType>(op.getType());
    int64_t width = type.getDimSize(1);
    int64_t bytes = type.getElementTypeBitWidth() / 8;
    for (unsigned j = 0; j < op.getWeights().size(); ++j) {
      auto tensor = plan::TensorOp::create(
          b, op.getLoc(), cast<StringAttr>(op.getWeights()[j]).getValue(),
          plan::Role::Weight, "weights",
          entry.second + op.rowOf(j) * width * bytes,
          RankedTensorType::get({op.getRows()[j], op.getK()},
                                type.getElementType()),
          plan::InitKind::Checkpoint);
      if (op.getK() != width)
        tensor.setPitch(width);
      auto nth = [&](StringRef name) {
        auto all = op->getAttrOfType<ArrayAttr>(name);
        return all ? all[j] : Attribute();
      };
      markPart(tensor, nth(llm::LlmDialect::kWholeShapeAttr),
               nth(llm::LlmDialect::kSplitAxesAttr));
    }
  }
  for (auto &[name, entry] : layout.entries) {
    auto op = cast<llm::ParameterOp>(entry.parameter);
    // The two enums agree from Zero on: the plan adds Checkpoint and Data.
    auto kind = *plan::symbolizeInitKind(
        llm::stringifyInitKind(op.getInit().getKind()));
    Attribute whole = op->getAttr(llm::LlmDialect::kWholeShapeAttr);
    Attribute axes = op->getAttr(llm::LlmDialect::kSplitAxesAttr);
    markPart(plan::TensorOp::create(b, op.getLoc(), name, plan::Role::Parameter,
                                    "parameters", entry.offset, entry.type,
                                    kind,
                                    op.getInit().getA().getValueAsDouble()),
             whole, axes);
    SmallVector<std::pair<plan::Role, StringRef>> roles;
    if (hasGradients)
      roles.push_back({plan::Role::Gradient, "gradients"});
    if (trains) {
      roles.push_back({plan::Role::FirstMoment, "first_moments"});
      roles.push_back({plan::Role::SecondMoment, "second_moments"});
    }
    if (trains && adalora && isTripletFactor(name)) {
      roles.push_back({plan::Role::Sensitivity, "sensitivity"});
      roles.push_back({plan::Role::Uncertainty, "uncertainty"});
    }
    for (auto [role, where] : roles)
      markPart(plan::TensorOp::create(b, op.getLoc(), name, role, where,
                                      entry.offset, entry.type,
                                      plan::InitKind::Zero),
               whole, axes);
  }
  if (trains) {
    for (const OptimizerState &state : kOptimizerState) {
      Place place = flat(state.flat);
      Type type = state.isInteger ? Type(b.getI64Type()) : b.getF64Type();
      plan::TensorOp::create(
          b, loc, state.name, plan::Role::State, place.allocation, place.offset,
          RankedTensorType::get({1}, type),
          state.initial == 0 ? plan::InitKind::Zero : plan::InitKind::Value,
          state.initial);
    }
  }
  if (trains && adalora) {
    Place place = flat(llm::Flat::Kept);
    plan::TensorOp::create(
        b, loc, kKeptTriplets, plan::Role::State, place.allocation,
        place.offset, keptType(b.getContext()), plan::InitKind::Value, 1.0);
  }
  for (auto [i, entry] : llvm::enumerate(constants)) {
    auto value = cast<ElementsAttr>(entry.first);
    std::string name = "constant_" + std::to_string(i);
    plan::ConstantOp::create(b, loc, name, value);
    plan::TensorOp::create(
        b, loc, name, plan::Role::Constant, "constants", entry.second.offset,
        cast<RankedTensorType>(value.getType()), plan::InitKind::Data, 0.0,
        FlatSymbolRefAttr::get(b.getContext(), name));
  }
}
