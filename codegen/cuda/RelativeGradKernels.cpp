// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/RelativeGradKernels.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;
using Sums = TileBuilder::Sums;

static constexpr int64_t tileDistances = 16, stackedKeys = AttentionHead::stackedKeys;

AffineExpr distanceTiles(const AttentionShape &shape) { return shape.relative->distances.ceilDiv(tileDistances); }

namespace {

/// 16 rows of positions of a head. The pairs of a query and a row lie on a diagonal of the products of 16 queries with
/// the 31 keys that they meet there.
class DistanceWriter {
public:
  DistanceWriter(KernelTask &task, AttentionGradTile &tile, TileBuilder &tiles, const AttentionShape &shape,
                 Value firstRow)
      : task(task), kernel(task.builder), tile(tile), tiles(tiles), shape(shape), relative(*tile.head.relative),
        firstRow(firstRow) {}

  void write();

private:
  using Tiles = std::array<std::array<Value, 2>, 2>; ///< by halves of the queries and sides of the distances
  void addQueries(Value firstQuery, MutableArrayRef<Sums> sums);
  Tiles diagonals(const Matrix &left, const Matrix &right, int64_t columns);
  PairTile pairAt(Value firstKey, int64_t half, int64_t side, Value product, Value weightGrad, Value drawn);

  KernelTask &task;
  KernelBuilder &kernel;
  AttentionGradTile &tile;
  TileBuilder &tiles;
  const AttentionShape &shape;
  RelativePairs &relative;
  Value firstRow;
};

} // namespace

/// The products of queries with the keys that each meets at the tile's distances.
DistanceWriter::Tiles DistanceWriter::diagonals(const Matrix &left, const Matrix &right, int64_t columns) {
  relative.keep(tiles.products(left, right, stackedKeys / 8, columns));
  Tiles result;
  for (int64_t half = 0; half < 2; ++half)
    for (int64_t side = 0; side < 2; ++side)
      result[half][side] = relative.diagonal(8 * half, 8 * side, TileKeys::inRows);
  return result;
}

/// Eight distances and eight queries; the first of the 16 queries meets key `firstKey` + 15 at the first distance.
PairTile DistanceWriter::pairAt(Value firstKey, int64_t half, int64_t side, Value product, Value weightGrad,
                                Value drawn) {
  auto splat = [&](Value number) { return kernel.splat(kernel.convert(number, kernel.i32()), 64); };
  Value row = tiles.rowNumbers(), query = tiles.columnNumbers();
  Value nearest = kernel.add(firstRow, shape.relative->nearest + 8 * side);
  Value steps = kernel.add(row, splat(kernel.sub(nearest, relative.memory())));
  Value key = kernel.add(kernel.sub(query, row), splat(kernel.add(firstKey, 15 + 8 * (half - side))));
  Value isThere = kernel.lessEqual(kernel.constantInt(key.getType(), 0), key);
  return tile.pair(product, weightGrad, tile.linesAt(kernel.index(8 * half), TileKeys::inRows),
                   kernel.bitAnd(relative.visible(steps), isThere), relative.factor(steps), drawn);
}

void DistanceWriter::addQueries(Value firstQuery, MutableArrayRef<Sums> sums) {
  tile.loadQueries(firstQuery, 16, /*withDeltas=*/true);
  Value ahead = kernel.add(firstRow, shape.relative->nearest + 15);
  Value firstKey = kernel.sub(kernel.add(relative.memory(), firstQuery), ahead);
  tile.loadKeys(firstKey, stackedKeys, /*withValues=*/true);
  // Draws begin with a multiple of 4.
  Value firstDrawn = kernel.bitAnd(firstKey, kernel.index(-4));
  tile.draw(firstDrawn, stackedKeys + 4);
  tiles.wait();
  const Tiles products = diagonals(tile.queries, tile.keys, shape.sizes.key);
  const Tiles weightGrads = diagonals(tile.outputGrads, tile.values, shape.sizes.value);
  const SmallVector<Sums> positions = relative.rowsTimes(tile.positionQueries);
  std::array<Sums, 2> scoreGrads;
  for (int64_t half = 0; half < 2; ++half)
    for (int64_t side = 0; side < 2; ++side) {
      Value drawn;
      if (shape.dropRate > 0)
        drawn = tile.drawnDiagonal(kernel.sub(firstKey, firstDrawn), 8 * half, 8 * side);
      Value product = kernel.add(products[half][side], positions[half].side(side));
      scoreGrads[half].side(side) = pairAt(firstKey, half, side, product, weightGrads[half][side], drawn).scoreGrad[0];
    }
  tiles.addProduct(scoreGrads[0], scoreGrads[1], tile.positionQueries, tile.elementType(), sums);
}

void DistanceWriter::write() {
  const KeyRange range = relative.queriesAt(firstRow);
  relative.loadRows(firstRow, tileDistances);
  const Values start = TileBuilder::flat(SmallVector<Sums>(shape.sizes.key / 8, tiles.zeros()));
  Values all = kernel.loop(range.begin, range.end, 16, start, [&](Value firstQuery, ValueRange carried) {
    SmallVector<Sums> sums = TileBuilder::sumsOf(carried);
    addQueries(firstQuery, sums);
    return TileBuilder::flat(sums);
  });
  Value rows = kernel.expression(shape.relative->distances);
  Value place = kernel.add(kernel.mul(tile.head.number(), rows), firstRow);
  const Array shares = relativeSumsOf(task, cast<RelativeAttentionGradOp>(task.op)).positions;
  const Matrix target{kernel.from(shares, kernel.mul(place, shape.sizes.key)), kernel.index(shape.sizes.key)};
  Value scale = kernel.constant(kernel.vectorOf(kernel.f32(), 64), shape.scale), left = kernel.sub(rows, firstRow);
  for (auto [number, sums] : llvm::enumerate(TileBuilder::sumsOf(all)))
    for (auto [side, row] : {std::pair(sums.upper, 0), std::pair(sums.lower, 8)}) {
      const MatrixBounds bounds{kernel.index(0), kernel.sub(left, kernel.index(row)), kernel.index(8)};
      tiles.store(kernel.mul(side, scale), tiles.at(target, kernel.index(row), static_cast<int64_t>(8 * number)), 8, 8,
                  bounds);
    }
}

void writeDistanceTile(KernelTask &task, AttentionGradTile &tile, TileBuilder &tiles, const AttentionShape &shape,
                       Value head, Value number) {
  tile.head.place(head);
  DistanceWriter(task, tile, tiles, shape, task.builder.mul(number, tileDistances)).write();
}

} // namespace bifocal
