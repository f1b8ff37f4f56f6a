// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_ATTENTIONHEAD_H
#define BIFOCAL_CODEGEN_CUDA_ATTENTIONHEAD_H

// What the kernels of attention on tensor cores share: one head of one sentence, where its rows are, which keys its
// queries see, and how its weights become factors of 16 bits.

#include "codegen/cpu/AttentionTile.h"
#include "codegen/cuda/TileBuilder.h"

namespace bifocal {

class AttentionHead {
public:
  using Value = mlir::Value;
  using Sums = TileBuilder::Sums;

  /// Keys that are on the stack at a time, and queries that are drawn for at a time.
  static constexpr int64_t stackedKeys = 32, drawnQueries = 32;
  /// The sums of longer heads do not fit the registers.
  static constexpr int64_t widestHead = 128;

  /// Whether `tensors` have elements of 16 bits, all of one type, and heads of whole tiles with one score map.
  static bool fits(const AttentionShape &shape, mlir::ValueRange tensors);

  /// To be made inside of a stage: takes places on the stack.
  AttentionHead(KernelTask &task, TileBuilder &tiles, const AttentionShape &shape, mlir::Type element);

  /// Chooses head `number` among those of all sentences, with the head of keys and values that it reads.
  void place(Value number);
  Value number() const { return headNumber; }
  /// The sentence, and the head within it.
  std::pair<Value, Value> inSentence() const { return {sentence, head}; }
  Value queries() const { return queryCount; }
  Value keys() const { return keyCount; }

  /// What the rows of a tensor are: it says how many there are, and which channels are the head's.
  enum class Rows : uint8_t { query, key, value, output };
  int64_t widthOf(Rows kind) const {
    return kind == Rows::query || kind == Rows::key ? shape.sizes.key : shape.sizes.value;
  }
  /// The widest rows of any kind.
  int64_t width() const { return std::max(shape.sizes.key, shape.sizes.value); }
  /// A place of `rows` rows of `columns` elements on the stack.
  Matrix stackRows(int64_t rows, int64_t columns) { return tiles.stackMatrix(element, rows, columns); }
  /// Copies `count` of the head's rows onto the stack, zeros for those that the tensor does not have.
  void copyRows(Rows kind, const Array &tensor, Value first, int64_t count, const Matrix &target);
  /// Writes 16 rows of sums, multiplied by `factor`, to the tensor from row `first` on, by way of 16 rows of the stack.
  void writeRows(Rows kind, llvm::ArrayRef<Sums> rows, double factor, const Matrix &stack, const Array &tensor,
                 Value first);

  /// Looks which of the keys [firstKey, firstKey + stackedKeys) are real, for `visible`.
  void loadSeen(Value firstKey);
  enum class Keys : uint8_t { inColumns, inRows };
  /// Which elements of a tile of eight queries from `query` on and of eight keys count, the first of them `key` behind
  /// the first one of `loadSeen`: keys that are real and, of a causal op, not later than the query.
  Value visible(Value query, Value key, Keys keys);

  /// sums[column] += left x right: 16 rows of `left`, two tiles of eight columns each as the sum of two factors of 16
  /// bits; 16 rows of `right`.
  void addProduct(const Sums &left0, const Sums &left1, const Matrix &right, llvm::MutableArrayRef<Sums> sums);
  /// The products of 16 rows of `left` with `groups` (an even number) times eight rows of `right`, over `columns`.
  llvm::SmallVector<Sums> scores(const Matrix &left, const Matrix &right, int64_t groups, int64_t columns);
  /// Multiplies a tile by the factors of a dropout: those above 0 keep what they meet.
  Value drop(Value tile, Value factors);

private:
  /// The rows of the head, and how many there are.
  Matrix rowsOf(Rows kind, const Array &tensor);
  Value allOf(Rows kind) const { return kind == Rows::query || kind == Rows::output ? queryCount : keyCount; }

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder &tiles;
  const AttentionShape &shape;
  mlir::Type element;
  Value headNumber, sentence, head, queryCount, keyCount, seenFrom;
  /// 1 at the keys that are real.
  Array seen;
};

} // namespace bifocal
#endif
