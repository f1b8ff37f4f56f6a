// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Bands of a vocabulary: ids within them, the log-probabilities of all, and weights that are kept apart.

#include "codegen/cpu/CpuKernels.h"
#include "passes/RowSchedule.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// Writes what `next` makes of a vector of ids.
static void writeIds(KernelTask &task, llvm::function_ref<Value(Value ids)> next) {
  KernelBuilder &kernel = task.builder;
  AffineExpr elements = elementCount(launchSymbols(task.op).operands[0], task.op->getContext());
  kernel.stage(task.name(), 0, [&](Value tile) {
    Array ids = task.operand(0), output = task.result(0);
    Value begin = kernel.mul(tile, idsPerTile);
    Value count = kernel.sub(kernel.min(kernel.add(begin, idsPerTile), kernel.expression(elements)), begin);
    kernel.columns(count, {}, [&](Value at, Value mask, ValueRange) {
      Value place = kernel.add(begin, at);
      kernel.storeVector(next(kernel.loadVector(ids, place, mask)), output, place, mask);
      return Values{};
    });
  });
}

static void writeBandIds(KernelTask &task, BandIdsOp op) {
  KernelBuilder &kernel = task.builder;
  auto constant = [&](uint32_t value) {
    return kernel.constantInt(kernel.vectorOf(kernel.i32()), static_cast<int32_t>(value));
  };
  writeIds(task, [&](Value ids) {
    // Below the band the difference is negative, which is above every size when read without sign.
    Value local = kernel.sub(ids, constant(op.getLow()));
    return kernel.select(kernel.lessUnsigned(local, constant(op.getHigh() - op.getLow())), local,
                         constant(op.getOtherwise()));
  });
}

static void writeClusterIds(KernelTask &task, ClusterIdsOp op) {
  KernelBuilder &kernel = task.builder;
  auto constant = [&](int32_t value) { return kernel.constantInt(kernel.vectorOf(kernel.i32()), value); };
  ArrayRef<int32_t> cutoffs = op.getCutoffs();
  writeIds(task, [&](Value ids) {
    Value cluster = ids;
    const auto last = static_cast<int32_t>(cutoffs.size()) - 1;
    for (auto [index, cutoff] : llvm::enumerate(cutoffs)) {
      const auto number = static_cast<int32_t>(index);
      cluster = kernel.select(kernel.less(ids, constant(cutoff)), cluster,
                              constant(cutoffs.front() + (op.getReversed() ? last - number : number)));
    }
    return cluster;
  });
}

static void writeJoinClusters(KernelTask &task, JoinClustersOp op) {
  KernelBuilder &kernel = task.builder;
  const int64_t width = lastAxis(op.getOutput()), classes = lastAxis(op.getHead());
  const auto tails = static_cast<int64_t>(op.getTails().size());
  AffineExpr rows = rowCount(launchSymbols(op).operands[0], op.getContext());
  const int64_t perTile = task.rowsOfTile(rowsPerTile(width));
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        Value begin = kernel.mul(tile, perTile);
        Value end = kernel.min(kernel.add(begin, perTile), kernel.expression(rows));
        kernel.loop(begin, end, 1, [&](Value row) {
          Array head = kernel.from(task.operand(0), kernel.mul(row, classes));
          Array output = kernel.from(task.result(0), kernel.mul(row, width));
          int64_t first = classes - tails;
          kernel.columns(first, 4, [&](Value at, Value mask, int64_t) {
            kernel.storeVector(kernel.loadVector(head, at, mask), output, at, mask);
          });
          for (int64_t i = 0; i < tails; ++i) {
            const int64_t size = lastAxis(op.getTails()[i]);
            Array tail = kernel.from(task.operand(1 + i), kernel.mul(row, size));
            Array part = kernel.from(output, kernel.index(first));
            Value cluster =
                kernel.splat(kernel.load(head, kernel.index(op.getReversed() ? classes - 1 - i : classes - tails + i)));
            kernel.columns(size, 4, [&](Value at, Value mask, int64_t) {
              kernel.storeVector(kernel.add(kernel.loadVector(tail, at, mask), cluster), part, at, mask);
            });
            first += size;
          }
        });
      },
      task.tilesOf(rows));
}

static void writeAddScalars(KernelTask &task, AddScalarsOp op) {
  KernelBuilder &kernel = task.builder;
  kernel.stage(task.name(), 0, [&](Value) {
    Value zero = kernel.index(0), sum = kernel.load(task.operand(0), zero);
    for (size_t i = 1; i < op.getInputs().size(); ++i)
      sum = kernel.add(sum, kernel.load(task.operand(static_cast<int64_t>(i)), zero));
    kernel.store(sum, task.result(0), zero);
  });
}

/// Elements that a warp copies: few, so that there are warps enough for a matrix of parameters.
static constexpr int64_t elementsOfWarp = 512;

/// A stage that copies `count` elements of an operand, from `from` on, to a result, from `to` on.
struct ElementCopy {
  int64_t operand, from, result, to, count;
};

static void writeCopy(KernelTask &task, int64_t stage, const ElementCopy &copy) {
  KernelBuilder &kernel = task.builder;
  const int64_t perTile = kernel.target().isWarp ? elementsOfWarp : elementsPerTile;
  kernel.stage(
      task.name(), stage,
      [&](Value tile) {
        Array source = kernel.from(task.operand(copy.operand), kernel.index(copy.from));
        Array target = kernel.from(task.result(copy.result), kernel.index(copy.to));
        Value begin = kernel.mul(tile, perTile);
        Value length = kernel.sub(kernel.min(kernel.add(begin, perTile), kernel.index(copy.count)), begin);
        kernel.columns(length, {}, [&](Value at, Value mask, ValueRange) {
          Value place = kernel.add(begin, at);
          kernel.storeVector(kernel.loadVector(source, place, mask), target, place, mask);
          return Values{};
        });
      },
      task.tilesOf(getAffineConstantExpr(llvm::divideCeil(copy.count, perTile), task.op->getContext())));
}

static void writeConcatRows(KernelTask &task, ConcatRowsOp op) {
  int64_t to = 0;
  for (auto [index, input] : llvm::enumerate(op.getInputs())) {
    const int64_t count = cast<ShapedType>(input.getType()).getNumElements();
    writeCopy(task, static_cast<int64_t>(index), {static_cast<int64_t>(index), 0, 0, to, count});
    to += count;
  }
}

static void writeSplitRows(KernelTask &task, SplitRowsOp op) {
  int64_t from = 0;
  for (auto [index, output] : llvm::enumerate(op.getOutputs())) {
    const int64_t count = cast<ShapedType>(output.getType()).getNumElements();
    writeCopy(task, static_cast<int64_t>(index), {0, from, static_cast<int64_t>(index), 0, count});
    from += count;
  }
}

static void writeSliceRows(KernelTask &task, SliceRowsOp op) {
  auto input = cast<ShapedType>(op.getInput().getType());
  const int64_t width = input.getNumElements() / input.getDimSize(0);
  writeCopy(task, 0,
            {0, static_cast<int64_t>(op.getFirst()) * width, 0, 0,
             cast<ShapedType>(op.getOutput().getType()).getNumElements()});
}

static void writeTranspose(KernelTask &task, TransposeOp op) {
  KernelBuilder &kernel = task.builder;
  auto type = cast<RankedTensorType>(op.getOutput().getType());
  const int64_t rows = type.getDimSize(0), width = type.getDimSize(1), perTile = task.rowsOfTile(rowsPerTile(width));
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        Value begin = kernel.mul(tile, perTile);
        Value end = kernel.min(kernel.add(begin, perTile), kernel.index(rows));
        kernel.loop(begin, end, 1, [&](Value row) {
          kernel.loop(kernel.index(0), kernel.index(width), 1, [&](Value column) {
            Value x = kernel.load(task.operand(0), kernel.add(kernel.mul(column, rows), row));
            kernel.store(x, task.result(0), kernel.add(kernel.mul(row, width), column));
          });
        });
      },
      task.tilesOf(getAffineConstantExpr(rows, op.getContext())));
}

FailureOr<bool> generateAdaptive(KernelTask &task) {
  return llvm::TypeSwitch<Operation *, bool>(task.op)
      .Case([&](BandIdsOp op) { return writeBandIds(task, op), true; })
      .Case([&](ClusterIdsOp op) { return writeClusterIds(task, op), true; })
      .Case([&](JoinClustersOp op) { return writeJoinClusters(task, op), true; })
      .Case([&](AddScalarsOp op) { return writeAddScalars(task, op), true; })
      .Case([&](ConcatRowsOp op) { return writeConcatRows(task, op), true; })
      .Case([&](SliceRowsOp op) { return writeSliceRows(task, op), true; })
      .Case([&](SplitRowsOp op) { return writeSplitRows(task, op), true; })
      .Case([&](TransposeOp op) { return writeTranspose(task, op), true; })
      .Default([](Operation *) { return false; });
}

} // namespace bifocal
