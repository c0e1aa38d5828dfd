//===- CpuTriplets.cpp - AdaLoRA's kernels on the CPU ---------------------===//
#include "passes/codegen/CpuTriplets.h"

#include "dialects/llm/TripletTable.h"
#include "passes/codegen/KernelBuffers.h"
#include "passes/codegen/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
using namespace llamac;

namespace {

constexpr int64_t kLanes = 8;

/// A kernel whose work items are matrices: item j < M is A of module j, M + j
/// is B, 2M + j is E.
class TripletKernel {
public:
  TripletKernel(OpBuilder &b, ModuleOp target, StringRef symbol, Operation *op,
                int64_t rank)
      : k(b, op->getLoc()), buffers(KernelBuffers::of(op)), rank(rank) {
    function = k.function(target, symbol);
    modules = k.load(i64(), function.getArgument(1), k.i64(0));
  }

  KernelBuilder k;
  LLVM::LLVMFuncOp function;
  KernelBuffers buffers;
  int64_t rank;
  Value modules, table;

  Type i64() { return k.b.getI64Type(); }
  Value operand(unsigned i) { return k.buffer(function, buffers.operands[i]); }
  Value result(unsigned i) {
    return k.buffer(function, buffers.firstResult + i);
  }

  Value compare(arith::CmpIPredicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(k.b, k.loc, predicate, x, y);
  }
  Value compare(arith::CmpFPredicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(k.b, k.loc, predicate, x, y);
  }
  Value select(Value c, Value x, Value y) {
    return arith::SelectOp::create(k.b, k.loc, c, x, y);
  }
  Value both(Value x, Value y) {
    return arith::AndIOp::create(k.b, k.loc, x, y);
  }
  Value either(Value x, Value y) {
    return arith::OrIOp::create(k.b, k.loc, x, y);
  }
  Value isMode(Value allocation, int64_t mode) {
    return compare(arith::CmpIPredicate::eq,
                   k.load(i64(), allocation, k.i64(0)), k.i64(mode));
  }

  Value field(Value module, llm::TripletField which) {
    return k.load(i64(), table,
                  k.add(k.mul(module, llm::kTripletFields), k.i64(which)));
  }
  Value weight(Value module, llm::TripletField which) {
    Value bits = arith::TruncIOp::create(k.b, k.loc, k.b.getI32Type(),
                                         field(module, which));
    return arith::BitcastOp::create(k.b, k.loc, k.f32(), bits);
  }
  Value load(Value base, Value index, unsigned lanes = 1) {
    return lanes == 1
               ? k.load(k.f32(), base, index)
               : k.loadAt(k.vec(k.f32(), lanes), k.at(base, index, k.f32()), 4);
  }
  void store(Value value, Value base, Value index, unsigned lanes = 1) {
    if (lanes == 1)
      k.store(value, base, index);
    else
      k.storeAt(value, k.at(base, index, k.f32()), 4);
  }

  /// For the work items [begin, end): `body(module)` of the kind of matrix.
  void items(ArrayRef<llvm::function_ref<void(Value)>> kinds) {
    k.loop(function.getArgument(2), function.getArgument(3), 1,
           [&](Value item) {
             for (auto [i, body] : llvm::enumerate(kinds)) {
               Value module = k.sub(item, k.mul(modules, k.i64(i)));
               Value is =
                   both(compare(arith::CmpIPredicate::sge, module, k.i64(0)),
                        compare(arith::CmpIPredicate::slt, module, modules));
               k.when(is, [&] { body(module); });
             }
           });
  }

  /// Columns [0, count) in pieces of kLanes, then one by one.
  void span(Value count, llvm::function_ref<void(Value, unsigned)> body) {
    Value wide = k.mul(k.div(count, kLanes), kLanes);
    k.loop(k.i64(0), wide, kLanes, [&](Value c) { body(c, kLanes); });
    k.loop(wide, count, 1, [&](Value c) { body(c, 1); });
  }
  /// The sum of `body` over [0, count), in a fixed order.
  Value sum(Value count, llvm::function_ref<Value(Value, unsigned)> body) {
    Value wide = k.mul(k.div(count, kLanes), kLanes);
    Type type = k.vec(k.f32(), kLanes);
    Value lanes = k.loop(k.i64(0), wide, kLanes, {k.real(type, 0.0)},
                         [&](Value c, ValueRange so) -> KernelBuilder::Values {
                           return {k.addf(so[0], body(c, kLanes))};
                         })
                      .front();
    Value start =
        k.combineLanes(lanes, [&](Value x, Value y) { return k.addf(x, y); });
    return k
        .loop(wide, count, 1, {start},
              [&](Value c, ValueRange so) -> KernelBuilder::Values {
                return {k.addf(so[0], body(c, 1))};
              })
        .front();
  }
  void ranks(llvm::function_ref<void(Value)> body) {
    k.loop(k.i64(0), k.i64(rank), 1, body);
  }
  void clear(Value base, Value first, int64_t count) {
    k.loop(first, k.add(first, k.i64(count)), 1,
           [&](Value i) { store(k.real(k.f32(), 0.0), base, i); });
  }
};

} // namespace

LLVM::LLVMFuncOp llamac::emitCpuTripletGrams(OpBuilder &builder,
                                             ModuleOp target, StringRef symbol,
                                             llm::TripletGramsOp op) {
  OpBuilder::InsertionGuard guard(builder);
  TripletKernel t(builder, target, symbol, op, op.getRank());
  KernelBuilder &k = t.k;
  int64_t r = t.rank, width = r * r + r;
  Value params = t.operand(0), grams = t.result(0);
  t.table = t.operand(1);
  Value gradients = op.getGradients() ? t.operand(2) : Value();
  auto ofA = [&](Value module) {
    Value a = t.field(module, llm::kTripletA);
    Value columns = t.field(module, llm::kTripletColumns);
    Value weight = t.weight(module, llm::kTripletAWeight);
    Value row = k.mul(module, width);
    t.ranks([&](Value i) {
      Value ai = k.add(a, k.mul(i, columns));
      t.ranks([&](Value j) {
        Value aj = k.add(a, k.mul(j, columns));
        Value dot = t.sum(columns, [&](Value c, unsigned lanes) {
          return k.mulf(t.load(params, k.add(ai, c), lanes),
                        t.load(params, k.add(aj, c), lanes));
        });
        t.store(k.mulf(dot, weight), grams, k.add(row, k.add(k.mul(i, r), j)));
      });
      Value dE = k.real(k.f32(), 0.0);
      if (gradients)
        dE =
            k.mulf(t.sum(columns,
                         [&](Value c, unsigned lanes) {
                           return k.mulf(t.load(gradients, k.add(ai, c), lanes),
                                         t.load(params, k.add(ai, c), lanes));
                         }),
                   weight);
      t.store(dE, grams, k.add(row, k.add(k.i64(r * r), i)));
    });
  };
  auto ofB = [&](Value module) {
    Value b = t.field(module, llm::kTripletB);
    Value rows = t.field(module, llm::kTripletRows);
    Value weight = t.weight(module, llm::kTripletBWeight);
    Value row = k.mul(k.add(t.modules, module), width);
    t.clear(grams, row, width);
    // Sums in place: the inner loop has no dependence from one j to the next.
    k.loop(k.i64(0), rows, 1, [&](Value o) {
      Value bo = k.add(b, k.mul(o, r));
      t.ranks([&](Value i) {
        Value x = t.load(params, k.add(bo, i));
        Value gi = k.add(row, k.mul(i, r));
        t.ranks([&](Value j) {
          Value at = k.add(gi, j);
          t.store(k.addf(t.load(grams, at),
                         k.mulf(x, t.load(params, k.add(bo, j)))),
                  grams, at);
        });
      });
    });
    k.loop(row, k.add(row, k.i64(r * r)), 1, [&](Value at) {
      t.store(k.mulf(t.load(grams, at), weight), grams, at);
    });
  };
  t.items({ofA, ofB});
  return t.function;
}

LLVM::LLVMFuncOp llamac::emitCpuTripletFinish(OpBuilder &builder,
                                              ModuleOp target, StringRef symbol,
                                              llm::TripletFinishOp op) {
  OpBuilder::InsertionGuard guard(builder);
  TripletKernel t(builder, target, symbol, op, op.getRank());
  KernelBuilder &k = t.k;
  int64_t r = t.rank, width = r * r + r;
  Value gradients = t.operand(0), params = t.operand(1), grams = t.operand(2),
        norms = t.operand(3), out = t.result(0);
  t.table = t.operand(4);
  Value zero = k.real(k.f32(), 0.0), one = k.real(k.f32(), 1.0);
  // factor / norm, and nothing where the norm is 0.
  auto slope = [&](Value matrix) {
    Value norm = t.load(norms, matrix);
    Value positive = t.compare(arith::CmpFPredicate::OGT, norm, zero);
    Value quotient = k.divf(k.real(k.f32(), op.getFactor().convertToDouble()),
                            t.select(positive, norm, one));
    return t.select(positive, quotient, zero);
  };
  // (G - I)[i, j] of the matrix whose Gram begins at `row`.
  auto deviation = [&](Value row, Value i, Value j) {
    Value g = t.load(grams, k.add(row, k.add(k.mul(i, r), j)));
    Value diagonal = t.compare(arith::CmpIPredicate::eq, i, j);
    return k.subf(g, t.select(diagonal, one, zero));
  };
  auto ofA = [&](Value module) {
    Value a = t.field(module, llm::kTripletA);
    Value e = t.field(module, llm::kTripletE);
    Value columns = t.field(module, llm::kTripletColumns);
    Value row = k.mul(module, width), c0 = slope(module);
    t.ranks([&](Value i) {
      Value ai = k.add(a, k.mul(i, columns));
      Value scale = t.load(params, k.add(e, i));
      t.span(columns, [&](Value c, unsigned lanes) {
        Value start = k.real(k.vec(k.f32(), lanes), 0.0);
        Value sum =
            k.loop(
                 k.i64(0), k.i64(r), 1, {start},
                 [&](Value j, ValueRange so) -> KernelBuilder::Values {
                   Value aj = k.add(a, k.mul(j, columns));
                   Value d = k.splat(deviation(row, i, j), lanes);
                   return {k.addf(
                       so[0], k.mulf(d, t.load(params, k.add(aj, c), lanes)))};
                 })
                .front();
        Value p = t.load(gradients, k.add(ai, c), lanes);
        t.store(k.addf(k.mulf(k.splat(scale, lanes), p),
                       k.mulf(k.splat(c0, lanes), sum)),
                out, k.add(ai, c), lanes);
      });
      t.store(t.load(grams, k.add(row, k.add(k.i64(r * r), i))), out,
              k.add(e, i));
    });
  };
  auto ofB = [&](Value module) {
    Value b = t.field(module, llm::kTripletB);
    Value rows = t.field(module, llm::kTripletRows);
    Value matrix = k.add(t.modules, module);
    Value row = k.mul(matrix, width), c0 = slope(matrix);
    k.loop(k.i64(0), rows, 1, [&](Value o) {
      Value bo = k.add(b, k.mul(o, r));
      t.ranks([&](Value j) {
        Value sum =
            k.loop(k.i64(0), k.i64(r), 1, {zero},
                   [&](Value i, ValueRange so) -> KernelBuilder::Values {
                     return {k.addf(so[0], k.mulf(t.load(params, k.add(bo, i)),
                                                  deviation(row, i, j)))};
                   })
                .front();
        Value at = k.add(bo, j);
        t.store(k.addf(t.load(gradients, at), k.mulf(c0, sum)), out, at);
      });
    });
  };
  t.items({ofA, ofB});
  return t.function;
}

LLVM::LLVMFuncOp llamac::emitCpuTripletScores(OpBuilder &builder,
                                              ModuleOp target, StringRef symbol,
                                              llm::TripletScoresOp op) {
  OpBuilder::InsertionGuard guard(builder);
  TripletKernel t(builder, target, symbol, op, op.getRank());
  KernelBuilder &k = t.k;
  int64_t r = t.rank;
  Value sensitivity = t.operand(0), uncertainty = t.operand(1),
        allocation = t.operand(2), scores = t.result(0);
  t.table = t.operand(3);
  auto score = [&](Value at, unsigned lanes = 1) {
    return k.mulf(t.load(sensitivity, at, lanes),
                  t.load(uncertainty, at, lanes));
  };
  auto ofA = [&](Value module) {
    Value a = t.field(module, llm::kTripletA);
    Value columns = t.field(module, llm::kTripletColumns);
    Value mean = t.weight(module, llm::kTripletAMean);
    t.ranks([&](Value i) {
      Value ai = k.add(a, k.mul(i, columns));
      Value sum = t.sum(columns, [&](Value c, unsigned lanes) {
        return score(k.add(ai, c), lanes);
      });
      t.store(k.mulf(sum, mean), scores, k.add(k.mul(module, r), i));
    });
  };
  auto ofB = [&](Value module) {
    Value b = t.field(module, llm::kTripletB);
    Value rows = t.field(module, llm::kTripletRows);
    Value mean = t.weight(module, llm::kTripletBMean);
    Value row = k.mul(k.add(t.modules, module), r);
    t.clear(scores, row, r);
    k.loop(k.i64(0), rows, 1, [&](Value o) {
      t.ranks([&](Value i) {
        Value at = k.add(row, i);
        t.store(
            k.addf(t.load(scores, at), score(k.add(b, k.add(k.mul(o, r), i)))),
            scores, at);
      });
    });
    t.ranks([&](Value i) {
      Value at = k.add(row, i);
      t.store(k.mulf(t.load(scores, at), mean), scores, at);
    });
  };
  auto ofE = [&](Value module) {
    Value e = t.field(module, llm::kTripletE);
    Value weight = t.weight(module, llm::kTripletEWeight);
    Value row = k.mul(k.add(k.mul(t.modules, 2), module), r);
    t.ranks([&](Value i) {
      t.store(k.mulf(score(k.add(e, i)), weight), scores, k.add(row, i));
    });
  };
  k.when(t.either(t.isMode(allocation, 1), t.isMode(allocation, 2)), [&] {
    t.items({ofA, ofB, ofE});
  });
  return t.function;
}

LLVM::LLVMFuncOp llamac::emitCpuTripletMask(OpBuilder &builder, ModuleOp target,
                                            StringRef symbol,
                                            llm::TripletMaskOp op) {
  OpBuilder::InsertionGuard guard(builder);
  int64_t rank = cast<RankedTensorType>(op.getKept().getType()).getDimSize(1);
  TripletKernel t(builder, target, symbol, op, rank);
  KernelBuilder &k = t.k;
  Value scores = t.operand(2), allocation = t.operand(3);
  t.table = t.operand(4);
  Value params = t.result(0), kept = t.result(1);
  Value zero = k.real(k.f32(), 0.0), one = k.real(k.f32(), 1.0);
  Value count = k.mul(t.modules, rank);
  auto mask = [&] {
    Value wanted = k.load(t.i64(), allocation, k.i64(1));
    // The k-th smallest: fewer than k are below it, at least k not above.
    auto counted = [&](arith::CmpFPredicate predicate, Value score) {
      return k
          .loop(k.i64(0), count, 1, {k.i64(0)},
                [&](Value i, ValueRange so) -> KernelBuilder::Values {
                  Value is = t.compare(predicate, t.load(scores, i), score);
                  return {t.select(is, k.add(so[0], k.i64(1)), so[0])};
                })
          .front();
    };
    Value lowest = k.real(k.f32(), -std::numeric_limits<double>::infinity());
    Value threshold =
        k.loop(k.i64(0), count, 1, {lowest},
               [&](Value i, ValueRange so) -> KernelBuilder::Values {
                 Value score = t.load(scores, i);
                 Value below = counted(arith::CmpFPredicate::OLT, score);
                 Value notAbove = counted(arith::CmpFPredicate::OLE, score);
                 Value is = t.both(
                     t.compare(arith::CmpIPredicate::slt, below, wanted),
                     t.compare(arith::CmpIPredicate::sle, wanted, notAbove));
                 return {t.select(is, score, so[0])};
               })
            .front();
    k.loop(k.i64(0), count, 1, [&](Value i) {
      Value is =
          t.compare(arith::CmpFPredicate::OGT, t.load(scores, i), threshold);
      t.store(t.select(is, one, zero), kept, i);
    });
  };
  k.when(t.either(t.isMode(allocation, 1), t.isMode(allocation, 2)), mask);
  Value any = t.compare(arith::CmpIPredicate::ne,
                        k.load(t.i64(), allocation, k.i64(0)), k.i64(0));
  k.when(any, [&] {
    k.loop(k.i64(0), t.modules, 1, [&](Value module) {
      Value e = t.field(module, llm::kTripletE);
      t.ranks([&](Value i) {
        Value is = t.compare(arith::CmpFPredicate::OGT,
                             t.load(kept, k.add(k.mul(module, rank), i)), zero);
        Value at = k.add(e, i);
        t.store(t.select(is, t.load(params, at), zero), params, at);
      });
    });
  });
  return t.function;
}
