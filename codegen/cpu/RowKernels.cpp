// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/RowKernels.h"

using namespace mlir;

namespace bifocal {

RowWriter::RowWriter(KernelTask &task, RowShape shape)
    : task(task), kernel(task.builder), shape(std::move(shape)), ops(rowOps(task.op)), outputs(rowOutputs(task.op)) {
  findDependents();
}

void RowWriter::findDependents() {
  for (Operation *op : ops)
    if (isa<LayerNormOp, LayerNormGradOp, RmsNormOp, RmsNormGradOp>(op))
      reduction = op;
  if (!reduction)
    return;
  for (Operation *op : ops) {
    bool depends = op == reduction;
    for (Value operand : op->getOperands())
      depends |= operand.getDefiningOp() && dependents.contains(operand.getDefiningOp());
    if (!depends)
      continue;
    dependents.insert(op);
    for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
      Operation *source = operand.getDefiningOp();
      if (source && llvm::is_contained(ops, source) && !dependents.contains(source) && !isSideOperand(op, index))
        saved.insert({operand, Array()});
    }
  }
}

LogicalResult RowWriter::check() {
  for (Operation *op : ops) {
    if (!isa<AddOp, AddBiasOp, MulOp, ReluOp, ReluGradOp, SiluOp, SiluGradOp, GluOp, GluGradOp, DropoutOp,
             MaskPaddingOp, EmbeddingOp, LayerNormOp, LayerNormGradOp, RmsNormOp, RmsNormGradOp, ColumnSumOp>(op))
      return op->emitOpError("has no CPU kernel");
    for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
      bool inside = operand.getDefiningOp() && llvm::is_contained(ops, operand.getDefiningOp());
      if (inside && isSideOperand(op, index))
        return op->emitOpError("expects operand ") << index << " to come from outside the map";
      if (!isSideOperand(op, index) && lastAxis(operand) % shape.width)
        return op->emitOpError("expects rows of a multiple of ")
               << shape.width << " columns, but got " << lastAxis(operand);
    }
  }
  return success();
}

/// The operand that `argument`, a value inside of the kernel, stands for.
Value RowWriter::operandOf(Value argument) const {
  return isa<MapOp>(task.op) ? task.op->getOperand(cast<BlockArgument>(argument).getArgNumber()) : argument;
}

Array RowWriter::arrayOf(Value argument) { return task.operand(operandOf(argument)); }

bool RowWriter::hasRow(Value value) const {
  Operation *op = value.getDefiningOp();
  return op && llvm::is_contained(ops, op);
}

static int64_t paddedWidth(Value sum) { return llvm::alignTo(lastAxis(sum), widestVector); }

static int64_t partialWidth(const RowShape &shape) {
  int64_t width = 0;
  for (Value sum : shape.columnSums)
    width += paddedWidth(sum);
  return width;
}

void RowWriter::write() {
  // Threads of a warp read neighbours at once, as many as there are in rows without a tail.
  constexpr int64_t wide = 4 * VectorTarget::lanesOfWarp;
  // Rows of a view may begin anywhere.
  const bool isWide = kernel.target().isWarp && shape.width % wide == 0 && !task.kernel.getRowStrides();
  const bool hasSums = !shape.columnSums.empty();
  kernel.withVectors(isWide ? wide : kernel.width(), [&] {
    kernel.stage(
        task.name(), 0, [&](Value tile) { writeTile(tile); }, hasSums ? AffineExpr() : task.tilesOf(shape.rows));
  });
  if (hasSums)
    kernel.stage(task.name(), 1, [&](Value tile) { writeColumnSums(tile); });
}

void RowWriter::writeTile(Value tile) {
  Value rows = kernel.expression(shape.rows);
  const int64_t perTile = shape.columnSums.empty() ? task.rowsOfTile(rowsPerTile(shape.width)) : rowsPerShare;
  Value first = kernel.min(kernel.mul(tile, perTile), rows);
  Value last = kernel.min(kernel.add(first, perTile), rows);
  if (!shape.columnSums.empty()) {
    partials = keepsPartialsNear() ? kernel.stackArray(partialWidth(shape)) : shareOf(tile);
    kernel.columns(partialWidth(shape), 4, [&](Value at, Value tail, int64_t) {
      kernel.storeVector(kernel.constantVector(0.0), partials, at, tail);
    });
  }
  for (Operation *op : ops)
    if (auto dropout = dyn_cast<DropoutOp>(op)) {
      keys[op] = kernel.philoxKeys(arrayOf(dropout.getRng()), dropout.getSite());
      draws[op] = kernel.stackArray(
          kernel.i32(), llvm::alignTo(lastAxis(dropout.getInput()) + 3, kernel.philoxElements()) + kernel.width());
    }
  for (auto &[value, place] : saved)
    place = kernel.stackArray(llvm::alignTo(lastAxis(value), widestVector));
  kernel.loop(first, last, 1, [&](Value row) { writeRow(row); });
  if (!shape.columnSums.empty() && keepsPartialsNear())
    kernel.columns(partialWidth(shape), 4, [&](Value at, Value tail, int64_t) {
      kernel.storeVector(kernel.loadVector(partials, at, tail), shareOf(tile), at, tail);
    });
}

Array RowWriter::shareOf(Value tile) { return kernel.from(task.scratch(0), kernel.mul(tile, partialWidth(shape))); }

/// What a warp adds to again and again is near it where that has room.
bool RowWriter::keepsPartialsNear() const {
  return kernel.target().isWarp && partialWidth(shape) * int64_t{sizeof(float)} <= mostNearBytes;
}

/// The sums of 32 columns, over all shares in order.
void RowWriter::writeColumnSums(Value tile) {
  Value place = kernel.mul(tile, widestVector);
  for (auto [index, sum] : llvm::enumerate(outputs)) {
    if (!isColumnSum(sum))
      continue;
    Array target = task.result(index);
    const int64_t columns = lastAxis(sum);
    Value first = kernel.sub(place, kernel.index(partialOffset(index)));
    kernel.when(kernel.lessUnsigned(first, kernel.index(columns)), [&] {
      for (int64_t vector = 0; vector < widestVector; vector += kernel.width()) {
        Value column = kernel.add(first, vector);
        Value mask = columns % widestVector ? kernel.tailMask(kernel.sub(kernel.index(columns), column)) : Value();
        kernel.storeVector(sumOfShares(kernel.add(place, vector)), target, column, mask);
      }
    });
  }
}

/// The sum of the vectors at `column` of all shares: of every fourth one (on a warp every 32nd), so that additions need
/// not wait for each other, then of these.
Value RowWriter::sumOfShares(Value column) {
  const int64_t sums = kernel.target().isWarp ? 32 : 4;
  const int64_t width = partialWidth(shape);
  Array base = kernel.from(task.scratch(0), column);
  Value shares = kernel.ceilDiv(kernel.expression(shape.rows), kernel.index(rowsPerShare));
  Value whole = kernel.mul(kernel.div(shares, kernel.index(sums)), sums);
  auto add = [&](Value total, Value share) {
    return kernel.add(total, kernel.loadVector(base, kernel.mul(share, width)));
  };
  SmallVector<Value> zeros(sums, kernel.constantVector(0.0));
  auto carried = kernel.loop(kernel.index(0), whole, sums, zeros, [&](Value share, ValueRange totals) {
    KernelBuilder::Values next;
    for (auto [number, total] : llvm::enumerate(totals))
      next.push_back(add(total, kernel.add(share, static_cast<int64_t>(number))));
    return next;
  });
  Value total = carried[0];
  for (Value sum : ArrayRef<Value>(carried).drop_front())
    total = kernel.add(total, sum);
  return kernel.loop(whole, shares, 1, total,
                     [&](Value share, ValueRange totals) { return KernelBuilder::Values{add(totals[0], share)}; })[0];
}

int64_t RowWriter::partialOffset(int64_t index) const {
  int64_t offset = 0;
  for (Value output : ArrayRef<Value>(outputs).take_front(index))
    offset += isColumnSum(output) ? paddedWidth(output) : 0;
  return offset;
}

void RowWriter::startRow(Value row) {
  currentRow = row;
  inputRows.clear();
  outputRows.clear();
  scalars.clear();
  savedIsReady = false;
  auto rowOf = [&](const Array &array, int64_t stride) { return kernel.from(array, kernel.mul(row, stride)); };
  // Groups stand one behind the other: views have whole rows only.
  auto inputRow = [&](Value argument) {
    return rowOf(arrayOf(argument), shape.isGroup ? shape.width : task.rowStride(operandOf(argument)));
  };
  for (Operation *op : ops) {
    for (auto [index, operand] : llvm::enumerate(op->getOperands()))
      if (!isSideOperand(op, index) && !hasRow(operand) && !inputRows.contains(operand))
        inputRows[operand] = inputRow(operand);
    if (auto embedding = dyn_cast<EmbeddingOp>(op)) {
      int64_t ids = cast<ShapedType>(embedding.getTable().getType()).getDimSize(0);
      Value id = kernel.loadIndex(arrayOf(embedding.getIds()), row);
      id = kernel.min(kernel.max(id, kernel.index(0)), kernel.index(ids - 1));
      tableRows[op] = kernel.from(arrayOf(embedding.getTable()), kernel.mul(id, lastAxis(embedding.getTable())));
    } else if (auto masking = dyn_cast<MaskPaddingOp>(op)) {
      Value byte = kernel.load(arrayOf(masking.getMask()), row);
      scalars[op] = {kernel.notEqual(byte, kernel.constantInt(kernel.i8(), 0))};
    } else if (auto grad = dyn_cast<LayerNormGradOp>(op)) {
      scalars[op] = {kernel.splat(kernel.load(arrayOf(grad.getMean()), row)),
                     kernel.splat(kernel.load(arrayOf(grad.getRstd()), row))};
    }
  }
  for (auto [index, output] : llvm::enumerate(outputs)) {
    if (!hasRow(output) && !inputRows.contains(output))
      inputRows[output] = inputRow(output);
    bool statistics =
        isa_and_nonnull<LayerNormOp>(output.getDefiningOp()) && cast<OpResult>(output).getResultNumber() > 0;
    Array array = isColumnSum(output) ? Array() : task.result(index);
    outputRows.push_back(
        !array || statistics ? array : rowOf(array, shape.isGroup ? shape.width : task.resultRowStride(index)));
  }
}

/// Fills the scratch row of a dropout with the draws of this row's elements.
void RowWriter::drawRow(Operation *dropout) {
  int64_t width = lastAxis(dropout->getOperand(0)), elements = kernel.philoxElements();
  bool aligned = width % 4 == 0;
  Value first = kernel.mul(currentRow, width);
  Value block = kernel.div(first, kernel.index(4));
  drawShift[dropout] = aligned ? kernel.index(0) : kernel.rem(first, kernel.index(4));
  int64_t chunks = llvm::divideCeil(aligned ? width : width + 3, elements);
  kernel.loop(kernel.index(0), kernel.index(chunks), 1, [&](Value chunk) {
    Value drawn = kernel.philoxDraws(keys[dropout], kernel.add(block, kernel.mul(chunk, elements / 4)));
    kernel.storeVector(drawn, draws[dropout], kernel.mul(chunk, elements));
  });
}

void RowWriter::writeRow(Value row) {
  startRow(row);
  for (Operation *op : ops)
    if (isa<DropoutOp>(op))
      drawRow(op);
  if (auto norm = dyn_cast_or_null<LayerNormOp>(reduction))
    reduceLayerNorm(norm);
  else if (auto grad = dyn_cast_or_null<LayerNormGradOp>(reduction))
    reduceLayerNormGrad(grad);
  else if (auto norm = dyn_cast_or_null<RmsNormOp>(reduction))
    reduceRmsNorm(norm);
  else if (auto grad = dyn_cast_or_null<RmsNormGradOp>(reduction))
    reduceRmsNormGrad(grad);
  kernel.columns(shape.width, 2, [&](Value at, Value tail, int64_t) {
    startBlock(at, tail);
    finishBlock(/*afterReduction=*/reduction != nullptr);
  });
}

void RowWriter::startBlock(Value at, Value tail) {
  column = at;
  mask = tail;
  known.clear();
}

void RowWriter::finishBlock(bool afterReduction) {
  // All values first, then all stores: a result may lie in the memory of an input that this sweep is the last to read.
  struct Store {
    Value value;
    Array row;
    Value column;
  };
  SmallVector<Store> stores;
  auto keep = [&](Value value, const Array &row) {
    for (int64_t block = 0; block < blocks(value); ++block)
      stores.push_back({evaluate(value, block), row, columnAt(block)});
  };
  if (!afterReduction)
    for (auto &[value, place] : saved)
      keep(value, place);
  for (auto [index, output] : llvm::enumerate(outputs)) {
    Operation *op = output.getDefiningOp();
    bool after = op && dependents.contains(op);
    bool statistics = isa_and_nonnull<LayerNormOp>(op) && cast<OpResult>(output).getResultNumber() > 0;
    if (statistics || after != afterReduction)
      continue;
    if (isColumnSum(output))
      addToColumnSum(index);
    else
      keep(output, outputRows[index]);
  }
  for (const Store &store : stores)
    kernel.storeVector(store.value, store.row, store.column, mask);
}

void RowWriter::addToColumnSum(int64_t index) {
  auto result = cast<OpResult>(outputs[index]);
  for (int64_t block = 0; block < blocks(result); ++block) {
    Value addend = compute(result.getOwner(), result.getResultNumber(), block);
    Value at = kernel.add(columnAt(block), partialOffset(index));
    kernel.storeVector(kernel.add(kernel.loadVector(partials, at, mask), addend), partials, at, mask);
  }
}

FailureOr<bool> generateRows(KernelTask &task) {
  std::optional<RowShape> shape = describeRows(task.op);
  if (!shape)
    return false;
  RowWriter writer(task, *shape);
  if (failed(writer.check()))
    return failure();
  writer.write();
  return true;
}

} // namespace bifocal
