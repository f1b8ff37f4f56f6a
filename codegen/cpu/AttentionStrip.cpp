// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionStrip.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

SmallVector<Array> QueryTeam::own(const Array &all, int64_t size) {
  SmallVector<Array> places;
  for (AttentionTile &tile : tiles)
    places.push_back(tile.own(all, size));
  return places;
}

SmallVector<Array> QueryTeam::inTurn(const Array &all, int64_t size) {
  SmallVector<Array> places;
  for (AttentionTile &tile : tiles)
    places.push_back(tile.inTurn(all, size));
  return places;
}

void QueryTeam::products(ArrayRef<Array> queries, const HeadRows &rows, Value count, ArrayRef<Array> target) {
  const int64_t lanes = kernel.width(), vectors = static_cast<int64_t>(queries.size());
  inGroups(kernel, count, {}, 8 / vectors, [&](Value at, int64_t group, ValueRange) {
    const Values products = productsOverChannels(kernel, queries, rowsFrom(kernel, rows, at), group);
    for (int64_t key = 0; key < group; ++key)
      for (int64_t v = 0; v < vectors; ++v)
        kernel.storeVector(products[key * vectors + v], target[v], kernel.mul(kernel.add(at, key), lanes));
    return Values{};
  });
}

void QueryTeam::fillZero(ArrayRef<Array> target, Value begin, Value end) {
  kernel.loop(begin, end, 1, [&](Value key) {
    for (const Array &own : target)
      kernel.storeVector(kernel.constantVector(0.0), own, kernel.mul(key, kernel.width()));
  });
}

void QueryTeam::each(llvm::function_ref<void(AttentionTile &)> body) {
  for (AttentionTile &tile : tiles)
    if (&tile == &tiles.front())
      body(tile);
    else
      kernel.when(kernel.less(kernel.index(0), tile.count()), [&] { body(tile); });
}

int64_t QueryStrip::queries(const KernelBuilder &kernel, const AttentionShape &shape) {
  return kernel.target().isWarp ? warpQueries : shape.strip;
}

AffineExpr QueryStrip::tiles(const KernelTask &task, const AttentionShape &shape) {
  if (!task.builder.target().isWarp)
    return {};
  const AffineExpr sentences = launchSymbols(task.op).operands[0][0];
  return sentences * shape.sizes.heads * shape.queries.ceilDiv(warpQueries);
}

std::array<Value, 3> QueryStrip::placeOf(KernelTask &task, const AttentionShape &shape, Value number) {
  KernelBuilder &kernel = task.builder;
  Value size = kernel.index(queries(kernel, shape)), heads = kernel.index(shape.sizes.heads);
  Value perHead = kernel.ceilDiv(kernel.expression(shape.queries), size), head = kernel.div(number, perHead);
  return {kernel.div(head, heads), kernel.rem(head, heads), kernel.mul(kernel.rem(number, perHead), size)};
}

QueryStrip::QueryStrip(KernelTask &task, const AttentionShape &shape, ScoreModifiers &modifiers, Value sentence,
                       Value head, Value begin)
    : task(task), kernel(task.builder), shape(shape), modifiers(modifiers), sentence(sentence), head(head),
      begin(begin), end(kernel.min(kernel.add(begin, queries(kernel, shape)), kernel.expression(shape.queries))),
      wholeTile(task, shape, modifiers) {
  wholeTile.startRange(sentence, head, begin, end);
  wholeTile.startStrip();
}

AttentionTile QueryStrip::groupAt(Value firstQuery) {
  AttentionTile tile(task, shape, modifiers);
  tile.start(sentence, head, firstQuery, kernel.div(kernel.sub(firstQuery, begin), kernel.index(kernel.width())));
  return tile;
}

void QueryStrip::eachGroup(llvm::function_ref<void(AttentionTile &)> body) {
  kernel.loop(begin, end, kernel.width(), [&](Value firstQuery) {
    AttentionTile tile = groupAt(firstQuery);
    body(tile);
  });
}

void QueryStrip::eachBlock(llvm::function_ref<void(Value first, Value count)> body) {
  const KeyRange seen = wholeTile.visibleKeys();
  keysEnd = seen.end;
  kernel.loop(seen.begin, seen.end, AttentionTile::keyBlock, [&](Value first) {
    Value count = kernel.min(kernel.sub(seen.end, first), kernel.index(AttentionTile::keyBlock));
    sources.clear();
    wholeTile.startKeys(first, count);
    body(first, count);
  });
}

void QueryStrip::eachTeam(Value first, llvm::function_ref<void(QueryTeam &, Value count)> body,
                          llvm::function_ref<void(QueryTeam &)> otherwise) {
  const int64_t lanes = kernel.width(), groups = QueryTeam::groups(kernel);
  kernel.loop(begin, end, groups * lanes, [&](Value firstQuery) {
    AttentionTile all(task, shape, modifiers);
    all.startRange(sentence, head, firstQuery, kernel.min(end, kernel.add(firstQuery, groups * lanes)));
    SmallVector<AttentionTile> tiles;
    for (int64_t group = 0; group < groups; ++group)
      tiles.emplace_back(groupAt(kernel.add(firstQuery, group * lanes))).joinTeam(group);
    QueryTeam team(kernel, tiles);
    const KeyRange seen = all.visibleKeys();
    Value sees = kernel.bitAnd(kernel.lessEqual(seen.begin, first), kernel.less(first, seen.end));
    auto write = [&] { body(team, kernel.min(kernel.sub(seen.end, first), kernel.index(AttentionTile::keyBlock))); };
    auto hide = [&] { otherwise(team); };
    fetchAhead(first, firstQuery);
    if (otherwise)
      kernel.when(sees, write, hide);
    else
      kernel.when(sees, write);
  });
}

void QueryStrip::fetchAhead(Value first, Value firstQuery) {
  if (sources.empty())
    return;
  constexpr int64_t line = 512; // bits of a line of a cache
  Value size = kernel.index(QueryTeam::groups(kernel) * kernel.width()), next = kernel.index(AttentionTile::keyBlock);
  Value teams = kernel.ceilDiv(kernel.sub(end, begin), size), share = kernel.ceilDiv(next, teams);
  Value from = kernel.add(next, kernel.mul(kernel.div(kernel.sub(firstQuery, begin), size), share));
  Value behind = kernel.min(kernel.add(from, share), kernel.sub(keysEnd, first));
  kernel.loop(from, behind, 1, [&](Value row) {
    for (const HeadRows &rows : sources) {
      const HeadRows own = rowsFrom(kernel, rows, row);
      const int64_t step = line / own.first.element.getIntOrFloatBitWidth();
      for (int64_t column = 0; column < own.width; column += step)
        kernel.prefetch(own.first, kernel.index(column), /*toWrite=*/false, /*locality=*/2);
    }
  });
}

FactorRows QueryStrip::copiedBlock(const HeadRows &rows, Value count, const FactorPlace &place) {
  if (!kernel.target().isWarp)
    sources.push_back(rows);
  return copiedRows(kernel, rows, count, place);
}

} // namespace bifocal
