//===- Homes.cpp - Where a program's values are computed ------------------===//
#include "passes/lower/Homes.h"

#include "dialects/llm/RowwiseBuilder.h"

#include "mlir/Dialect/Shard/IR/ShardOps.h"

using namespace mlir;
using namespace llamac;

/// Libraries take and leave what is in one piece.
static bool isCollective(Operation *op) {
  return isa_and_nonnull<shard::AllReduceOp, shard::AllGatherOp,
                         shard::ReduceScatterOp>(op);
}

bool Homes::isComputed(Value value) {
  Operation *def = value.getDefiningOp();
  return isa_and_nonnull<llm::MatmulOp, llm::RowwiseOp, llm::AttentionOp,
                         llm::AttentionGradOp, llm::ConcatOp,
                         llm::TripletGramsOp, llm::TripletFinishOp,
                         llm::TripletScoresOp, llm::TripletMaskOp>(def) ||
         isCollective(def);
}

static StringRef label(DictionaryAttr attrs, StringRef key) {
  return attrs.getAs<StringAttr>(key).getValue();
}

Homes::Homes(func::FuncOp function, const Storage &storage,
             bool stridedAttention)
    : function(function), storage(storage), stridedAttention(stridedAttention) {
  copyAwkwardParts(stridedAttention);
  for (Operation &op : llvm::reverse(function.getBody().front()))
    visit(&op);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

static constexpr StringLiteral kCopy = "copy";

static Value copyOf(OpBuilder &b, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  llm::RowwiseBuilder k(b, value.getLoc(), type.getDimSize(0),
                        type.getDimSize(1));
  k.yield(k.input(value, k.element()), type, k.element());
  Value copy = k.finish().front();
  copy.getDefiningOp()->setAttr(llm::LlmDialect::kSourceAttr,
                                b.getStringAttr(kCopy));
  return copy;
}

void Homes::copyAwkwardParts(bool stridedAttention) {
  llvm::DenseSet<Value> claimed;
  Block &body = function.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(body)) {
    OpBuilder b(&op);
    if (!stridedAttention && isa<llm::AttentionOp, llm::AttentionGradOp>(op))
      for (OpOperand &operand : op.getOpOperands())
        if (operand.get().getDefiningOp<llm::PanelOp>())
          operand.set(copyOf(b, operand.get()));
    // Results and slots are wanted in one piece.
    if (isa<func::ReturnOp, llm::GradientStoreOp, llm::FlatStoreOp>(op) ||
        isCollective(&op))
      for (OpOperand &operand : op.getOpOperands())
        if (auto panel = operand.get().getDefiningOp<llm::PanelOp>();
            panel &&
            cast<RankedTensorType>(panel.getType()).getDimSize(1) !=
                cast<RankedTensorType>(panel.getX().getType()).getDimSize(1))
          operand.set(copyOf(b, panel));
    auto concat = dyn_cast<llm::ConcatOp>(op);
    if (!concat)
      continue;
    for (OpOperand &operand : op.getOpOperands()) {
      Value part = operand.get();
      Operation *def = part.getDefiningOp();
      bool wantedElsewhere = llvm::any_of(part.getUsers(), [](Operation *user) {
        return isa<llm::GradientStoreOp, llm::FlatStoreOp, func::ReturnOp>(
                   user) ||
               isCollective(user);
      });
      bool attention =
          !stridedAttention &&
          isa_and_nonnull<llm::AttentionOp, llm::AttentionGradOp>(def);
      if (!isComputed(part) || wantedElsewhere || attention ||
          !claimed.insert(part).second)
        operand.set(copyOf(b, part));
    }
  }
  // The attention's inputs must not come to lie in a concat, either.
  if (stridedAttention)
    return;
  for (Operation &op : llvm::make_early_inc_range(body)) {
    if (!isa<llm::AttentionOp, llm::AttentionGradOp>(op))
      continue;
    OpBuilder b(&op);
    for (OpOperand &operand : op.getOpOperands()) {
      auto rowwise = operand.get().getDefiningOp<llm::RowwiseOp>();
      auto source =
          rowwise
              ? rowwise->getAttrOfType<StringAttr>(llm::LlmDialect::kSourceAttr)
              : StringAttr();
      bool fromPanel = rowwise && !(source && source.getValue() == kCopy) &&
                       llvm::any_of(rowwise.getInputs(), [](Value v) {
                         return v.getDefiningOp<llm::PanelOp>() != nullptr;
                       });
      if (claimed.contains(operand.get()) || fromPanel)
        operand.set(copyOf(b, operand.get()));
    }
  }
}

//===----------------------------------------------------------------------===//
// Homes
//===----------------------------------------------------------------------===//

bool Homes::canLieApart(Value value) const {
  if (isCollective(value.getDefiningOp()))
    return false;
  return stridedAttention ||
         !isa_and_nonnull<llm::AttentionOp, llm::AttentionGradOp>(
             value.getDefiningOp());
}

void Homes::want(Value value, Home home) {
  if (isComputed(value) && (!home.container || canLieApart(value)))
    homes.try_emplace(value, home);
}

void Homes::visit(Operation *op) {
  if (auto store = dyn_cast<llm::GradientStoreOp>(op)) {
    Home home{Value(), 0, storage.gradient(store.getName())};
    if (auto panel = store.getValue().getDefiningOp<llm::PanelOp>())
      homes.try_emplace(panel, home);
    else
      want(store.getValue(), home);
  } else if (auto store = dyn_cast<llm::FlatStoreOp>(op)) {
    want(store.getValue(), {Value(), 0, storage.flat(store.getFlat())});
  } else if (isa<func::ReturnOp>(op)) {
    for (auto [i, value] : llvm::enumerate(op->getOperands()))
      want(value, {Value(), 0,
                   storage.output(label(function.getResultAttrDict(i),
                                        llm::LlmDialect::kOutputAttr))});
  } else if (auto concat = dyn_cast<llm::ConcatOp>(op)) {
    int64_t column = 0;
    for (Value part : concat.getParts()) {
      want(part, {concat.getResult(), column, Place{"", 0}});
      column += cast<RankedTensorType>(part.getType()).getDimSize(1);
    }
  } else if (auto panel = dyn_cast<llm::PanelOp>(op)) {
    visitPanel(panel);
  } else if (auto matmul = dyn_cast<llm::MatmulOp>(op)) {
    const Home *home = lookup(matmul.getResult());
    Value c = matmul.getAccumulate();
    if (home && c && c.hasOneUse())
      want(c, Home(*home));
  } else if (auto rowwise = dyn_cast<llm::RowwiseOp>(op)) {
    visitRowwise(rowwise);
  }
}

/// Rows of a product that are each wanted in a slot, the slots one behind the
/// other, are computed there all at once. (Those that are not are copied.)
void Homes::visitPanel(llm::PanelOp op) {
  const Home *home = lookup(op.getResult());
  auto type = cast<RankedTensorType>(op.getX().getType());
  if (!home || home->container || op.getColumn() != 0 ||
      type.getDimSize(1) !=
          cast<RankedTensorType>(op.getType()).getDimSize(1) ||
      !llvm::all_of(op.getX().getUsers(), llvm::IsaPred<llm::PanelOp>))
    return;
  int64_t rowBytes = type.getDimSize(1) * type.getElementTypeBitWidth() / 8;
  int64_t offset =
      home->place.offset - static_cast<int64_t>(op.getRow()) * rowBytes;
  if (offset < 0)
    return;
  Home whole{Value(), 0, Place{home->place.allocation, offset}};
  // The rows of all other panels belong to whoever is there now unless they are
  // wanted there, too.
  int64_t covered = 0;
  for (Operation *user : op.getX().getUsers()) {
    auto other = cast<llm::PanelOp>(user);
    const Home *its = lookup(other.getResult());
    if (!its) {
      // A later visit of that panel decides.
      for (Operation *reader : other->getUsers())
        if (auto store = dyn_cast<llm::GradientStoreOp>(reader))
          if (storage.gradient(store.getName()) ==
              Place{home->place.allocation,
                    offset + static_cast<int64_t>(other.getRow()) * rowBytes})
            covered += cast<RankedTensorType>(other.getType()).getDimSize(0);
      continue;
    }
    if (!its->container &&
        its->place ==
            Place{home->place.allocation,
                  offset + static_cast<int64_t>(other.getRow()) * rowBytes})
      covered += cast<RankedTensorType>(other.getType()).getDimSize(0);
  }
  if (covered == type.getDimSize(0))
    want(op.getX(), whole);
}

/// Every element of `result` is computed from the elements that stand in the
/// same places of `operand`, and of no others of it.
static bool isElementByElement(llm::RowwiseOp op, unsigned result,
                               Value operand) {
  SmallVector<AffineMap> reads, writes;
  for (auto [i, input] : llvm::enumerate(op.getInputs())) {
    if (input != operand)
      continue;
    if (op.getIndexInputs()[i] >= 0)
      return false;
    if (!llvm::is_contained(reads, op.inputMap(i)))
      reads.push_back(op.inputMap(i));
  }
  for (auto [j, target] : llvm::enumerate(op.getYieldResults()))
    if (target == static_cast<int64_t>(result))
      writes.push_back(op.yieldMap(j));
  // Maps of rows and columns both: a value per row is written by one thread
  // while others still read.
  for (AffineMap map : writes)
    if (map.getNumResults() != 2 || !llvm::is_contained(reads, map) ||
        !map.getResult(1).isFunctionOfDim(1))
      return false;
  return reads.size() == writes.size();
}

/// Nothing needs the storage of `value` once `op` has run, and nothing but
/// `value` is in it.
static bool diesAt(Operation *op, Value value) {
  if (value.getDefiningOp<llm::PanelOp>()) {
    auto panel = value.getDefiningOp<llm::PanelOp>();
    Value source = panel.getX();
    if (!isa_and_nonnull<llm::MatmulOp>(source.getDefiningOp()))
      return false;
    auto columns = [](llm::PanelOp p) {
      int64_t first = p.getColumn();
      return std::pair(
          first, first + cast<RankedTensorType>(p.getType()).getDimSize(1));
    };
    for (Operation *user : source.getUsers()) {
      auto other = dyn_cast<llm::PanelOp>(user);
      if (!other)
        return false;
      if (other == panel)
        continue;
      auto [a, b] = columns(panel);
      auto [c, d] = columns(other);
      if (a < d && c < b)
        return false;
    }
  } else if (value.getDefiningOp<llm::ConcatOp>()) {
    // Its parts have readers of their own.
    for (Value part : value.getDefiningOp()->getOperands())
      if (!part.hasOneUse())
        return false;
    return llvm::all_of(value.getUsers(),
                        [&](Operation *user) { return user == op; });
  } else if (!Homes::isComputed(value)) {
    return false;
  }
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    if (auto matmul = dyn_cast<llm::MatmulOp>(user))
      if (matmul.getAccumulate() == value)
        return false; // its result is there now
    return user == op || (user->isBeforeInBlock(op) &&
                          isa<llm::MatmulOp, llm::RowwiseOp, llm::AttentionOp,
                              llm::AttentionGradOp>(user));
  });
}

void Homes::visitRowwise(llm::RowwiseOp op) {
  // A copy is there to be elsewhere.
  auto source = op->getAttrOfType<StringAttr>(llm::LlmDialect::kSourceAttr);
  if (source && source.getValue() == kCopy)
    return;
  llvm::DenseSet<Value> taken;
  for (unsigned i = 0; i < op->getNumResults(); ++i) {
    Value result = op.getResult(i);
    const Home *home = lookup(result);
    for (Value operand : op.getInputs()) {
      if (operand.getType() != result.getType() || taken.contains(operand) ||
          !diesAt(op, operand) || !isElementByElement(op, i, operand))
        continue;
      if (home) {
        // Then the operand is computed where the result is wanted.
        bool only = llvm::all_of(operand.getUsers(), [&](Operation *user) {
          return user == op.getOperation();
        });
        if (!isComputed(operand) || lookup(operand) || !home->container ||
            !only || !canLieApart(operand))
          continue;
        homes.try_emplace(operand, Home(*home));
      }
      inPlace[result] = operand;
      taken.insert(operand);
      break;
    }
  }
}
