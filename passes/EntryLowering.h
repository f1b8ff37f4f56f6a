// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_ENTRYLOWERING_H
#define BIFOCAL_PASSES_ENTRYLOWERING_H

// One function becomes one entry: every op a launch, a product or a loop over slabs, in the order of the function.

#include "passes/PlanBuilder.h"

namespace bifocal {

class EntryLowering {
public:
  EntryLowering(mlir::func::FuncOp function, const ParameterLayout &layout, KernelTable &kernels)
      : function(function), plan(function, layout, kernels) {}

  llvm::LogicalResult run();

private:
  /// One matrix product; see plan.gemm.
  struct Product {
    mlir::Location location;
    mlir::Value a, b, c;
    mlir::AffineExpr m, n, k;
    bool transA = false, transB = false, accumulate = false;
    mlir::Value mask = {};
    plan::Quantization quantization = plan::Quantization::none;
  };

  // EntryLowering.cpp: what goes where, and the ops that are neither products nor losses.
  void placeOutputs();
  void placeGradients();
  bool accumulateInPlace(mlir::Value gradient, mlir::Value slab);
  void placeStates();
  void placeInitials();
  llvm::LogicalResult lower(mlir::Operation *op);
  void lowerScatter(EmbeddingGradOp scatter);
  void lowerStore(StoreGradientOp store);
  llvm::LogicalResult lowerNorm(GlobalNormOp norm);
  void lowerUpdate(OptimizerOpInterface update);
  void lowerReturn(mlir::Operation *terminator);
  mlir::SmallVector<std::pair<int64_t, mlir::SmallVector<mlir::Attribute>>> findRuns(mlir::ArrayAttr parameters);
  int64_t runElements(mlir::ArrayRef<mlir::Attribute> run) const;

  // ChannelLowering.cpp: parts of tensors, which are views where that is possible.
  void placeConcats();
  bool mayBeView(mlir::Value value) const;
  void lowerSplit(SplitOp split);
  void lowerConcat(ConcatOp concat);

  // ProductLowering.cpp: products with their epilogues, and the projection with its loss.
  void splitActivations();
  void chooseEpilogues();
  Product productOf(mlir::Operation *op);
  mlir::Value workspaceOf(mlir::Location location, mlir::AffineExpr columns, mlir::AffineExpr inner);
  bool keepsPanels(const Product &product);
  static mlir::StringRef factorOf(const Product &product);
  void emit(const Product &product, MapOp epilogue = {});
  void lowerProjectedLoss(ProjectedCrossEntropyOp op);
  void emitWindow(ProjectedCrossEntropyOp op, const Product &logits, mlir::AffineExpr window);

  mlir::func::FuncOp function;
  PlanBuilder plan;
  /// Stores whose gradient is written in place by its producer.
  llvm::DenseSet<mlir::Operation *> direct;
  /// Gradients that their producer adds to the slab.
  llvm::DenseSet<mlir::Value> accumulated;
  /// Results of products that become results of the map behind them.
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> inPlace;
  /// Operands of concats that their producers write where the concat has them.
  llvm::DenseSet<mlir::OpOperand *> placed;
  /// Products that wait for the map that is their epilogue, and the reverse.
  llvm::DenseMap<mlir::Operation *, mlir::Operation *> epilogueOf, productFor;
};

} // namespace bifocal
#endif
