//===- GraphSurgery.cpp - Moving and regrouping ops of a program ----------===//
#include "passes/fuse/GraphSurgery.h"

#include "dialects/llm/RowwiseBuilder.h"

using namespace mlir;

/// Users of a value that is to come from after `position` must come later.
void llamac::moveUsersAfter(Value value, Operation *position) {
  for (Operation *user : llvm::to_vector(value.getUsers())) {
    if (user->getBlock() != position->getBlock() ||
        position->isBeforeInBlock(user))
      continue;
    user->moveAfter(position);
    for (Value result : user->getResults())
      moveUsersAfter(result, user);
  }
}

/// Finds the smallest sum that has all `terms`, and its other addends.
bool llamac::findSum(Value term, llvm::SmallPtrSetImpl<Operation *> &terms,
                     Value &root, SmallVector<Value> &others) {
  for (root = term;;) {
    others.clear();
    unsigned found = 0;
    std::function<void(Value, bool)> visit = [&](Value v, bool top) {
      Operation *def = v.getDefiningOp();
      if (def && terms.contains(def) && (top || v.hasOneUse())) {
        ++found;
        return;
      }
      if (auto add = dyn_cast_or_null<llm::AddOp>(def);
          add && (top || v.hasOneUse())) {
        visit(add.getLhs(), false);
        visit(add.getRhs(), false);
        return;
      }
      others.push_back(v);
    };
    visit(root, true);
    if (found == terms.size())
      return true;
    auto add = root.hasOneUse() ? dyn_cast<llm::AddOp>(*root.user_begin())
                                : llm::AddOp();
    if (!add)
      return false;
    root = add.getResult();
  }
}

void llamac::eraseSum(Value v, llvm::SmallPtrSetImpl<Operation *> &terms) {
  Operation *def = v.getDefiningOp();
  if (!def || !v.use_empty())
    return;
  if (terms.contains(def)) {
    def->erase();
  } else if (auto add = dyn_cast<llm::AddOp>(def)) {
    Value l = add.getLhs(), r = add.getRhs();
    def->erase();
    eraseSum(l, terms);
    if (r != l)
      eraseSum(r, terms);
  }
}

bool llamac::sameRotation(llm::RopeOp a, llm::RopeOp b) {
  return a && b && a.getCos() == b.getCos() && a.getSin() == b.getSin() &&
         a.getInverse() == b.getInverse();
}

Value llamac::copyOf(OpBuilder &builder, Value part) {
  auto type = cast<RankedTensorType>(part.getType());
  llm::RowwiseBuilder k(builder, part.getLoc(), type.getDimSize(0),
                        type.getDimSize(1));
  k.yield(k.input(part, k.element()), type, k.element());
  return k.finish().front();
}

Value llamac::gatherBoth(OpBuilder &builder, shard::AllGatherOp gather,
                         Value columns) {
  auto one = cast<RankedTensorType>(gather.getInput().getType());
  auto all = cast<RankedTensorType>(gather.getType());
  int64_t width = one.getDimSize(1) +
                  cast<RankedTensorType>(columns.getType()).getDimSize(1);
  auto rows = [&](int64_t count) {
    return RankedTensorType::get({count, width}, one.getElementType());
  };
  Value both =
      llm::ConcatOp::create(builder, gather.getLoc(), rows(one.getDimSize(0)),
                            ValueRange{gather.getInput(), columns});
  return shard::AllGatherOp::create(
      builder, gather.getLoc(), rows(all.getDimSize(0)), gather.getGridAttr(),
      gather.getGridAxesAttr(), both, gather.getGatherAxisAttr());
}
