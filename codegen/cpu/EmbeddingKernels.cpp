// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels that read token ids: gradient of a table, positions, padding masks. (A table is read by the row kernels.)

#include "codegen/cpu/CpuKernels.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// The token's row of the table counts: it is there, and not that of padding.
static Value counts(KernelBuilder &kernel, EmbeddingGradOp op, Value id) {
  const int64_t rows = cast<RankedTensorType>(op.getTableGrad().getType()).getDimSize(0);
  return kernel.bitAnd(kernel.lessUnsigned(id, kernel.index(rows)),
                       kernel.notEqual(id, kernel.index(static_cast<int32_t>(op.getPad()))));
}

/// Whether `id` is among tokens [begin, end), as 0 or 1.
static Value isAmong(KernelBuilder &kernel, const Array &ids, Value id, Value begin, Value end) {
  Type integers = kernel.vectorOf(kernel.i32());
  Value wanted = kernel.splat(kernel.convert(id, kernel.i32())), zero = kernel.constantInt(integers, 0),
        one = kernel.constantInt(integers, 1);
  Array first = kernel.from(ids, begin);
  Value found = kernel.columns(kernel.sub(end, begin), zero, [&](Value at, Value mask, ValueRange group) {
    Value isEqual = kernel.equal(kernel.loadVector(first, at, mask), wanted);
    if (mask)
      isEqual = kernel.bitAnd(isEqual, mask);
    return Values{kernel.select(isEqual, one, group[0])};
  })[0];
  return kernel.horizontalMax(found);
}

/// Adds to the row of `id` the gradients of all tokens from `token` on that have it, in order.
static void addTokensOf(KernelTask &task, EmbeddingGradOp op, Value id, Value token, Value tokens) {
  KernelBuilder &kernel = task.builder;
  const int64_t width = lastAxis(op.getTableGrad()), lanes = kernel.width();
  Array ids = task.operand(0), row = kernel.from(task.result(0), kernel.mul(id, width)), sums = row;
  // What is added to again and again is near the warp, where that has room.
  const bool isNear = width * int64_t{sizeof(float)} <= mostNearBytes;
  if (isNear)
    sums = kernel.stackArray(llvm::alignTo(width, lanes));
  // Rows go by as many neighbours for each thread as leave no tail.
  auto overRow = [&](const Array &from, const Array &to,
                     llvm::function_ref<Value(Value x, Value at, Value mask)> next) {
    kernel.withVectors(width % (4 * lanes) == 0 ? 4 * lanes : lanes, [&] {
      kernel.columns(width, 4, [&](Value at, Value mask, int64_t) {
        kernel.storeVector(next(kernel.loadVector(from, at, mask), at, mask), to, at, mask);
      });
    });
  };
  auto same = [](Value x, Value, Value) { return x; };
  auto addGradient = [&](Value x, Value at, Value mask) {
    return kernel.fma(x, kernel.constantVector(op.getScale().convertToFloat()), kernel.loadVector(sums, at, mask));
  };
  Value none = kernel.constantInt(kernel.i32(), 0);
  if (isNear)
    overRow(row, sums, same);
  kernel.loop(token, tokens, lanes, [&](Value begin) {
    Value end = kernel.min(kernel.add(begin, lanes), tokens);
    kernel.when(kernel.notEqual(isAmong(kernel, ids, id, begin, end), none), [&] {
      kernel.loop(begin, end, 1, [&](Value other) {
        kernel.when(kernel.equal(kernel.loadIndex(ids, other), id),
                    [&] { overRow(kernel.from(task.operand(1), kernel.mul(other, width)), sums, addGradient); });
      });
    });
  });
  if (isNear)
    overRow(sums, row, same);
}

/// A warp for each token: where no earlier one has the same id, it takes all that have it.
static void addTokensOfWarp(KernelTask &task, EmbeddingGradOp op, Value token, Value tokens) {
  KernelBuilder &kernel = task.builder;
  Array ids = task.operand(0);
  Value id = kernel.loadIndex(ids, token), none = kernel.constantInt(kernel.i32(), 0);
  kernel.when(counts(kernel, op, id), [&] {
    Value earlier = isAmong(kernel, ids, id, kernel.index(0), token);
    kernel.when(kernel.equal(earlier, none), [&] { addTokensOf(task, op, id, token, tokens); });
  });
}

/// Every slice of channels takes the tokens in order.
static void addTokens(KernelTask &task, EmbeddingGradOp op, Value slice, Value tokens) {
  KernelBuilder &kernel = task.builder;
  const int64_t width = lastAxis(op.getTableGrad());
  Array ids = task.operand(0), gradient = task.operand(1), target = task.result(0);
  Value first = kernel.mul(slice, embeddingSlice);
  Value columns = kernel.min(kernel.sub(kernel.index(width), first), kernel.index(embeddingSlice));
  kernel.loop(kernel.index(0), tokens, 1, [&](Value token) {
    Value id = kernel.loadIndex(ids, token);
    Array source = kernel.from(gradient, kernel.add(kernel.mul(token, width), first));
    Array row = kernel.from(target, kernel.add(kernel.mul(id, width), first));
    Value count = kernel.select(counts(kernel, op, id), columns, kernel.index(0));
    kernel.columns(count, {}, [&](Value at, Value mask, ValueRange) {
      Value sum = kernel.fma(kernel.loadVector(source, at, mask), kernel.constantVector(op.getScale().convertToFloat()),
                             kernel.loadVector(row, at, mask));
      kernel.storeVector(sum, row, at, mask);
      return Values{};
    });
  });
}

/// Stage 0 gives the rows of the table their start values, stage 1 adds the tokens to them.
static void writeEmbeddingGrad(KernelTask &task, EmbeddingGradOp op) {
  KernelBuilder &kernel = task.builder;
  auto type = cast<RankedTensorType>(op.getTableGrad().getType());
  const int64_t rows = type.getDimSize(0), width = type.getDimSize(1), perTile = task.rowsOfTile(rowsPerTile(width));
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        Array target = task.result(0);
        Value begin = kernel.mul(tile, perTile * width);
        Value count = kernel.sub(kernel.min(kernel.add(begin, perTile * width), kernel.index(rows * width)), begin);
        kernel.columns(count, {}, [&](Value at, Value mask, ValueRange) {
          Value place = kernel.add(begin, at);
          Value start = op.getInitial() ? kernel.loadVector(task.operand(2), place, mask) : kernel.constantVector(0.0);
          kernel.storeVector(start, target, place, mask);
          return Values{};
        });
      },
      task.tilesOf(getAffineConstantExpr(rows, op.getContext())));
  AffineExpr tokens = elementCount(launchSymbols(op).operands[0], op.getContext());
  kernel.stage(
      task.name(), 1,
      [&](Value tile) {
        if (kernel.target().isWarp)
          addTokensOfWarp(task, op, tile, kernel.expression(tokens));
        else
          addTokens(task, op, tile, kernel.expression(tokens));
      },
      task.tilesOf(tokens));
}

static void writePositions(KernelTask &task, PositionsOp op) {
  KernelBuilder &kernel = task.builder;
  AffineExpr steps = launchSymbols(op).operands[0].back();
  kernel.stage(task.name(), 0, [&](Value row) {
    Value count = kernel.expression(steps), begin = kernel.mul(row, count);
    Array tokens = kernel.from(task.operand(0), begin);
    Array output = kernel.from(task.result(0), begin);
    Value pad = kernel.constantInt(kernel.i32(), static_cast<int32_t>(op.getPad()));
    kernel.loop(kernel.index(0), count, 1, ValueRange{pad}, [&](Value step, ValueRange carried) {
      Value isPad = kernel.equal(kernel.load(tokens, step), pad);
      Value next =
          kernel.add(carried[0], kernel.convert(kernel.select(isPad, kernel.index(0), kernel.index(1)), kernel.i32()));
      kernel.store(kernel.select(isPad, pad, next), output, step);
      return Values{next};
    });
  });
}

static void writePaddingMask(KernelTask &task, PaddingMaskOp op) {
  KernelBuilder &kernel = task.builder;
  AffineExpr elements = elementCount(launchSymbols(op).operands[0], op.getContext());
  kernel.stage(task.name(), 0, [&](Value tile) {
    Array tokens = task.operand(0), output = task.result(0);
    Value begin = kernel.mul(tile, 4096);
    Value count = kernel.sub(kernel.min(kernel.add(begin, 4096), kernel.expression(elements)), begin);
    Value pad = kernel.constantInt(kernel.vectorOf(kernel.i32()), static_cast<int32_t>(op.getPad()));
    // Bytes have no masked vector store on every level, so the tail goes one by one.
    Value whole = kernel.mul(kernel.div(count, kernel.index(kernel.width())), kernel.width());
    kernel.loop(kernel.index(0), whole, kernel.width(), [&](Value at) {
      Value token = kernel.loadVector(tokens, kernel.add(begin, at));
      kernel.storeVector(kernel.convert(kernel.notEqual(token, pad), kernel.i8()), output, kernel.add(begin, at));
    });
    kernel.loop(whole, count, 1, [&](Value at) {
      Value token = kernel.load(tokens, kernel.add(begin, at));
      Value real = kernel.notEqual(token, kernel.constantInt(kernel.i32(), static_cast<int32_t>(op.getPad())));
      kernel.store(kernel.convert(real, kernel.i8()), output, kernel.add(begin, at));
    });
  });
}

FailureOr<bool> generateEmbedding(KernelTask &task) {
  if (auto op = dyn_cast<EmbeddingGradOp>(task.op)) {
    // Each row is a sum over its tokens that takes one write per token.
    if (isNarrow(op.getType())) {
      op.emitOpError("expects a gradient of f32 for the table on CPUs, but got ") << op.getType();
      return failure();
    }
    writeEmbeddingGrad(task, op);
  } else if (auto op = dyn_cast<PositionsOp>(task.op))
    writePositions(task, op);
  else if (auto op = dyn_cast<PaddingMaskOp>(task.op))
    writePaddingMask(task, op);
  else
    return false;
  return true;
}

} // namespace bifocal
