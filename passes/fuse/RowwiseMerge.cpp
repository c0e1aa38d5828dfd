//===- RowwiseMerge.cpp - Two rowwise ops as one --------------------------===//
#include "passes/fuse/RowwiseMerge.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace {

/// The only yield to `result`, if its map is `map`.
std::optional<unsigned> yieldAt(llm::RowwiseOp op, unsigned result,
                                AffineMap map) {
  std::optional<unsigned> found;
  for (auto [j, target] : llvm::enumerate(op.getYieldResults())) {
    if (target != static_cast<int64_t>(result))
      continue;
    if (found || op.yieldMap(j) != map)
      return std::nullopt;
    found = j;
  }
  return found;
}

/// Storage that a later op of the program overwrites in place must be read
/// where it stands.
bool readsStorage(llm::RowwiseOp op) {
  return llvm::any_of(op.getInputs(), [](Value v) {
    return v.getDefiningOp<llm::FlatLoadOp>() ||
           v.getDefiningOp<llm::PendingGradientOp>();
  });
}

bool canMerge(llm::RowwiseOp producer, llm::RowwiseOp consumer) {
  if (producer == consumer || producer->getBlock() != consumer->getBlock() ||
      producer.getRows() != consumer.getRows() ||
      producer.getCols() != consumer.getCols() || readsStorage(producer))
    return false;
  for (auto [i, input] : llvm::enumerate(consumer.getInputs())) {
    if (input.getDefiningOp() != producer)
      continue;
    unsigned result = cast<OpResult>(input).getResultNumber();
    // A yield is a number in a register, where an index must be an input.
    if (!yieldAt(producer, result, consumer.inputMap(i)) ||
        llvm::is_contained(consumer.getIndexInputs(), static_cast<int64_t>(i)))
      return false;
  }
  // The merged op stands where the consumer is: everyone else must come later.
  for (Operation *user : producer->getUsers())
    if (user != consumer.getOperation() &&
        !consumer->isBeforeInBlock(user->getBlock() == consumer->getBlock()
                                       ? user
                                       : user->getParentOp()))
      return false;
  return true;
}

/// Inputs of the merged op, equal ones once.
struct Inputs {
  SmallVector<Value> values;
  SmallVector<Attribute> maps;
  SmallVector<int64_t> indices;

  unsigned add(Value value, AffineMap map, int64_t index) {
    auto attr = AffineMapAttr::get(map);
    for (unsigned i = 0; i < values.size(); ++i)
      if (values[i] == value && maps[i] == attr && indices[i] == index)
        return i;
    values.push_back(value);
    maps.push_back(attr);
    indices.push_back(index);
    return values.size() - 1;
  }
};

} // namespace

llm::RowwiseOp llamac::mergeRowwise(llm::RowwiseOp producer,
                                    llm::RowwiseOp consumer) {
  if (!canMerge(producer, consumer))
    return {};
  OpBuilder b(consumer);
  Inputs inputs;
  // Position of each old input in the merged op; -1: replaced by a yield.
  // An index input may stand behind its user, hence the recursion.
  auto place = [&](llm::RowwiseOp op, bool fromProducer) {
    SmallVector<int64_t> at(op.getInputs().size(), -1);
    std::function<int64_t(unsigned)> put = [&](unsigned i) -> int64_t {
      Value value = op.getInputs()[i];
      if (at[i] >= 0 || (!fromProducer && value.getDefiningOp() == producer))
        return at[i];
      int64_t index = op.getIndexInputs()[i];
      return at[i] =
                 inputs.add(value, op.inputMap(i), index < 0 ? -1 : put(index));
    };
    for (unsigned i = 0; i < at.size(); ++i)
      put(i);
    return at;
  };
  SmallVector<int64_t> producerAt = place(producer, true);
  SmallVector<int64_t> consumerAt = place(consumer, false);

  auto region = std::make_unique<Region>();
  Block &block = region->emplaceBlock();
  Location loc =
      FusedLoc::get(b.getContext(), {producer.getLoc(), consumer.getLoc()});
  for (Value v : inputs.values)
    block.addArgument(cast<RankedTensorType>(v.getType()).getElementType(),
                      loc);
  // The block has no parent op to take the context from yet.
  OpBuilder body(b.getContext());
  body.setInsertionPointToEnd(&block);

  SmallVector<Value> yields;
  SmallVector<Attribute> yieldMaps;
  SmallVector<int64_t> yieldResults;
  SmallVector<Type> types;
  SmallVector<Value> replaced;
  auto yieldResult = [&](llm::RowwiseOp op, IRMapping &map, unsigned result) {
    for (auto [j, target] : llvm::enumerate(op.getYieldResults())) {
      if (target != static_cast<int64_t>(result))
        continue;
      yields.push_back(map.lookup(op.getYield().getValues()[j]));
      yieldMaps.push_back(AffineMapAttr::get(op.yieldMap(j)));
      yieldResults.push_back(types.size());
    }
    types.push_back(op.getResult(result).getType());
    replaced.push_back(op.getResult(result));
  };

  IRMapping first;
  for (auto [i, at] : llvm::enumerate(producerAt))
    first.map(producer.getBlock().getArgument(i), block.getArgument(at));
  for (Operation &op : producer.getBlock().without_terminator())
    body.clone(op, first);
  IRMapping second;
  for (auto [i, at] : llvm::enumerate(consumerAt)) {
    Value argument = consumer.getBlock().getArgument(i);
    if (at >= 0) {
      second.map(argument, block.getArgument(at));
      continue;
    }
    unsigned result = cast<OpResult>(consumer.getInputs()[i]).getResultNumber();
    unsigned j = *yieldAt(producer, result, consumer.inputMap(i));
    second.map(argument, first.lookup(producer.getYield().getValues()[j]));
  }
  for (Operation &op : consumer.getBlock().without_terminator())
    body.clone(op, second);

  for (unsigned i = 0; i < producer->getNumResults(); ++i)
    if (llvm::any_of(producer.getResult(i).getUsers(), [&](Operation *user) {
          return user != consumer.getOperation();
        }))
      yieldResult(producer, first, i);
  for (unsigned i = 0; i < consumer->getNumResults(); ++i)
    yieldResult(consumer, second, i);
  llm::YieldOp::create(body, loc, yields);

  auto merged = llm::RowwiseOp::create(
      b, loc, types, consumer.getRowsAttr(), consumer.getColsAttr(),
      inputs.values, b.getArrayAttr(inputs.maps),
      b.getDenseI64ArrayAttr(inputs.indices),
      b.getDenseI64ArrayAttr(yieldResults), b.getArrayAttr(yieldMaps));
  merged.getBody().takeBody(*region);
  auto source = [](Operation *op) -> StringRef {
    auto name = op->getAttrOfType<StringAttr>(llm::LlmDialect::kSourceAttr);
    return name ? name.getValue() : "rowwise";
  };
  merged->setAttr(llm::LlmDialect::kSourceAttr,
                  b.getStringAttr(source(producer) + "+" + source(consumer)));
  for (auto [old, now] : llvm::zip(replaced, merged.getResults()))
    old.replaceAllUsesWith(now);
  consumer.erase();
  producer.erase();
  return merged;
}
