// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_PLANBUILDER_H
#define BIFOCAL_PASSES_PLANBUILDER_H

// What the schedule phase writes with: the kernels of a module, each described once, and the symbols, size classes and
// buffers of one entry.

#include "dialect/plan/PlanOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/KernelSchedule.h"
#include "passes/NamedDims.h"
#include "passes/ParameterLayout.h"
#include "llvm/ADT/StringMap.h"

namespace bifocal {

/// The kernels of a module. Ops that differ in nothing but their place share one.
class KernelTable {
public:
  explicit KernelTable(mlir::ModuleOp module) : module(module) {}

  /// The kernel whose body is a copy of `op`, for launches whose first buffers are `buffers`: its operands and results,
  /// some of them views. With `accumulate` it adds to its results.
  plan::KernelOp kernelFor(mlir::Operation *op, const KernelSchedule &schedule, mlir::ValueRange buffers,
                           bool accumulate = false);

private:
  mlir::ModuleOp module;
  llvm::StringMap<plan::KernelOp> kernels;
  llvm::StringMap<unsigned> numbers;
};

class PlanBuilder {
public:
  /// Starts the entry of `function`: symbols, inputs, outputs. Steps are written by `builder`.
  PlanBuilder(mlir::func::FuncOp function, const ParameterLayout &layout, KernelTable &kernels);

  /// Infers the dims of all values and names the outputs; the error is located.
  llvm::LogicalResult start();
  /// Writes the size classes into the entry.
  void finish();

  mlir::OpBuilder builder;
  plan::EntryOp entry;
  const ParameterLayout &layout;

  const Dims &dimsOf(mlir::Value value) const { return dims.of(value); }
  mlir::AffineExpr rowsOf(mlir::Value value) const { return rowCount(dimsOf(value), context); }
  unsigned symbolCount() const { return dims.names().size(); }

  /// The buffer of `value`; made in the arena unless `bind` has placed it. A view where `value` is a part of another
  /// one, or was placed in one.
  mlir::Value bufferOf(mlir::Value value);
  /// The buffer of `value` for those who need its rows to be adjacent: where it is a view, a copy, made once.
  mlir::Value denseBufferOf(mlir::Value value);
  /// `part` is columns from `column` on of `tensor`, whose buffer is `whole`.
  mlir::Value viewOf(mlir::Value whole, mlir::Value tensor, mlir::Value part, int64_t column);
  /// A launch that copies all rows of `value` from one buffer to another.
  void copyRows(mlir::Value value, mlir::Value from, mlir::Value to);
  void bind(mlir::Value value, mlir::Value buffer) { buffers[value] = buffer; }
  bool isBound(mlir::Value value) const { return buffers.count(value) != 0; }

  mlir::Value inputBuffer(unsigned index);
  mlir::Value outputBuffer(unsigned index, mlir::Value value);
  mlir::Value stateBuffer(StateOp state);
  /// Elements [first, first + count) of a slab.
  mlir::Value slabBuffer(plan::Region region, int64_t first, int64_t count);
  /// The panels of the parameter in `b`, of n columns and k rows, rounded to `factor`; made once for each parameter,
  /// layout and factor.
  mlir::Value panelBuffer(mlir::Location location, mlir::Value b, bool transposed, mlir::StringRef factor,
                          mlir::AffineExpr n, mlir::AffineExpr k);
  /// `bytesPerUnit` for each of `units`, in the arena.
  mlir::Value arenaBuffer(mlir::Location location, mlir::AffineExpr units, int64_t bytesPerUnit, mlir::StringRef dtype);

  /// The launch's sizes for `op`: dynamic dims of operands, results, states, then the sites of dropouts.
  llvm::SmallVector<mlir::AffineExpr> launchSizes(mlir::Operation *op);
  /// Operands, results, states of `op`, without scratch. Views are where the kernel reads or writes row by row.
  llvm::SmallVector<mlir::Value> launchBuffers(mlir::Operation *op);
  /// Appends a launch of `op`'s kernel over `buffers` plus its scratch.
  void launch(mlir::Operation *op, mlir::ArrayRef<mlir::Value> buffers, mlir::ArrayRef<mlir::AffineExpr> sizes);
  /// The launch of an op over its own values.
  void launch(mlir::Operation *op) { launch(op, launchBuffers(op), launchSizes(op)); }
  /// Scratch buffers of `schedule` for these launch sizes.
  llvm::SmallVector<mlir::Value> scratchBuffers(mlir::Location location, const KernelSchedule &schedule,
                                                mlir::ArrayRef<mlir::AffineExpr> sizes);

  mlir::AffineMap mapOf(mlir::AffineExpr expression, unsigned extraSymbols = 0) const;
  mlir::ArrayAttr mapsOf(mlir::ArrayRef<mlir::AffineExpr> expressions, unsigned extraSymbols = 0) const;

  KernelTable &kernels;

private:
  mlir::FailureOr<mlir::DictionaryAttr> describe(mlir::Value value, mlir::Attribute name);
  mlir::Value makeBuffer(mlir::Location location, plan::Region region, int64_t sizeClass, int64_t offset, int64_t size,
                         mlir::StringRef dtype, mlir::IntegerAttr index = {}, mlir::StringAttr name = {});

  mlir::func::FuncOp function;
  mlir::MLIRContext *context;
  NamedDims dims;
  llvm::DenseMap<mlir::Value, mlir::Value> buffers, dense;
  llvm::DenseMap<std::tuple<mlir::Value, int64_t, int64_t>, mlir::Value> views; ///< by buffer, column and width
  llvm::StringMap<mlir::Value> states;
  llvm::DenseMap<std::tuple<mlir::Value, unsigned, mlir::StringRef>, mlir::Value> panels;
  int64_t panelBytes = 0;
  llvm::SmallVector<mlir::AffineExpr> classes;
  mlir::Operation *lastBuffer = nullptr;
};

/// `f32`, `i32`, ...: the element type as plans spell it.
std::string elementName(mlir::Type type);

} // namespace bifocal
#endif
