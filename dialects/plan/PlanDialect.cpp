//===- PlanDialect.cpp - Registration, types and module attributes --------===//
#include "dialects/plan/PlanDialect.h"

#include "dialects/llm/LlmDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

// A list of grid axes for every dimension: [[0], []].
static ParseResult parseSharding(OpAsmParser &parser, ArrayAttr &sharding) {
  SmallVector<Attribute> dims;
  auto parseDim = [&]() -> ParseResult {
    SmallVector<int64_t> axes;
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&]() {
          return parser.parseInteger(axes.emplace_back());
        }))
      return failure();
    dims.push_back(DenseI64ArrayAttr::get(parser.getContext(), axes));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseDim))
    return failure();
  sharding = ArrayAttr::get(parser.getContext(), dims);
  return success();
}

static void printSharding(OpAsmPrinter &printer, Operation *,
                          ArrayAttr sharding) {
  printer << '[';
  llvm::interleaveComma(sharding, printer, [&](Attribute dim) {
    auto axes = dyn_cast<DenseI64ArrayAttr>(dim);
    printer << '[';
    llvm::interleaveComma(axes ? axes.asArrayRef() : ArrayRef<int64_t>(),
                          printer);
    printer << ']';
  });
  printer << ']';
}

#include "dialects/plan/PlanDialect.cpp.inc"
#include "dialects/plan/PlanEnums.cpp.inc"
#include "dialects/plan/PlanInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/plan/PlanAttrs.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.cpp.inc"

void plan::PlanDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/plan/PlanAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/plan/PlanOps.cpp.inc"
      >();
}

int64_t plan::elementBytes(Type type) {
  if (type.isF64() || type.isSignlessInteger(64))
    return 8;
  if (type.isF32() || type.isSignlessInteger(32))
    return 4;
  if (type.isF16() || type.isBF16())
    return 2;
  if (type.isSignlessInteger(8) || type.isUnsignedInteger(8))
    return 1;
  return 0;
}

std::optional<int64_t> plan::placeBytes(RankedTensorType type) {
  constexpr int64_t kMaxBytes = int64_t(1) << 47;
  int64_t bytes = elementBytes(type.getElementType());
  if (bytes == 0)
    return std::nullopt;
  for (int64_t extent : type.getShape()) {
    if (extent < 0 || (extent > 0 && bytes > kMaxBytes / extent))
      return std::nullopt;
    bytes *= extent;
  }
  return bytes;
}

FailureOr<int64_t> plan::devicesAlong(Operation *op, ArrayRef<int64_t> axes,
                                      StringRef gridAttr) {
  auto module = op->getParentOfType<ModuleOp>();
  auto grid = module ? module->getAttrOfType<ArrayAttr>(gridAttr) : nullptr;
  int64_t count = grid ? grid.size() : 0, devices = 1;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    if (axis < 0 || axis >= count)
      return op->emitOpError("names grid axis ")
             << axis << ", " << gridAttr << " has " << count;
    if (llvm::is_contained(axes.take_front(i), axis))
      return op->emitOpError("names grid axis ") << axis << " twice";
    if (auto attr = dyn_cast<AxisAttr>(grid[axis]))
      devices *= attr.getSize();
  }
  return devices;
}

static LogicalResult verifyGrid(Operation *op, StringRef name,
                                Attribute value) {
  auto grid = dyn_cast<ArrayAttr>(value);
  if (!grid || grid.size() > 8)
    return op->emitOpError(name) << " must be a list of at most 8 #plan.axis";
  int64_t devices = 1;
  for (Attribute entry : grid) {
    auto axis = dyn_cast<plan::AxisAttr>(entry);
    if (!axis || axis.getName().empty())
      return op->emitOpError(name)
             << " must hold named #plan.axis, not " << entry;
    if (axis.getSize() < 1 || axis.getSize() > 65536 / devices)
      return op->emitOpError(name) << " must have 1 to 65536 devices";
    devices *= axis.getSize();
  }
  return success();
}

LogicalResult
plan::PlanDialect::verifyOperationAttribute(Operation *op,
                                            NamedAttribute attribute) {
  StringRef name = attribute.getName();
  Attribute value = attribute.getValue();
  if (!isa<ModuleOp>(op))
    return op->emitOpError("has '") << name << "', which is for modules";
  if (name == kTargetAttr) {
    auto target = dyn_cast<TargetAttr>(value);
    if (!target || (target.getKind() != "cpu" && target.getKind() != "cuda") ||
        target.getArch().empty())
      return op->emitOpError("plan.target must be a #plan.target of kind cpu "
                             "or cuda with an architecture");
    return success();
  }
  if (name == kGridAttr || name == kSourceGridAttr || name == kTargetGridAttr)
    return verifyGrid(op, name, value);
  if (name == kComputeAttr) {
    auto type = dyn_cast<TypeAttr>(value);
    if (!type || !isa<FloatType>(type.getValue()) ||
        elementBytes(type.getValue()) == 0)
      return op->emitOpError("plan.compute must be a float type of a plan");
    return success();
  }
  if (name == kFlagsAttr || name == kModelHashAttr) {
    if (!isa<StringAttr>(value))
      return op->emitOpError(name) << " must be a string";
    return success();
  }
  return op->emitOpError("has '") << name << "', which plan does not define";
}
