// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionProducts.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// A line of a cache, in f32. Rows lie an odd number of them apart, so that a column of all rows finds room in near
/// memory.
static int64_t copiedStride(int64_t width) {
  constexpr int64_t line = 16;
  return static_cast<int64_t>(llvm::divideCeil(width, line) | 1) * line;
}

Factor factorOf(ArrayRef<Value> tensors, ArrayRef<int64_t> widths, const VectorTarget &target) {
  const bool areEven = llvm::all_of(widths, [](int64_t width) { return width % 2 == 0; });
  const Type element = cast<ShapedType>(tensors.front().getType()).getElementType();
  const bool areAlike = llvm::all_of(
      tensors, [&](Value tensor) { return cast<ShapedType>(tensor.getType()).getElementType() == element; });
  return target.isWarp || !areEven || !areAlike ? Factor::step : PanelFactors(element, target).element;
}

HeadRows rowsFrom(KernelBuilder &kernel, const HeadRows &rows, Value row) {
  HeadRows behind = rows;
  behind.first = kernel.from(rows.first, kernel.mul(row, rows.stride));
  return behind;
}

HeadRows factorsOverChannels(const HeadRows &rows, Factor factor) {
  if (factor != Factor::pair)
    return {rows.first, rows.stride, rows.width, factor};
  const Type pair = Float32Type::get(rows.first.element.getContext());
  return {{rows.first.base, pair}, rows.stride / 2, rows.width / 2, factor};
}

FactorPlace FactorPlace::onStack(KernelBuilder &kernel, Factor factor, int64_t count, int64_t width, Sums sums) {
  FactorPlace place{factor, {}, {}};
  if (kernel.target().isWarp)
    return place;
  if (factor != Factor::pair) {
    place.overChannels = place.overRows = kernel.stackArray(count * copiedStride(width));
    return place;
  }
  if (sums & channels)
    place.overChannels = kernel.stackArray(count * copiedStride(elementsOf(factor, width)));
  if (sums & rows)
    place.overRows = kernel.stackArray(count * copiedStride(width));
  return place;
}

static HeadRows copiedNear(KernelBuilder &kernel, const HeadRows &rows, Value count, const Array &target) {
  HeadRows copies = rows;
  copies.first = target;
  copies.stride = copiedStride(rows.width);
  kernel.loop(kernel.index(0), count, 1, [&](Value row) {
    const Array from = rowsFrom(kernel, rows, row).first, to = rowsFrom(kernel, copies, row).first;
    kernel.columns(rows.width, 4, [&](Value at, Value mask, int64_t) {
      kernel.storeVector(kernel.loadVector(from, at, mask), to, at, mask);
    });
  });
  return copies;
}

FactorRows copiedRows(KernelBuilder &kernel, const HeadRows &rows, Value count, const FactorPlace &place) {
  FactorRows copies{rows, rows};
  if (place.overChannels)
    copies.overChannels = copiedNear(kernel, factorsOverChannels(rows, place.factor), count, place.overChannels);
  if (place.factor != Factor::pair)
    copies.overRows = copies.overChannels;
  else if (place.overRows)
    copies.overRows = copiedNear(kernel, rows, count, place.overRows);
  return copies;
}

Values inGroups(KernelBuilder &kernel, Value count, ValueRange initial, int64_t most,
                llvm::function_ref<Values(Value, int64_t, ValueRange)> body) {
  Values state(initial);
  Value begin = kernel.index(0);
  for (int64_t group = most; group >= 1; group /= 2) {
    Value end = kernel.mul(kernel.div(count, kernel.index(group)), group);
    state =
        kernel.loop(begin, end, group, state, [&](Value at, ValueRange carried) { return body(at, group, carried); });
    begin = end;
  }
  return state;
}

Values productsOverChannels(KernelBuilder &kernel, ArrayRef<Array> columns, const HeadRows &rows, int64_t group) {
  const int64_t unrolled = rows.width % 4 == 0 ? 4 : rows.factor == Factor::halfOfPair ? 2 : 1;
  const auto vectors = static_cast<int64_t>(columns.size());
  Values zeros(group * vectors, kernel.constantVector(0.0));
  return kernel.loop(kernel.index(0), kernel.index(rows.width), unrolled, zeros, [&](Value column, ValueRange sums) {
    Values next(sums);
    for (int64_t i = 0; i < unrolled; ++i) {
      Value at = kernel.add(column, stepAddedAs(rows.factor, i));
      Values queries;
      for (const Array &own : columns)
        queries.push_back(kernel.loadVector(own, kernel.mul(at, kernel.width())));
      for (int64_t key = 0; key < group; ++key) {
        Value element = kernel.splat(kernel.load(rows.first, kernel.add(at, key * rows.stride)));
        for (int64_t v = 0; v < vectors; ++v) {
          Value &sum = next[key * vectors + v];
          sum = multiplyAdd(kernel, rows.factor, queries[v], element, sum);
        }
      }
    }
    return next;
  });
}

Value productOfColumns(KernelBuilder &kernel, Factor factor, const Array &a, const Array &b, int64_t width) {
  const int64_t lanes = kernel.width(), unrolled = factor == Factor::halfOfPair ? 2 : 1;
  Values sum =
      kernel.loop(kernel.index(0), kernel.index(width), unrolled, kernel.constantVector(0.0),
                  [&](Value column, ValueRange carried) {
                    Value next = carried[0];
                    for (int64_t i = 0; i < unrolled; ++i) {
                      Value at = kernel.mul(kernel.add(column, stepAddedAs(factor, i)), lanes);
                      next = multiplyAdd(kernel, factor, kernel.loadVector(a, at), kernel.loadVector(b, at), next);
                    }
                    return Values{next};
                  });
  return sum[0];
}

// Some columns at a time, whose sums stay in registers while all keys are added.
void addWeighted(KernelBuilder &kernel, ArrayRef<Array> weights, Value keys, const HeadRows &rows,
                 ArrayRef<Array> sums) {
  const int64_t lanes = kernel.width();
  const auto vectors = static_cast<int64_t>(weights.size());
  auto columnsFrom = [&](Value column, int64_t columns) {
    auto placeOf = [&](int64_t i) { return kernel.mul(kernel.add(column, i), lanes); };
    Values start;
    for (int64_t i = 0; i < columns; ++i)
      for (const Array &own : sums)
        start.push_back(kernel.loadVector(own, placeOf(i)));
    auto addKey = [&](Value key, Values &next) {
      Values weight;
      for (const Array &own : weights)
        weight.push_back(kernel.loadVector(own, kernel.mul(key, lanes)));
      Value row = kernel.add(kernel.mul(key, rows.stride), column);
      for (int64_t i = 0; i < columns; ++i) {
        Value element = kernel.splat(kernel.load(rows.first, kernel.add(row, i)));
        for (int64_t v = 0; v < vectors; ++v)
          next[i * vectors + v] = kernel.fma(weight[v], element, next[i * vectors + v]);
      }
    };
    Values end =
        inGroups(kernel, keys, start, unrolledSteps(kernel, 4), [&](Value key, int64_t group, ValueRange carried) {
          Values next(carried);
          for (int64_t i = 0; i < group; ++i)
            addKey(kernel.add(key, i), next);
          return next;
        });
    for (int64_t i = 0; i < columns; ++i)
      for (int64_t v = 0; v < vectors; ++v)
        kernel.storeVector(end[i * vectors + v], sums[v], placeOf(i));
  };
  const int64_t columns = 8 / vectors, whole = rows.width / columns * columns;
  if (whole > 0)
    kernel.loop(kernel.index(0), kernel.index(whole), columns, [&](Value column) { columnsFrom(column, columns); });
  if (whole < rows.width)
    columnsFrom(kernel.index(whole), rows.width - whole);
}

namespace {

/// target[key][d] += factor * sum over the queries of weights[key][query] * rows[query][d].
class KeyRowSums {
public:
  KeyRowSums(KernelBuilder &kernel, const QueryWeights &weights, const HeadRows &rows, const HeadRows &target,
             double factor)
      : kernel(kernel), weights(weights), rows(rows), target(target), factor(factor) {}

  /// For the first `count` keys and the vectors of columns from `column` on, with a mask each.
  void add(Value count, Value column, ArrayRef<Value> masks) {
    Value pairs = kernel.mul(kernel.div(count, kernel.index(2)), 2);
    kernel.loop(kernel.index(0), pairs, 2, [&](Value key) { addTo(key, 2, column, masks); });
    kernel.loop(pairs, count, 1, [&](Value key) { addTo(key, 1, column, masks); });
  }

private:
  void addTo(Value key, int64_t group, Value column, ArrayRef<Value> masks);
  Values overQueries(ValueRange zeros, llvm::function_ref<Values(Value, const Array &, Value, ValueRange)> body);
  Value place(Value key, int64_t stride, Value column, int64_t vector) {
    return kernel.add(kernel.mul(key, stride), kernel.add(column, vector * kernel.width()));
  }

  KernelBuilder &kernel;
  QueryWeights weights;
  HeadRows rows, target;
  double factor;
};

} // namespace

/// The sums over all queries: in each step some keys and some columns of the next query.
Values KeyRowSums::overQueries(ValueRange zeros,
                               llvm::function_ref<Values(Value, const Array &, Value, ValueRange)> body) {
  const int64_t lanes = kernel.width();
  auto overLanes = [&](const Array &own, Value first, Value queries, ValueRange sums) {
    return inGroups(kernel, queries, sums, unrolledSteps(kernel, 8),
                    [&](Value lane, int64_t group, ValueRange carried) {
                      Values next(carried);
                      for (int64_t i = 0; i < group; ++i) {
                        Value at = kernel.add(lane, i);
                        next = body(kernel.add(first, at), own, at, next);
                      }
                      return next;
                    });
  };
  if (weights.perGroup == 0)
    return overLanes(weights.first, kernel.index(0), weights.queries, zeros);
  return kernel.loop(kernel.index(0), weights.queries, lanes, zeros, [&](Value first, ValueRange sums) {
    Value group = kernel.div(first, kernel.index(lanes));
    return overLanes(kernel.from(weights.first, kernel.mul(group, weights.perGroup)), first,
                     kernel.min(kernel.sub(weights.queries, first), kernel.index(lanes)), sums);
  });
}

void KeyRowSums::addTo(Value key, int64_t group, Value column, ArrayRef<Value> masks) {
  const auto vectors = static_cast<int64_t>(masks.size());
  auto eachSum = [&](llvm::function_ref<void(Value at, int64_t sum, Value mask)> body) {
    for (int64_t i = 0; i < group; ++i)
      for (int64_t v = 0; v < vectors; ++v)
        body(place(kernel.add(key, i), target.stride, column, v), i * vectors + v, masks[v]);
  };
  // Rows of a tensor are far apart: they come while the sums are taken.
  if (weights.perGroup > 0)
    eachSum([&](Value at, int64_t, Value) { kernel.prefetch(target.first, at, /*toWrite=*/true); });
  Values zeros(group * vectors, kernel.constantVector(0.0));
  Values sums = overQueries(zeros, [&](Value query, const Array &own, Value lane, ValueRange carried) {
    Values next(carried), row;
    for (int64_t v = 0; v < vectors; ++v)
      row.push_back(kernel.loadVector(rows.first, place(query, rows.stride, column, v), masks[v]));
    for (int64_t i = 0; i < group; ++i) {
      Value weight = kernel.splat(kernel.load(own, kernel.add(kernel.mul(kernel.add(key, i), kernel.width()), lane)));
      for (int64_t v = 0; v < vectors; ++v)
        next[i * vectors + v] = kernel.fma(weight, row[v], next[i * vectors + v]);
    }
    return next;
  });
  eachSum([&](Value at, int64_t sum, Value mask) {
    Value before = kernel.loadVector(target.first, at, mask);
    kernel.storeVector(kernel.fma(sums[sum], kernel.constantVector(factor), before), target.first, at, mask);
  });
}

void addToKeys(KernelBuilder &kernel, const QueryWeights &weights, Value count, const HeadRows &rows,
               const HeadRows &target, double factor) {
  KeyRowSums sums(kernel, weights, rows, target, factor);
  const int64_t lanes = kernel.width(), columns = rows.width;
  // Four vectors of columns at a time; the rest, with its tail, in one go.
  const int64_t step = 4 * lanes, whole = columns / step * step;
  if (whole > 0)
    kernel.loop(kernel.index(0), kernel.index(whole), step,
                [&](Value column) { sums.add(count, column, SmallVector<Value>(4)); });
  SmallVector<Value> masks;
  for (int64_t column = whole; column < columns; column += lanes)
    masks.push_back(column + lanes <= columns ? Value() : kernel.tailMask(columns - column));
  if (!masks.empty())
    sums.add(count, kernel.index(whole), masks);
}

} // namespace bifocal
