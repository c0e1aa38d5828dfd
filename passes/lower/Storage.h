//===- Storage.h - Where everything outside the arena lies -----*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "passes/fuse/ParameterLayout.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

namespace llamac {

/// Bytes of an allocation: a symbol and an offset.
struct Place {
  llvm::StringRef allocation;
  int64_t offset;
  bool operator==(const Place &) const = default;
};

/// Lays out what outlives a program: weights, the four flat buffers, optimizer
/// state, constants, and the slots of inputs and outputs, which programs share.
class Storage {
public:
  static constexpr int64_t kAlignment = 256; // bytes
  static constexpr llvm::StringLiteral kActivations = "activations";

  /// Walks all programs of the module. Fails if a name has two types.
  static mlir::FailureOr<Storage> create(mlir::ModuleOp module);

  Place weight(llm::WeightOp op) const;
  Place folded(llm::FoldedWeightOp op) const;
  Place parameter(llvm::StringRef name) const;
  Place gradient(llvm::StringRef name) const;
  /// Bytes [begin, end) of the flat gradients that these parameters fill.
  std::pair<int64_t, int64_t> gradients(mlir::ArrayAttr parameters) const {
    return *layout.rangeOf(parameters); // collect() has checked it
  }
  /// The element type of a parameter and its gradient.
  mlir::Type gradientElement(llvm::StringRef name) const {
    return layout.entries.find(name)->second.type.getElementType();
  }
  Place constant(llm::ConstantOp op) const;
  Place flat(llm::Flat kind) const;
  Place input(llvm::StringRef name) const;
  Place output(llvm::StringRef name) const;

  /// The operands and the result of llm.fold_into: all parameters, the table of
  /// factors, all weights.
  struct FoldPlaces {
    Place parameters, segments, weights;
    mlir::RankedTensorType parametersType, segmentsType, weightsType;
  };
  FoldPlaces foldPlaces() const;

  /// Writes the plan.allocation, plan.constant and plan.tensor ops.
  /// `workspace`: bytes of scratch, if not 0.
  void emit(mlir::OpBuilder &builder, mlir::Location loc,
            int64_t workspace) const;

private:
  struct Slot {
    int64_t bytes = 0, offset = 0;
  };
  struct Weight {
    mlir::RankedTensorType type;
    int64_t offset;
    llm::WeightOp op;
  };
  explicit Storage(mlir::ModuleOp module) : layout(module) {}
  mlir::LogicalResult collect(mlir::ModuleOp module);
  bool isFolded(llvm::StringRef weight) const;
  mlir::LogicalResult collectFolded(llm::FoldedWeightOp op);
  mlir::LogicalResult makeSegments(mlir::MLIRContext *context);

  /// One number for each triplet of AdaLoRA: [modules, r].
  mlir::RankedTensorType keptType(mlir::MLIRContext *context) const;

  ParameterLayout layout;
  llm::AdapterAttr adalora; // null: another adapter, or none
  bool hasGradients = false, trains = false;
  llvm::MapVector<llvm::StringRef, Weight> weights;
  /// By the name of the first weight.
  llvm::MapVector<llvm::StringRef, std::pair<llm::FoldedWeightOp, int64_t>>
      foldedWeights;
  mlir::ElementsAttr segments; // of llm.fold_into; null: no factors
  mlir::Type foldedElement;
  llvm::MapVector<mlir::Attribute, Slot> constants;
  llvm::MapVector<llvm::StringRef, Slot> inputs, outputs;
  int64_t weightBytes = 0, constantBytes = 0, inputBytes = 0, outputBytes = 0;
};

} // namespace llamac
