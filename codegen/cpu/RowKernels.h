// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_ROWKERNELS_H
#define BIFOCAL_CODEGEN_CPU_ROWKERNELS_H

#include "codegen/cpu/CpuKernels.h"
#include "passes/RowSchedule.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

namespace bifocal {

/// Writes the kernel of a map or of one row-wise op. A row goes through three sweeps over its columns when the ops hold
/// a reduction (what the reduction reads; the reduction's second sum; what reads the reduction), else through one.
/// Within a sweep every value is computed on demand, one vector of columns at a time; nothing but what a later sweep
/// reads leaves the registers.
class RowWriter {
public:
  RowWriter(KernelTask &task, RowShape shape);

  /// Whether every op can be written; reports the first that cannot.
  mlir::LogicalResult check();
  void write();

private:
  using Value = mlir::Value;

  // Set-up.
  void findDependents();
  void writeTile(Value tile);
  /// Where the partial sums of a tile lie.
  Array shareOf(Value tile);
  bool keepsPartialsNear() const;
  void writeColumnSums(Value tile);
  Value sumOfShares(Value column);

  // One row.
  void startRow(Value row);
  void drawRow(mlir::Operation *dropout);
  void writeRow(Value row);
  void reduceLayerNorm(LayerNormOp norm);
  void reduceLayerNormGrad(LayerNormGradOp grad);
  void reduceRmsNorm(RmsNormOp norm);
  void reduceRmsNormGrad(RmsNormGradOp grad);

  // One vector of columns.
  void startBlock(Value column, Value mask);
  /// Stores what this sweep (before or after the reduction) hands on: outputs, sums over rows, values for the next
  /// sweep.
  void finishBlock(bool afterReduction);
  void addToColumnSum(int64_t index);
  /// Where the sums of output `index` lie in a share's partial sums.
  int64_t partialOffset(int64_t index) const;
  /// Columns [block * shape.width + column, ...) of `value`.
  Value evaluate(Value value, int64_t block);
  Value compute(mlir::Operation *op, int64_t result, int64_t block);
  Value computeNorm(mlir::Operation *op, int64_t result, int64_t block);
  Value vectorOperand(Value value, int64_t block);
  Value gate(GluGradOp op, int64_t block);
  /// Element by element, operands and weight: what an rms_norm_grad sums up and turns into its result.
  Value weighted(RmsNormGradOp op, int64_t block);
  Value normalized(LayerNormGradOp op, int64_t block);
  Value columnAt(int64_t block);

  /// Elements of a row of `value`, and blocks of `shape.width` columns in it.
  int64_t rowWidth(Value value) const { return shape.isGroup ? shape.width : lastAxis(value); }
  int64_t blocks(Value value) const { return rowWidth(value) / shape.width; }
  Value operandOf(Value argument) const;
  Array arrayOf(Value argument);
  bool hasRow(Value value) const;

  KernelTask &task;
  KernelBuilder &kernel;
  RowShape shape;
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::SmallVector<Value> outputs;
  mlir::Operation *reduction = nullptr;
  llvm::SmallPtrSet<mlir::Operation *, 8> dependents;
  /// Values that sweep 1 computes and sweep 2 reads, with their scratch rows.
  llvm::MapVector<Value, Array> saved;
  bool savedIsReady = false;

  llvm::DenseMap<mlir::Operation *, KernelBuilder::PhiloxKeys> keys;
  llvm::DenseMap<mlir::Operation *, Value> drawShift;
  /// The draws of a row; the row of a table that an embedding reads.
  llvm::DenseMap<mlir::Operation *, Array> draws, tableRows;
  llvm::DenseMap<Value, Array> inputRows;
  llvm::SmallVector<Array> outputRows;
  /// Per-row scalars of an op: the truth of a mask, mean and rstd, the two gradient means, the factors of an rms_norm.
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<Value, 4>> scalars;
  Value currentRow, column, mask;
  Array partials;
  llvm::DenseMap<std::pair<Value, int64_t>, Value> known;
};

} // namespace bifocal
#endif
