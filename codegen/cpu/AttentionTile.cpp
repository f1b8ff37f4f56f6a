// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionTile.h"

#include "codegen/common/Transpose.h"

#include "runtime/core/Philox.h"

using namespace mlir;

namespace bifocal {

template <typename Op> AttentionShape AttentionShape::of(Op op, const VectorTarget &target) {
  constexpr bool isForward = !requires { op.getOutputGrad(); };
  SymbolicDims symbols = launchSymbols(op);
  auto dimOf = [&](Value value, unsigned axis) {
    for (OpOperand &operand : op->getOpOperands())
      if (operand.get() == value)
        return symbols.operands[operand.getOperandNumber()][axis];
    llvm_unreachable("the value is an operand");
  };
  AttentionShape shape{.sizes = headSizes(op),
                       .scale = op.getScale().convertToFloat(),
                       .dropRate = op.getDropRate().convertToFloat(),
                       .softCap = {op.getSoftCap().convertToFloat()},
                       .site = op.getSite(),
                       .strip = 0,
                       .causal = false,
                       .queries = dimOf(op.getQuery(), 1),
                       .keys = dimOf(op.getKey(), 1),
                       .query = op.getQuery(),
                       .key = op.getKey(),
                       .value = op.getValue(),
                       .mask = {},
                       .rng = op.getRng(),
                       .relative = {},
                       .factor = {}};
  SmallVector<Value> factors{op.getQuery(), op.getKey(), op.getValue()};
  if constexpr (!isForward)
    factors.push_back(op.getOutputGrad());
  if constexpr (requires { op.getOutput(); })
    factors.push_back(op.getOutput());
  if constexpr (requires { op.getPositionQuery(); })
    factors.push_back(op.getPositionQuery());
  shape.factor = factorOf(factors, {shape.sizes.key, shape.sizes.value}, target);
  if constexpr (requires { op.getCausal(); }) {
    shape.causal = op.getCausal();
    shape.mask = op.getMask();
  } else {
    const auto channels = [](Value value) { return cast<ShapedType>(value.getType()).getShape().back(); };
    shape.relative = RelativeShape{.positionQuery = op.getPositionQuery(),
                                   .positions = op.getPositions(),
                                   .span = op.getSpan(),
                                   .distances = dimOf(op.getPositions(), 0),
                                   .perHead = channels(op.getPositions()) == channels(op.getQuery()),
                                   .nearest = static_cast<int64_t>(op.getNearest()),
                                   .window = static_cast<int64_t>(op.getWindow()),
                                   .spanUnit = static_cast<double>(op.getSpanUnit()),
                                   .ramp = static_cast<double>(op.getRamp()),
                                   // Positions may be f32 where queries are not.
                                   .factor = factorOf({op.getQuery(), op.getPositions()}, shape.sizes.key, target)};
    if (shape.factor == Factor::step)
      shape.relative->factor = Factor::step;
  }
  shape.strip = stripQueries(shape.sizes, isForward, shape.relative.has_value());
  return shape;
}

template AttentionShape AttentionShape::of(AttentionOp, const VectorTarget &);
template AttentionShape AttentionShape::of(AttentionGradOp, const VectorTarget &);
template AttentionShape AttentionShape::of(DiffAttentionOp, const VectorTarget &);
template AttentionShape AttentionShape::of(DiffAttentionGradOp, const VectorTarget &);
template AttentionShape AttentionShape::of(RelativeAttentionOp, const VectorTarget &);
template AttentionShape AttentionShape::of(RelativeAttentionGradOp, const VectorTarget &);

AttentionTile::AttentionTile(KernelTask &task, const AttentionShape &shape, ScoreModifiers &modifiers)
    : task(task), kernel(task.builder), shape(shape), modifiers(modifiers) {}

void AttentionTile::start(Value sentenceIndex, Value headIndex, Value first, Value group) {
  Value end = kernel.min(kernel.expression(shape.queries), kernel.add(first, kernel.width()));
  startRange(sentenceIndex, headIndex, first, end);
  queryMask = kernel.tailMask(queryCount);
  groupIndex = group ? group : kernel.index(0);
}

void AttentionTile::startRange(Value sentenceIndex, Value headIndex, Value begin, Value end) {
  sentence = sentenceIndex;
  head = headIndex;
  firstQuery = begin;
  queryCount = kernel.sub(end, begin);
}

KeyRange AttentionTile::visibleKeys() {
  KeyRange keys{kernel.index(0), kernel.expression(shape.keys)};
  for (const auto &modifier : modifiers)
    keys = modifier->bound(*this, keys);
  return keys;
}

Value AttentionTile::visible(Value key) {
  Value result;
  for (const auto &modifier : modifiers)
    if (Value seen = modifier->visible(*this, key))
      result = result ? kernel.bitAnd(result, seen) : seen;
  return result;
}

Value AttentionTile::scoreOf(Value product, Value key) {
  for (const auto &modifier : modifiers)
    if (Value more = modifier->added(*this, key))
      product = kernel.add(product, more);
  Value score = shape.factor == Factor::step ? product : kernel.mul(product, kernel.constantVector(shape.scale));
  return shape.softCap.of(kernel, score);
}

Value AttentionTile::factor(Value key) {
  Value result;
  for (const auto &modifier : modifiers)
    if (Value own = modifier->factor(*this, key))
      result = result ? kernel.mul(result, own) : own;
  return result;
}

void AttentionTile::startStrip() {
  for (const auto &modifier : modifiers)
    modifier->startStrip(*this);
}

void AttentionTile::startKeys(Value first, Value count) {
  for (const auto &modifier : modifiers)
    modifier->startKeys(*this, first, count);
}

void AttentionTile::startQueries() {
  for (const auto &modifier : modifiers)
    modifier->startQueries(*this);
}

void AttentionTile::startBlock(Value first, Value count) {
  for (const auto &modifier : modifiers)
    modifier->startBlock(*this, first, count);
}

HeadRows AttentionTile::rowsOf(const Array &tensor, AffineExpr all, Value row, int64_t stride, Value number,
                               int64_t width) {
  Value place = kernel.add(kernel.mul(sentence, kernel.expression(all)), row);
  return {kernel.from(tensor, kernel.add(kernel.mul(place, stride), kernel.mul(number, width))), stride, width};
}

Value AttentionTile::kvHead() { return kernel.div(head, kernel.index(shape.sizes.heads / shape.sizes.kvHeads)); }

HeadRows AttentionTile::queryRows(const Array &tensor, Value row, int64_t map) {
  const HeadSizes &sizes = shape.sizes;
  Value number = kernel.add(kernel.mul(head, sizes.maps), map);
  return rowsOf(tensor, shape.queries, row, sizes.queryChannels(), number, sizes.key);
}
HeadRows AttentionTile::keyRows(const Array &tensor, Value row, int64_t map) {
  const HeadSizes &sizes = shape.sizes;
  Value number = kernel.add(kernel.mul(kvHead(), sizes.maps), map);
  return rowsOf(tensor, shape.keys, row, sizes.keyChannels(), number, sizes.key);
}
HeadRows AttentionTile::allKeyRows(const Array &tensor, Value row) {
  HeadRows rows = keyRows(tensor, row);
  return {rows.first, rows.stride, rows.width * shape.sizes.maps};
}
HeadRows AttentionTile::valueRows(const Array &tensor, Value row) {
  return rowsOf(tensor, shape.keys, row, shape.sizes.valueChannels(), kvHead(), shape.sizes.value);
}
HeadRows AttentionTile::outputRows(const Array &tensor, Value row) {
  return rowsOf(tensor, shape.queries, row, shape.sizes.outputChannels(), head, shape.sizes.value);
}

Value AttentionTile::statisticsAt(int64_t map) {
  const HeadSizes &sizes = shape.sizes;
  Value number = kernel.add(kernel.mul(sentence, sizes.heads), head);
  number = kernel.add(kernel.mul(number, sizes.maps), map);
  return kernel.add(kernel.mul(number, kernel.expression(shape.queries)), firstQuery);
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

void AttentionTile::loadColumns(const HeadRows &rows, Factor factor, const Array &target, double scale) {
  loadTransposed(factorsOverChannels(rows, factor), target, scale);
}

void AttentionTile::loadTransposed(const HeadRows &rows, const Array &target, double scale) {
  const int64_t lanes = kernel.width();
  Value last = kernel.sub(queryCount, kernel.index(1));
  columnBlocks(kernel, rows.width, [&](Value column, int64_t valid) {
    Value mask = valid == lanes ? Value() : kernel.tailMask(valid);
    Values block;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      Value row = kernel.mul(kernel.min(kernel.index(lane), last), rows.stride);
      block.push_back(kernel.loadVector(rows.first, kernel.add(row, column), mask));
    }
    block = transposeLanes(kernel, block);
    for (int64_t i = 0; i < valid; ++i) {
      Value scaled = scale == 1.0 ? block[i] : kernel.mul(block[i], kernel.constantVector(scale));
      kernel.storeVector(scaled, target, kernel.mul(kernel.add(column, i), lanes));
    }
  });
}

void AttentionTile::storeTransposed(const Array &source, const HeadRows &rows, Value factor) {
  const int64_t lanes = kernel.width();
  columnBlocks(kernel, rows.width, [&](Value column, int64_t valid) {
    Values block;
    for (int64_t i = 0; i < lanes; ++i)
      block.push_back(i < valid
                          ? kernel.mul(kernel.loadVector(source, kernel.mul(kernel.add(column, i), lanes)), factor)
                          : kernel.constantVector(0.0));
    block = transposeLanes(kernel, block);
    auto place = [&](int64_t lane) { return kernel.add(column, lane * rows.stride); };
    Value mask = valid == lanes ? Value() : kernel.tailMask(valid);
    auto storeReal = [&] {
      for (int64_t lane = 0; lane < lanes; ++lane)
        kernel.when(kernel.less(kernel.index(lane), queryCount),
                    [&] { kernel.storeVector(block[lane], rows.first, place(lane), mask); });
    };
    if (kernel.target().isWarp)
      return storeReal();
    // Most tiles have a query in every lane, and need not ask.
    kernel.when(
        kernel.equal(queryCount, kernel.index(lanes)),
        [&] {
          for (int64_t lane = 0; lane < lanes; ++lane)
            kernel.storeVector(block[lane], rows.first, place(lane), mask);
        },
        storeReal);
  });
}

void AttentionTile::fillZero(const Array &buffer, int64_t width) {
  kernel.loop(kernel.index(0), kernel.index(width * kernel.width()), kernel.width(),
              [&](Value at) { kernel.storeVector(kernel.constantVector(0.0), buffer, at); });
}

// Element (((b H + h) M + m) T + t) S + s of the weights of M maps: a lane's keys are neighbours, but begin anywhere in
// a block of four draws. So the draws of two blocks are kept, and each lane picks by where its row begins.
void AttentionTile::drawDrops(Value first, Value count, const Array &target, int64_t map) {
  const int64_t lanes = kernel.width(), part = kernel.blockLanes();
  KernelBuilder::PhiloxKeys keys = kernel.philoxKeys(task.operand(shape.rng), shape.site);
  Value firstRow = statisticsAt(map), length = kernel.splat(kernel.expression(shape.keys), part);
  Values blocks, begins;
  for (int64_t lane = 0; lane < lanes; lane += part) {
    Value row = kernel.add(kernel.splat(firstRow, part), kernel.lanes(kernel.i64(), part, lane));
    Value element = kernel.add(kernel.mul(row, length), kernel.splat(first, part));
    // A warp may begin before the first key, whose draws nobody looks at.
    blocks.push_back(kernel.target().isWarp ? kernel.shiftRightSigned(element, 2) : kernel.shiftRight(element, 2));
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

} // namespace bifocal
