// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// rotary: every row of the tables turns the heads of one step.

#include "codegen/cpu/CpuKernels.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

namespace {

/// One head of one step.
struct RotaryHead {
  Array input, output, cos, sin;
  int64_t width, pairs;
  bool inverse;
};

} // namespace

/// The pair (x, y) turned by the angles at `pair` of the tables.
static std::pair<Value, Value> turned(KernelBuilder &kernel, const RotaryHead &head, Value x, Value y, Value pair,
                                      Value mask) {
  Value cos = kernel.loadVector(head.cos, pair, mask), sin = kernel.loadVector(head.sin, pair, mask);
  if (head.inverse)
    sin = kernel.neg(sin);
  return {kernel.fma(x, cos, kernel.neg(kernel.mul(y, sin))), kernel.fma(y, cos, kernel.mul(x, sin))};
}

/// Pairs of channels R apart.
static void writeHalves(KernelBuilder &kernel, const RotaryHead &head) {
  kernel.columns(head.pairs, 2, [&](Value pair, Value mask, int64_t) {
    Value behind = kernel.add(pair, head.pairs);
    Value x = kernel.loadVector(head.input, pair, mask), y = kernel.loadVector(head.input, behind, mask);
    auto [first, second] = turned(kernel, head, x, y, pair, mask);
    kernel.storeVector(first, head.output, pair, mask);
    kernel.storeVector(second, head.output, behind, mask);
  });
}

/// Pairs of neighbours: as many as a vector has lanes lie in two vectors, whose even and odd lanes change places.
static void writeInterleaved(KernelBuilder &kernel, const RotaryHead &head) {
  const int64_t lanes = kernel.width(), whole = head.pairs / lanes * lanes;
  SmallVector<int64_t> even, odd, low, high;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    even.push_back(2 * lane);
    odd.push_back(2 * lane + 1);
    low.push_back(lane % 2 * lanes + lane / 2);
    high.push_back(low.back() + lanes / 2);
  }
  auto turn = [&](Value pair, int64_t count) {
    const bool isWhole = count == lanes;
    Value mask = isWhole ? Value() : kernel.tailMask(count);
    std::array<Value, 2> masks, places{kernel.mul(pair, 2), kernel.add(kernel.mul(pair, 2), lanes)}, loaded;
    for (int64_t half = 0; half < 2; ++half) {
      if (!isWhole)
        masks[half] = kernel.tailMask(std::clamp<int64_t>(2 * count - half * lanes, 0, lanes));
      loaded[half] = kernel.loadVector(head.input, places[half], masks[half]);
    }
    Value x = kernel.shuffle(loaded[0], loaded[1], even), y = kernel.shuffle(loaded[0], loaded[1], odd);
    auto [first, second] = turned(kernel, head, x, y, pair, mask);
    kernel.storeVector(kernel.shuffle(first, second, low), head.output, places[0], masks[0]);
    kernel.storeVector(kernel.shuffle(first, second, high), head.output, places[1], masks[1]);
  };
  if (whole > 0)
    kernel.loop(kernel.index(0), kernel.index(whole), lanes, [&](Value pair) { turn(pair, lanes); });
  if (whole < head.pairs)
    turn(kernel.index(whole), head.pairs - whole);
}

static void writeRow(KernelTask &task, RotaryOp op, Value row) {
  KernelBuilder &kernel = task.builder;
  const int64_t channels = lastAxis(op.getInput()), heads = static_cast<int64_t>(op.getHeads());
  auto table = cast<ShapedType>(op.getCos().getType()).getShape();
  Value position = kernel.index(0);
  const SymbolicDims symbols = launchSymbols(op);
  if (const Dims &dims = symbols.operands[0]; dims.size() == 3)
    position = kernel.rem(row, kernel.expression(dims[1]));
  if (op.getStep())
    position = kernel.add(position, kernel.loadIndex(task.operand(op.getStep()), kernel.index(0)));
  position = kernel.mul(kernel.min(position, kernel.index(table[0] - 1)), table[1]);
  Value begin = kernel.mul(row, channels);
  RotaryHead head{{},
                  {},
                  kernel.from(task.operand(1), position),
                  kernel.from(task.operand(2), position),
                  channels / heads,
                  table[1],
                  op.getInverse()};
  kernel.loop(begin, kernel.add(begin, channels), head.width, [&](Value first) {
    head.input = kernel.from(task.operand(0), first);
    head.output = kernel.from(task.result(0), first);
    if (op.getLayout() == RotaryLayout::halves)
      writeHalves(kernel, head);
    else
      writeInterleaved(kernel, head);
    const int64_t turned = 2 * head.pairs;
    if (turned == head.width)
      return;
    Array source = kernel.from(head.input, kernel.index(turned)),
          target = kernel.from(head.output, kernel.index(turned));
    kernel.columns(head.width - turned, 2, [&](Value at, Value mask, int64_t) {
      kernel.storeVector(kernel.loadVector(source, at, mask), target, at, mask);
    });
  });
}

FailureOr<bool> generateRotary(KernelTask &task) {
  auto op = dyn_cast<RotaryOp>(task.op);
  if (!op)
    return false;
  KernelBuilder &kernel = task.builder;
  AffineExpr rows = rowCount(launchSymbols(op).operands[0], op.getContext());
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        const int64_t perTile = task.rowsOfTile(rowsPerTile(lastAxis(op.getInput())));
        Value begin = kernel.mul(tile, perTile);
        Value end = kernel.min(kernel.add(begin, perTile), kernel.expression(rows));
        kernel.loop(begin, end, 1, [&](Value row) { writeRow(task, op, row); });
      },
      task.tilesOf(rows));
  return true;
}

} // namespace bifocal
