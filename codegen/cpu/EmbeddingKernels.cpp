// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels that read token ids: gradient of a table, positions, padding masks. (A table is read by the row kernels.)

#include "codegen/cpu/CpuKernels.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// Stage 0 gives the rows of the table their start values; in stage 1 every slice of channels takes the tokens in
/// order.
static void writeEmbeddingGrad(KernelTask &task, EmbeddingGradOp op) {
  KernelBuilder &kernel = task.builder;
  auto type = cast<RankedTensorType>(op.getTableGrad().getType());
  int64_t rows = type.getDimSize(0), width = type.getDimSize(1), perTile = rowsPerTile(width);
  kernel.stage(task.name(), 0, [&](Value tile) {
    Array target = task.result(0);
    Value begin = kernel.mul(tile, perTile * width);
    Value count = kernel.sub(kernel.min(kernel.add(begin, perTile * width), kernel.index(rows * width)), begin);
    kernel.columns(count, {}, [&](Value at, Value mask, ValueRange) {
      Value place = kernel.add(begin, at);
      Value start = op.getInitial() ? kernel.loadVector(task.operand(2), place, mask) : kernel.constantVector(0.0);
      kernel.storeVector(start, target, place, mask);
      return Values{};
    });
  });
  AffineExpr tokens = elementCount(launchSymbols(op).operands[0], op.getContext());
  float scale = op.getScale().convertToFloat();
  kernel.stage(task.name(), 1, [&](Value tile) {
    Array ids = task.operand(0), gradient = task.operand(1);
    Array target = task.result(0);
    Value first = kernel.mul(tile, embeddingSlice);
    Value count = kernel.min(kernel.sub(kernel.index(width), first), kernel.index(embeddingSlice));
    kernel.loop(kernel.index(0), kernel.expression(tokens), 1, [&](Value token) {
      Value id = kernel.loadIndex(ids, token);
      Value isPad = kernel.equal(id, kernel.index(static_cast<int32_t>(op.getPad())));
      Value inside = kernel.lessUnsigned(id, kernel.index(rows));
      Value counts = kernel.select(isPad, kernel.index(0), kernel.select(inside, count, kernel.index(0)));
      Array source = kernel.from(gradient, kernel.add(kernel.mul(token, width), first));
      Array row = kernel.from(target, kernel.add(kernel.mul(id, width), first));
      kernel.columns(counts, {}, [&](Value at, Value mask, ValueRange) {
        Value sum = kernel.fma(kernel.loadVector(source, at, mask), kernel.constantVector(scale),
                               kernel.loadVector(row, at, mask));
        kernel.storeVector(sum, row, at, mask);
        return Values{};
      });
    });
  });
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
