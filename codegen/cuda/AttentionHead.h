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

  /// Whether `tensors` have elements of 16 bits, all of one type, and heads of whole tiles.
  static bool fits(const AttentionShape &shape, mlir::ValueRange tensors);

  /// To be made inside of a stage: takes places on the stack.
  AttentionHead(KernelTask &task, TileBuilder &tiles, const AttentionShape &shape, mlir::Type element);

  /// Chooses head `number` among those of all sentences.
  void place(Value number);
  Value number() const { return headNumber; }
  /// The sentence, and the head within it.
  std::pair<Value, Value> inSentence() const { return {sentence, head}; }
  Value queries() const { return queryCount; }
  Value keys() const { return keyCount; }

  /// A place of `rows` rows of the head on the stack.
  Matrix stackRows(int64_t rows) { return tiles.stackMatrix(element, rows, shape.headDim); }
  /// The head's rows in a tensor [B, all, C].
  Matrix rowsOf(const Array &tensor, Value all);
  /// Copies `count` of its rows onto the stack, zeros for those that the tensor does not have.
  void copyRows(const Array &tensor, Value all, Value first, int64_t count, const Matrix &target);
  /// Writes 16 rows of sums, multiplied by `factor`, to the tensor from row `first` on, by way of 16 rows of the stack.
  void writeRows(llvm::ArrayRef<Sums> rows, double factor, const Matrix &stack, const Array &tensor, Value all,
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
  /// The products of 16 rows of `left` with `groups` (an even number) times eight rows of `right`.
  llvm::SmallVector<Sums> scores(const Matrix &left, const Matrix &right, int64_t groups);
  /// Multiplies a tile by the factors of a dropout: those above 0 keep what they meet.
  Value drop(Value tile, Value factors);

private:
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
