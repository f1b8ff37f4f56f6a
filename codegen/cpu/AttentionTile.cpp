// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionTile.h"

#include "codegen/common/Transpose.h"

#include "runtime/core/Philox.h"

using namespace mlir;

namespace bifocal {

template <typename Op> AttentionShape AttentionShape::of(Op op) {
  auto type = cast<RankedTensorType>(op.getQuery().getType());
  int64_t channels = type.getShape().back(), heads = op.getHeads();
  SymbolicDims symbols = launchSymbols(op);
  auto dimOf = [&](Value value, unsigned axis) {
    for (OpOperand &operand : op->getOpOperands())
      if (operand.get() == value)
        return symbols.operands[operand.getOperandNumber()][axis];
    llvm_unreachable("the value is an operand");
  };
  return {heads,
          channels,
          channels / heads,
          op.getScale().convertToFloat(),
          op.getDropRate().convertToFloat(),
          op.getSite(),
          op.getCausal(),
          dimOf(op.getQuery(), 1),
          dimOf(op.getKey(), 1),
          op.getMask(),
          op.getRng()};
}

template AttentionShape AttentionShape::of(AttentionOp);
template AttentionShape AttentionShape::of(AttentionGradOp);

void AttentionTile::start(Value sentenceIndex, Value headIndex, Value first) {
  sentence = sentenceIndex;
  head = headIndex;
  firstQuery = first;
  queryCount = kernel.min(kernel.sub(kernel.expression(shape.queries), first), kernel.index(kernel.width()));
  queryMask = kernel.tailMask(queryCount);
}

Value AttentionTile::keysEnd() {
  Value all = kernel.expression(shape.keys);
  return shape.causal ? kernel.min(all, kernel.add(firstQuery, queryCount)) : all;
}

static Array rowOf(KernelBuilder &kernel, const AttentionShape &shape, const Array &tensor, Value sentence, Value head,
                   AffineExpr rows, Value row) {
  Value number = kernel.add(kernel.mul(sentence, kernel.expression(rows)), row);
  return kernel.from(tensor, kernel.add(kernel.mul(number, shape.channels), kernel.mul(head, shape.headDim)));
}

Array AttentionTile::queryRow(const Array &tensor, Value row) {
  return rowOf(kernel, shape, tensor, sentence, head, shape.queries, row);
}
Array AttentionTile::keyRow(const Array &tensor, Value row) {
  return rowOf(kernel, shape, tensor, sentence, head, shape.keys, row);
}

/// Calls `body(column, valid)` for the blocks of `lanes` columns that cover a head; `valid` columns of a block are
/// real.
static void columnBlocks(KernelBuilder &kernel, int64_t columns, llvm::function_ref<void(Value, int64_t)> body) {
  const int64_t lanes = kernel.width(), whole = columns / lanes * lanes;
  if (whole > 0)
    kernel.loop(kernel.index(0), kernel.index(whole), lanes, [&](Value column) { body(column, lanes); });
  if (whole < columns)
    body(kernel.index(whole), columns - whole);
}

void AttentionTile::loadTransposed(const Array &rows, const Array &target, double factor) {
  const int64_t lanes = kernel.width();
  Value last = kernel.sub(queryCount, kernel.index(1));
  columnBlocks(kernel, shape.headDim, [&](Value column, int64_t valid) {
    Value mask = valid == lanes ? Value() : kernel.tailMask(valid);
    Values block;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      Value row = kernel.mul(kernel.min(kernel.index(lane), last), shape.channels);
      block.push_back(kernel.loadVector(rows, kernel.add(row, column), mask));
    }
    block = transposeLanes(kernel, block);
    for (int64_t i = 0; i < valid; ++i) {
      Value scaled = factor == 1.0 ? block[i] : kernel.mul(block[i], kernel.constantVector(factor));
      kernel.storeVector(scaled, target, kernel.mul(kernel.add(column, i), lanes));
    }
  });
}

void AttentionTile::storeTransposed(const Array &source, const Array &rows, Value factor) {
  const int64_t lanes = kernel.width();
  columnBlocks(kernel, shape.headDim, [&](Value column, int64_t valid) {
    Values block;
    for (int64_t i = 0; i < lanes; ++i)
      block.push_back(i < valid
                          ? kernel.mul(kernel.loadVector(source, kernel.mul(kernel.add(column, i), lanes)), factor)
                          : kernel.constantVector(0.0));
    block = transposeLanes(kernel, block);
    auto place = [&](int64_t lane) { return kernel.add(column, lane * shape.channels); };
    Value mask = valid == lanes ? Value() : kernel.tailMask(valid);
    auto storeReal = [&] {
      for (int64_t lane = 0; lane < lanes; ++lane)
        kernel.when(kernel.less(kernel.index(lane), queryCount),
                    [&] { kernel.storeVector(block[lane], rows, place(lane), mask); });
    };
    if (kernel.target().isWarp)
      return storeReal();
    // Most tiles have a query in every lane, and need not ask.
    kernel.when(
        kernel.equal(queryCount, kernel.index(lanes)),
        [&] {
          for (int64_t lane = 0; lane < lanes; ++lane)
            kernel.storeVector(block[lane], rows, place(lane), mask);
        },
        storeReal);
  });
}

void AttentionTile::fillZero(const Array &buffer) {
  kernel.loop(kernel.index(0), kernel.index(shape.headDim * kernel.width()), kernel.width(),
              [&](Value at) { kernel.storeVector(kernel.constantVector(0.0), buffer, at); });
}

AttentionTile::Values AttentionTile::products(const Array &columns, const Array &rows, int64_t group) {
  const int64_t unrolled = shape.headDim % 4 == 0 ? 4 : 1;
  Values zeros(group, kernel.constantVector(0.0));
  return kernel.loop(kernel.index(0), kernel.index(shape.headDim), unrolled, zeros, [&](Value column, Range sums) {
    Values next(sums);
    for (int64_t i = 0; i < unrolled; ++i) {
      Value at = kernel.add(column, i), query = kernel.loadVector(columns, kernel.mul(at, kernel.width()));
      for (int64_t key = 0; key < group; ++key) {
        Value element = kernel.splat(kernel.load(rows, kernel.add(at, key * shape.channels)));
        next[key] = kernel.fma(query, element, next[key]);
      }
    }
    return next;
  });
}

// Some keys at a time, and all columns of their rows one behind the other: a few columns of all keys would read a line
// of each row, and rows are a power of two apart.
void AttentionTile::addByKeys(const Array &weights, Value keys, const Array &rows, const Array &sums) {
  const int64_t lanes = kernel.width(), unrolled = shape.headDim % 2 == 0 ? 2 : 1;
  groups(keys, {}, [&](Value first, int64_t group, Range) {
    Values own;
    SmallVector<Array> groupRows;
    for (int64_t i = 0; i < group; ++i) {
      Value key = kernel.add(first, i);
      own.push_back(kernel.loadVector(weights, kernel.mul(key, lanes)));
      groupRows.push_back(kernel.from(rows, kernel.mul(key, shape.channels)));
    }
    kernel.loop(kernel.index(0), kernel.index(shape.headDim), unrolled, [&](Value at) {
      for (int64_t column = 0; column < unrolled; ++column) {
        Value d = kernel.add(at, column), place = kernel.mul(d, lanes), sum = kernel.loadVector(sums, place);
        for (int64_t i = 0; i < group; ++i)
          sum = kernel.fma(own[i], kernel.splat(kernel.load(groupRows[i], d)), sum);
        kernel.storeVector(sum, sums, place);
      }
    });
    return Values{};
  });
}

// Some columns at a time, whose sums stay in registers while all keys are added.
void AttentionTile::addByColumns(const Array &weights, Value keys, const Array &rows, const Array &sums) {
  const int64_t lanes = kernel.width();
  auto columnsFrom = [&](Value column, int64_t group) {
    Values start;
    for (int64_t i = 0; i < group; ++i)
      start.push_back(kernel.loadVector(sums, kernel.mul(kernel.add(column, i), lanes)));
    Values end = kernel.loop(kernel.index(0), keys, 1, start, [&](Value key, Range carried) {
      Values next(carried);
      Value weight = kernel.loadVector(weights, kernel.mul(key, lanes));
      Value row = kernel.add(kernel.mul(key, shape.channels), column);
      for (int64_t i = 0; i < group; ++i)
        next[i] = kernel.fma(weight, kernel.splat(kernel.load(rows, kernel.add(row, i))), next[i]);
      return next;
    });
    for (int64_t i = 0; i < group; ++i)
      kernel.storeVector(end[i], sums, kernel.mul(kernel.add(column, i), lanes));
  };
  constexpr int64_t group = 8;
  const int64_t whole = shape.headDim / group * group;
  if (whole > 0)
    kernel.loop(kernel.index(0), kernel.index(whole), group, [&](Value column) { columnsFrom(column, group); });
  if (whole < shape.headDim)
    columnsFrom(kernel.index(whole), shape.headDim - whole);
}

void AttentionTile::addWeighted(const Array &weights, Value keys, const Array &rows, const Array &sums) {
  // What lies on the stack of a CPU is shared memory of a warp, which waits between a write and a read of it.
  if (kernel.target().isWarp)
    addByColumns(weights, keys, rows, sums);
  else
    addByKeys(weights, keys, rows, sums);
}

Value AttentionTile::visible(Value key) {
  Value result;
  if (shape.causal) {
    Value distance = kernel.convert(kernel.sub(firstQuery, key), kernel.i32());
    Value query = kernel.add(kernel.lanes(kernel.i32(), kernel.width()), kernel.splat(distance));
    result = kernel.lessEqual(kernel.constantInt(query.getType(), 0), query);
  }
  if (shape.mask) {
    Value place = kernel.add(kernel.mul(sentence, kernel.expression(shape.keys)), key);
    Value real = kernel.notEqual(kernel.load(task.operand(shape.mask), place), kernel.constantInt(kernel.i8(), 0));
    real = kernel.splat(real, kernel.width());
    result = result ? kernel.bitAnd(result, real) : real;
  }
  return result;
}

// Element ((b H + h) T + t) S + s of the weights: a lane's keys are neighbours, but begin anywhere in a block of four
// draws. So the draws of two blocks are kept, and each lane picks by where its row begins.
void AttentionTile::drawDrops(Value first, Value count, const Array &target) {
  const int64_t lanes = kernel.width(), part = kernel.blockLanes();
  KernelBuilder::PhiloxKeys keys = kernel.philoxKeys(task.operand(shape.rng), shape.site);
  Value rows = kernel.mul(kernel.add(kernel.mul(sentence, shape.heads), head), kernel.expression(shape.queries));
  Value firstRow = kernel.add(rows, firstQuery), length = kernel.splat(kernel.expression(shape.keys), part);
  Values blocks, begins;
  for (int64_t lane = 0; lane < lanes; lane += part) {
    Value row = kernel.add(kernel.splat(firstRow, part), kernel.lanes(kernel.i64(), part, lane));
    Value element = kernel.add(kernel.mul(row, length), kernel.splat(first, part));
    blocks.push_back(kernel.shiftRight(element, 2));
    begins.push_back(kernel.convert(kernel.bitAnd(element, kernel.constantInt(element.getType(), 3)), kernel.i32()));
  }
  Value begin = kernel.concatenate(begins);
  auto draw = [&](Value number) {
    Values at;
    for (Value block : blocks)
      at.push_back(kernel.add(block, kernel.splat(number, part)));
    return kernel.philoxLanes(keys, at);
  };
  Type integers = begin.getType();
  Value threshold = kernel.constantInt(integers, static_cast<int32_t>(dropThreshold(shape.dropRate)));
  Value kept = kernel.constantVector(1.0f / (1.0f - static_cast<float>(shape.dropRate)));
  Value zero = kernel.constantVector(0.0), fours = kernel.ceilDiv(count, kernel.index(4));
  kernel.loop(kernel.index(0), fours, 1, draw(kernel.index(0)), [&](Value at, Range carried) {
    Values words(carried), following = draw(kernel.add(at, 1));
    words.append(following);
    for (int64_t i = 0; i < 4; ++i) {
      Value picked = words[i + 3];
      for (int64_t offset = 2; offset >= 0; --offset)
        picked = kernel.select(kernel.equal(begin, kernel.constantInt(integers, offset)), words[i + offset], picked);
      Value factor = kernel.select(kernel.lessUnsigned(picked, threshold), zero, kept);
      kernel.storeVector(factor, target, kernel.mul(kernel.add(kernel.mul(at, 4), i), lanes));
    }
    return following;
  });
}

AttentionTile::Values AttentionTile::groups(Value count, Range initial,
                                            llvm::function_ref<Values(Value, int64_t, Range)> body) {
  Values state(initial);
  Value begin = kernel.index(0);
  for (int64_t group : {8, 4, 2, 1}) {
    Value end = kernel.mul(kernel.div(count, kernel.index(group)), group);
    state = kernel.loop(begin, end, group, state, [&](Value at, Range carried) { return body(at, group, carried); });
    begin = end;
  }
  return state;
}

} // namespace bifocal
