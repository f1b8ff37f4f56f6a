// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/AttentionGradTile.h"

#include "codegen/cpu/DiffAttention.h"

using namespace mlir;

namespace bifocal {

AttentionGradTile::AttentionGradTile(KernelTask &task, TileBuilder &tiles, const AttentionShape &shape,
                                     const GradTensors &tensors, Type element, int64_t queryRows)
    : head(task, tiles, shape, element, Pass::backward), task(task), kernel(task.builder), tiles(tiles), shape(shape),
      tensors(tensors), element(element), drawing(task, shape, none) {
  queries = head.stackRows(queryRows, head.width());
  if (shape.relative)
    positionQueries = head.stackRows(queryRows, shape.sizes.key);
  outputGrads = head.stackRows(queryRows, shape.sizes.value);
  keys = head.stackRows(stackedKeys, head.width());
  values = head.stackRows(stackedKeys, shape.sizes.value);
  eightTimes = {kernel.stackArray(8 * queryRows), kernel.index(8)};
  for (int64_t map = 0; map < shape.sizes.maps; ++map) {
    lse[map] = kernel.stackArray(kernel.width());
    delta[map] = kernel.stackArray(kernel.width());
    if (shape.dropRate > 0)
      drops[map] = {kernel.stackArray(element, drawnKeys * kernel.width()), kernel.index(kernel.width())};
  }
  if (tensors.lambda)
    lambda = kernel.splat(kernel.load(task.operand(tensors.lambda), kernel.index(0)), 64);
}

Value AttentionGradTile::keptRows(int64_t count) {
  return tiles.load(eightTimes, kernel.width(), 1, 4, {kernel.index(0), kernel.index(count), kernel.index(1)});
}

/// <output_grad, output> of `count` queries. The outputs are where the queries will be.
void AttentionGradTile::computeDeltas(Value first, int64_t count) {
  head.copyRows(Rows::output, task.operand(tensors.output), first, count, queries);
  tiles.wait();
  kernel.loop(kernel.index(0), kernel.index(count), 8, [&](Value row) {
    auto tileOf = [&](const Matrix &matrix, int64_t channel) {
      return kernel.widen(tiles.load(tiles.at(matrix, row, channel), 8, 8, 4), element);
    };
    Value sum = kernel.constant(kernel.vectorOf(kernel.f32(), 64), 0.0);
    for (int64_t channel = 0; channel < shape.sizes.value; channel += 8)
      sum = kernel.fma(tileOf(outputGrads, channel), tileOf(queries, channel), sum);
    tiles.store(tiles.rowSum(sum), tiles.at(eightTimes, row), 8, 8);
  });
  kernel.storeVector(keptRows(count), delta[0], kernel.index(0));
}

void AttentionGradTile::loadQueries(Value first, int64_t count, bool withDeltas) {
  Value left = kernel.min(kernel.sub(head.queries(), first), kernel.index(count));
  Value real = kernel.tailMask(left), zero = kernel.index(0);
  head.copyRows(Rows::output, task.operand(tensors.outputGrad), first, count, outputGrads);
  if (tensors.output && withDeltas)
    computeDeltas(first, count);
  head.copyRows(Rows::query, task.operand(shape.query), first, count, queries);
  if (shape.relative)
    head.copyRows(Rows::query, task.operand(shape.relative->positionQuery), first, count, positionQueries);
  for (int64_t map = 0; map < shape.sizes.maps; ++map) {
    Value place = head.statisticsAt(first, map);
    kernel.storeVector(kernel.loadVector(task.operand(tensors.lse), place, real), lse[map], zero);
    if (!tensors.output && withDeltas)
      kernel.storeVector(kernel.loadVector(deltasOf(task), place, real), delta[map], zero);
  }
  drawing.startRange(head.inSentence().first, head.inSentence().second, first, kernel.add(first, left));
}

Value AttentionGradTile::writeRowSums(const Sums &shares, const Array &target, Value first, int64_t map) {
  for (int64_t side = 0; side < 2; ++side)
    tiles.store(tiles.rowSum(shares.side(side)), tiles.at(eightTimes, kernel.index(8 * side)), 8, 8);
  Value sums = keptRows(16), real = kernel.tailMask(kernel.min(kernel.sub(head.queries(), first), kernel.index(16)));
  kernel.storeVector(sums, target, head.statisticsAt(first, map), real);
  return sums;
}

void AttentionGradTile::keepDeltas(Value first, ArrayRef<Sums> shares) {
  for (auto [map, share] : llvm::enumerate(shares)) {
    Value sums = writeRowSums(share, deltasOf(task), first, static_cast<int64_t>(map));
    kernel.storeVector(sums, delta[map], kernel.index(0));
  }
}

void AttentionGradTile::loadKeys(Value first, int64_t count, bool withValues) {
  head.loadSeen(first);
  head.copyRows(Rows::key, task.operand(shape.key), first, count, keys);
  if (withValues)
    head.copyRows(Rows::value, task.operand(shape.value), first, count, values);
}

void AttentionGradTile::draw(Value first, int64_t count) {
  for (int64_t map = 0; map < shape.sizes.maps && shape.dropRate > 0; ++map)
    drawing.drawDrops(first, kernel.index(count), drops[map].array, map);
}

Value AttentionGradTile::drawnDiagonal(Value first, int64_t query, int64_t key) {
  // Query i and key j of a tile: row i - j + 15 of the keys, lane i.
  Type type = tiles.rowNumbers().getType();
  auto times = [&](Value numbers, int64_t factor) { return kernel.mul(numbers, kernel.constantInt(type, factor)); };
  const int64_t lanes = kernel.width(), ahead = (query - key + 15) * lanes + query;
  Value place = kernel.sub(times(tiles.columnNumbers(), lanes + 1), times(tiles.rowNumbers(), lanes));
  place = kernel.add(place, kernel.constantInt(type, ahead));
  return kernel.gather(kernel.from(drops[0].array, kernel.mul(first, lanes)), place);
}

QueryLines AttentionGradTile::linesAt(Value row, TileKeys keyPlace, bool withDeltas) {
  auto along = [&](const Array &numbers) {
    const Array eight = kernel.from(numbers, row);
    return keyPlace == TileKeys::inRows ? tiles.alongColumns(eight) : tiles.alongRows(eight);
  };
  QueryLines lines;
  for (int64_t map = 0; map < shape.sizes.maps; ++map) {
    lines.lse[map] = along(lse[map]);
    if (withDeltas)
      lines.delta[map] = along(delta[map]);
  }
  return lines;
}

PairTile AttentionGradTile::pair(ArrayRef<Value> products, Value weightGrad, const QueryLines &lines, Value visible,
                                 Value ramp, ArrayRef<Value> drawn) {
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value scale = kernel.constant(floats, shape.scale), zero = kernel.constant(floats, 0.0);
  PairTile tile;
  tile.weightGrad = weightGrad;
  for (auto [map, product] : llvm::enumerate(products)) {
    auto kept = [&, map = map](Value numbers) { return drawn[map] ? head.drop(numbers, drawn[map]) : numbers; };
    Value score = shape.softCap.of(kernel, kernel.mul(product, scale));
    Value whole = kernel.exp(kernel.sub(score, lines.lse[map]));
    whole = kernel.select(visible, whole, zero);
    Value weight = ramp ? kernel.mul(whole, ramp) : whole;
    tile.dropped[map] = kept(weight);
    if (!weightGrad || !lines.delta[map])
      continue;
    Value gradient = kernel.sub(kept(weightGrad), lines.delta[map]);
    tile.scoreGrad[map] = shape.softCap.gradient(kernel, score, kernel.mul(weight, gradient));
    if (ramp)
      tile.rampGrad = kernel.mul(whole, gradient);
  }
  tile.valueWeight = tile.dropped[0];
  if (!lambda)
    return tile;
  tile.valueWeight = kernel.sub(tile.dropped[0], kernel.mul(lambda, tile.dropped[1]));
  if (tile.scoreGrad[1])
    tile.scoreGrad[1] = kernel.neg(kernel.mul(lambda, tile.scoreGrad[1]));
  return tile;
}

PairBlock AttentionGradTile::pairs(Value first, Value row, Value key, TileKeys place, ArrayRef<QueryLines> lines,
                                   bool withGrads) {
  const bool inRows = place == TileKeys::inRows;
  const int64_t maps = shape.sizes.maps, width = shape.sizes.key;
  auto products = [&](const Matrix &ofQueries, const Matrix &ofKeys, int64_t columns) {
    return inRows ? tiles.products(ofKeys, ofQueries, 2, columns) : tiles.products(ofQueries, ofKeys, 2, columns);
  };
  Value query = kernel.add(first, row);
  if (head.relative)
    head.relative->loadBlock(kernel.sub(query, head.keyOf(key)));
  SmallVector<SmallVector<Sums>> scores;
  SmallVector<std::array<Value, 4>> drawn(maps);
  for (int64_t map = 0; map < maps; ++map) {
    scores.push_back(products(tiles.at(queries, row, map * width), tiles.at(keys, key, map * width), width));
    if (shape.dropRate > 0)
      drawn[map] = tiles.loadFour(tiles.at(drops[map], key, row), /*transposed=*/!inRows);
  }
  SmallVector<Sums> weightGrads(2);
  if (withGrads)
    weightGrads = products(tiles.at(outputGrads, row), tiles.at(values, key), shape.sizes.value);
  if (head.relative) {
    tiles.wait();
    head.relative->startBlock(tiles.at(positionQueries, row));
  }
  PairBlock block;
  for (int64_t half = 0; half < 2; ++half)
    for (int64_t side = 0; side < 2; ++side) {
      const int64_t ofQuery = inRows ? half : side, ofKey = inRows ? side : half;
      Value own = kernel.add(query, 8 * ofQuery), ownKey = kernel.add(key, 8 * ofKey), ramp;
      SmallVector<Value> product, kept;
      for (int64_t map = 0; map < maps; ++map) {
        product.push_back(scores[map][half].side(side));
        Value factors = drawn[map][ofKey + 2 * ofQuery];
        kept.push_back(factors ? kernel.widen(factors, element) : Value());
      }
      if (head.relative) {
        product[0] = kernel.add(product[0], head.relative->diagonal(8 * ofQuery, 8 * ofKey, place));
        ramp = head.relative->factor(head.steps(own, ownKey, place));
      }
      block.tiles[half][side] =
          pair(product, weightGrads[half].side(side), lines[ofQuery], head.visible(own, ownKey, place), ramp, kept);
    }
  return block;
}

} // namespace bifocal
