// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// top_k: the largest element of every block of a row first. Then, k times, the block whose largest element is the
// largest of all gives it, and is read again for its next one: all that is read is the row, once, and k blocks.

#include "codegen/cpu/CpuKernels.h"
#include "passes/RowSchedule.h"

#include <limits>

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// Elements of a block, a multiple of every vector, and the most blocks of a row, whose peaks are on the stack.
constexpr int64_t smallestBlock = 64, mostBlocks = 1024;

namespace {

/// Indices are f32 beside the elements that they belong to: exact, since rows are not longer than 2^24.
class TopKWriter {
public:
  TopKWriter(KernelBuilder &kernel, int64_t width, int64_t k)
      : kernel(kernel), width(width), k(k), block(llvm::alignTo(llvm::divideCeil(width, mostBlocks), smallestBlock)),
        blocks(llvm::divideCeil(width, block)), peaks(kernel.stackArray(llvm::alignTo(blocks, kernel.width()))) {}

  void write(const Array &row, const Array &values, const Array &indices);

private:
  Value lowest() { return kernel.constantVector(-std::numeric_limits<double>::infinity()); }
  Value lowestScalar() { return kernel.constantF32(-std::numeric_limits<double>::infinity()); }
  /// The places `at`, `at` + 1, ... of the lanes.
  Value places(Value at) {
    Value lanes = kernel.convert(kernel.lanes(kernel.i32(), kernel.width()), kernel.f32());
    return kernel.add(lanes, kernel.splat(kernel.convert(at, kernel.f32())));
  }
  /// Elements of the row from `at` on: minus infinity for NaN and behind the end.
  Value elements(const Array &row, Value at, bool whole);
  Values overBlock(Value first, Values start, llvm::function_ref<Values(Value at, ValueRange carried)> body);
  void writePeaks(const Array &row);
  Value firstPlace(Value peak);

  KernelBuilder &kernel;
  int64_t width, k, block, blocks;
  Array peaks;
};

} // namespace

Value TopKWriter::elements(const Array &row, Value at, bool whole) {
  Value mask = whole ? Value() : kernel.tailMask(kernel.sub(kernel.index(width), at));
  Value x = kernel.loadVector(row, at, mask), isNumber = kernel.less(lowest(), x);
  return kernel.select(mask ? kernel.bitAnd(mask, isNumber) : isNumber, x, lowest());
}

Values TopKWriter::overBlock(Value first, Values start, llvm::function_ref<Values(Value, ValueRange)> body) {
  return kernel.loop(first, kernel.add(first, block), kernel.width(), start, body);
}

void TopKWriter::writePeaks(const Array &row) {
  const int64_t lanes = kernel.width(), whole = width / block;
  kernel.loop(kernel.index(0), kernel.index(llvm::alignTo(blocks, lanes)), lanes,
              [&](Value at) { kernel.storeVector(lowest(), peaks, at); });
  auto writePeak = [&](Value number, bool isWhole) {
    Values peak = overBlock(kernel.mul(number, block), {lowest()}, [&](Value at, ValueRange carried) {
      return Values{kernel.max(elements(row, at, isWhole), carried[0])};
    });
    kernel.store(kernel.horizontalMax(peak[0]), peaks, number);
  };
  kernel.loop(kernel.index(0), kernel.index(whole), 1, [&](Value number) { writePeak(number, true); });
  if (whole < blocks)
    writePeak(kernel.index(whole), false);
}

/// Where the first of `peaks` that equals `peak` stands.
Value TopKWriter::firstPlace(Value peak) {
  Values first = kernel.columns(blocks, 1, lowest(), [&](Value at, Value, ValueRange carried) {
    Value isPeak = kernel.equal(kernel.loadVector(peaks, at), kernel.splat(peak));
    return Values{kernel.max(kernel.select(isPeak, kernel.neg(places(at)), lowest()), carried[0])};
  });
  return kernel.convert(kernel.neg(kernel.horizontalMax(first[0])), kernel.i64());
}

void TopKWriter::write(const Array &row, const Array &values, const Array &indices) {
  writePeaks(row);
  // The element that was taken last: its value and its index.
  Values before{kernel.constantF32(std::numeric_limits<double>::infinity()), kernel.constantF32(-1.0)};
  kernel.loop(kernel.index(0), kernel.index(k), 1, before, [&](Value rank, ValueRange last) {
    Values largest = kernel.columns(blocks, 1, lowest(), [&](Value at, Value, ValueRange carried) {
      return Values{kernel.max(kernel.loadVector(peaks, at), carried[0])};
    });
    Value peak = kernel.horizontalMax(largest[0]), number = firstPlace(peak), peakLanes = kernel.splat(peak);
    // Of equal elements those up to the last one are taken already.
    Value taken = kernel.select(kernel.equal(peak, last[0]), last[1], kernel.constantF32(-1.0));
    Value first = kernel.mul(number, block);
    Values found = overBlock(first, {lowest()}, [&](Value at, ValueRange carried) {
      Value place = places(at), isNext = kernel.bitAnd(kernel.equal(elements(row, at, false), peakLanes),
                                                       kernel.less(kernel.splat(taken), place));
      return Values{kernel.max(kernel.select(isNext, kernel.neg(place), lowest()), carried[0])};
    });
    Value index = kernel.neg(kernel.horizontalMax(found[0]));
    index = kernel.select(kernel.less(lowestScalar(), peak), index, kernel.constantF32(0.0));
    Value indexLanes = kernel.splat(index);
    Values next = overBlock(first, {lowest()}, [&](Value at, ValueRange carried) {
      Value x = elements(row, at, false);
      Value isLater = kernel.bitAnd(kernel.equal(x, peakLanes), kernel.less(indexLanes, places(at)));
      Value isLeft = kernel.bitOr(kernel.less(x, peakLanes), isLater);
      return Values{kernel.max(kernel.select(isLeft, x, lowest()), carried[0])};
    });
    kernel.store(kernel.horizontalMax(next[0]), peaks, number);
    kernel.store(peak, values, rank);
    kernel.store(kernel.convert(index, kernel.i32()), indices, rank);
    return Values{peak, index};
  });
}

FailureOr<bool> generateSearch(KernelTask &task) {
  auto op = dyn_cast<TopKOp>(task.op);
  if (!op)
    return false;
  KernelBuilder &kernel = task.builder;
  const int64_t width = lastAxis(op.getInput()), perTile = rowsPerTile(width);
  const auto k = static_cast<int64_t>(op.getK());
  AffineExpr rows = rowCount(launchSymbols(op).operands[0], op->getContext());
  kernel.stage(task.name(), 0, [&](Value tile) {
    TopKWriter writer(kernel, width, k);
    Value begin = kernel.mul(tile, perTile), end = kernel.min(kernel.add(begin, perTile), kernel.expression(rows));
    kernel.loop(begin, end, 1, [&](Value number) {
      Value first = kernel.mul(number, k);
      writer.write(kernel.from(task.operand(0), kernel.mul(number, width)), kernel.from(task.result(0), first),
                   kernel.from(task.result(1), first));
    });
  });
  return true;
}

} // namespace bifocal
