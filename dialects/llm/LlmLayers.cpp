//===- LlmLayers.cpp - Syntax and checks of llm.layers --------------------===//
//
//   llm.layers count(2) carry(%x) shared(%cos) : (type of %x, types of shared)
//       [attributes {...}] {
//   ^bb0(one argument for each operand): ... llm.yield %y : type of %x
//   }
//
//===----------------------------------------------------------------------===//
#include "dialects/llm/LlmDialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace llm;

// More layers than any decoder has; keeps the unrolling of a hostile model file
// bounded.
static constexpr int64_t kMaxLayers = 10000;

ParseResult LayersOp::parse(OpAsmParser &parser, OperationState &state) {
  IntegerAttr count;
  SmallVector<OpAsmParser::UnresolvedOperand> operands(1);
  SmallVector<Type> types;
  if (parser.parseKeyword("count") || parser.parseLParen() ||
      parser.parseAttribute(count, parser.getBuilder().getI64Type()) ||
      parser.parseRParen() || parser.parseKeyword("carry") ||
      parser.parseLParen() || parser.parseOperand(operands[0]) ||
      parser.parseRParen())
    return failure();
  if (succeeded(parser.parseOptionalKeyword("shared")) &&
      parser.parseOperandList(operands, OpAsmParser::Delimiter::Paren))
    return failure();

  SMLoc typesLoc = parser.getCurrentLocation();
  auto parseType = [&] { return parser.parseType(types.emplace_back()); };
  if (parser.parseColon() ||
      parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, parseType))
    return failure();
  if (parser.resolveOperands(operands, types, typesLoc, state.operands) ||
      parser.parseOptionalAttrDictWithKeyword(state.attributes))
    return failure();

  Region *body = state.addRegion();
  // The body sees nothing from outside, so it may use the same names.
  if (parser.parseRegion(*body, /*arguments=*/{}, /*enableNameShadowing=*/true))
    return failure();
  LayersOp::ensureTerminator(*body, parser.getBuilder(), state.location);
  state.addAttribute(getCountAttrName(state.name), count);
  state.addTypes(types.front());
  return success();
}

void LayersOp::print(OpAsmPrinter &printer) {
  printer << " count(" << getCount() << ") carry(" << getX() << ")";
  if (!getShared().empty())
    printer << " shared(" << getShared() << ")";
  printer << " : (" << getOperandTypes() << ")";
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(),
                                           {getCountAttrName().getValue()});
  printer << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/true,
                      /*printBlockTerminators=*/true);
}

LogicalResult LayersOp::verifyRegions() {
  if (getCount() < 1 || getCount() > kMaxLayers)
    return emitOpError("count is ")
           << getCount() << ", must be 1 to " << kMaxLayers;
  if ((*this)->getParentOfType<LayersOp>())
    return emitOpError("inside another llm.layers: {layer} would be ambiguous");
  if (getResult().getType() != getX().getType())
    return emitOpError("carries ") << getX().getType() << " but its result is "
                                   << getResult().getType();

  Block &block = getBody().front();
  if (block.getNumArguments() != getNumOperands())
    return emitOpError("has ")
           << getNumOperands() << " operands but its body takes "
           << block.getNumArguments() << " arguments";
  for (auto [i, operand, argument] :
       llvm::enumerate(getOperandTypes(), block.getArgumentTypes()))
    if (operand != argument)
      return emitOpError("operand ")
             << i << " is " << operand << " but body argument " << i << " is "
             << argument;

  auto yield = cast<YieldOp>(block.getTerminator());
  if (yield.getNumOperands() != 1)
    return emitOpError("body yields ")
           << yield.getNumOperands() << " values, must yield the carried one";
  if (yield.getOperand(0).getType() != getX().getType())
    return emitOpError("carries ")
           << getX().getType() << " but its body yields "
           << yield.getOperand(0).getType();
  return success();
}
