// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_WARPWRITER_H
#define BIFOCAL_CODEGEN_CUDA_WARPWRITER_H

#include "codegen/cuda/WarpKernels.h"
#include "codegen/cuda/WarpSync.h"
#include "dialect/tile/TileOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

namespace bifocal {

/// Writes the threads' part of a function on vectors, op by op.
class WarpWriter {
public:
  WarpWriter(mlir::func::FuncOp function, mlir::gpu::GPUModuleOp target);

  mlir::FailureOr<mlir::gpu::GPUFuncOp> write();

private:
  using Value = mlir::Value;
  using Operation = mlir::Operation;

  // The kernel around the tile.
  void findArguments();
  void placeStackArrays();
  mlir::gpu::GPUFuncOp writeFunction();
  Value declareShared();

  // Ops, by what they become.
  mlir::LogicalResult writeBlock(mlir::Block &block);
  mlir::LogicalResult writeOp(Operation &op);
  mlir::LogicalResult writeConstant(mlir::arith::ConstantOp op);
  mlir::LogicalResult writeElementwise(Operation &op);
  mlir::LogicalResult writeRounded(Operation &op, llvm::StringRef intrinsic);
  mlir::LogicalResult writeShuffle(mlir::vector::ShuffleOp op);
  void writeSplat(mlir::vector::SplatOp op);
  void writeExtract(mlir::vector::ExtractOp op);
  void writeInsert(mlir::vector::InsertOp op);
  void writeInterleave(mlir::vector::InterleaveOp op);
  void writeDeinterleave(mlir::vector::DeinterleaveOp op);
  mlir::LogicalResult writeFor(mlir::scf::ForOp op);
  mlir::LogicalResult writeIf(mlir::scf::IfOp op);
  mlir::LogicalResult writeRegion(mlir::Region &from, mlir::Region &to);
  void writeGep(mlir::LLVM::GEPOp op);
  void writeLoad(mlir::LLVM::LoadOp op);
  void writeStore(mlir::LLVM::StoreOp op);
  void writeMaskedLoad(mlir::LLVM::MaskedLoadOp op);
  void writeMaskedStore(mlir::LLVM::MaskedStoreOp op);
  void writeGather(mlir::LLVM::masked_gather op);
  /// Whether `op` is one on tiles.
  bool writeTileOp(mlir::Operation &op);
  void writeTileLoad(tile::LoadOp op);
  void writeTileStore(tile::StoreOp op);
  void writeTileCopy(tile::CopyOp op);
  void writeTileWait();
  void writeTileLoadFour(tile::LoadFourOp op);
  void writeTileMultiply(tile::MultiplyOp op);
  /// Of the rows of a tile; `combine` takes two values.
  void writeTileRows(Value values, Value result, llvm::function_ref<Value(Value, Value)> combine);

  // Threads and lanes.
  mlir::Type distributed(mlir::Type type) const;
  Value mapped(Value value) { return map.lookup(value); }
  Value constant(mlir::Type type, int64_t value);
  Value truthOfThread(llvm::ArrayRef<llvm::APInt> values);
  Value numberOfThread(llvm::ArrayRef<llvm::APInt> values, mlir::Type element);
  Value fromTable(llvm::ArrayRef<llvm::APInt> values, mlir::Type element);
  /// The number of the thread in its warp, as `type`.
  Value lane(mlir::Type type);
  /// Whether the thread has lanes of a vector that is shorter than a warp; null where all have.
  Value hasLanes(mlir::Type type);
  Value andMask(Value a, Value b);
  /// The address of the thread's lanes of a vector of `type` at `base`.
  Value laneAddress(Value base, mlir::Type type);
  /// `value` of thread `source` (i32).
  Value fromThread(Value value, Value source);
  /// Calls `body` in the threads where `condition` holds (null: all); a value of `type` that is zero elsewhere.
  Value loadWhere(Value condition, mlir::Type type, Value address, unsigned alignment);
  void storeWhere(Value condition, Value value, Value address, unsigned alignment);
  /// Where a thread's lanes of a tile are in memory, and whether they are within the bounds (null: always).
  struct TilePlace {
    Value address, condition;
  };
  template <typename Op> TilePlace placeOfTile(Op op);
  void synchronise(Operation &access);

  mlir::func::FuncOp function;
  mlir::gpu::GPUModuleOp target;
  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::IRMapping map;
  WarpKernel kernel;
  WarpSync sync;
  Value threadInWarp;
  /// Bytes from the beginning of the warp's shared memory, by alloca.
  llvm::MapVector<Operation *, int64_t> stackOffsets;
  int64_t stackBytes = 0;
  unsigned tables = 0;
};

} // namespace bifocal
#endif
