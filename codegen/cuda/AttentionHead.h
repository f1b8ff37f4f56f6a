// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_ATTENTIONHEAD_H
#define BIFOCAL_CODEGEN_CUDA_ATTENTIONHEAD_H

// What the kernels of the attention family on tensor cores share: one head of one sentence, where its rows are, and
// which keys its queries see.

#include "codegen/cpu/AttentionTile.h"
#include "codegen/cuda/RelativePairs.h"

namespace bifocal {

class AttentionHead {
public:
  using Value = mlir::Value;
  using Sums = TileBuilder::Sums;

  /// Keys that are on the stack at a time.
  static constexpr int64_t stackedKeys = 32;
  /// Channels whose sums fit the registers, of all parts of a head together.
  static constexpr int64_t widestHead = 128;

  /// Whether `tensors` have elements of 16 bits, all of one type, and heads of whole tiles that are not too wide. Rows
  /// of positions may be of f32 instead.
  static bool fits(const AttentionShape &shape, mlir::ValueRange tensors);

  /// To be made inside of a stage: takes places on the stack, for a pass of this direction.
  AttentionHead(KernelTask &task, TileBuilder &tiles, const AttentionShape &shape, mlir::Type element, Pass pass);

  /// Chooses head `number` among those of all sentences, with the head of keys and values that it reads.
  void place(Value number);
  Value number() const { return headNumber; }
  /// The sentence, and the head within it.
  std::pair<Value, Value> inSentence() const { return {sentence, head}; }
  Value queries() const { return queryCount; }

  /// What the rows of a tensor are: it says how many there are, and which channels are the head's, those of all score
  /// maps side by side.
  enum class Rows : uint8_t { query, key, value, output };
  int64_t widthOf(Rows kind) const {
    return kind == Rows::query || kind == Rows::key ? shape.sizes.maps * shape.sizes.key : shape.sizes.value;
  }
  /// The widest rows of any kind.
  static int64_t width(const HeadSizes &sizes) { return std::max(sizes.maps * sizes.key, sizes.value); }
  int64_t width() const { return width(shape.sizes); }
  /// A place of `rows` rows of `columns` elements on the stack.
  Matrix stackRows(int64_t rows, int64_t columns) { return tiles.stackMatrix(element, rows, columns); }
  /// Copies `count` of the head's rows onto the stack, zeros for those that the tensor does not have.
  void copyRows(Rows kind, const Array &tensor, Value first, int64_t count, const Matrix &target);
  /// Writes 16 rows of sums, multiplied by `factor`, to the tensor from row `first` on, by way of 16 rows of the stack.
  void writeRows(Rows kind, llvm::ArrayRef<Sums> rows, double factor, const Matrix &stack, const Array &tensor,
                 Value first);
  /// Where the numbers of the queries from `first` on begin in a tensor of one for each score map and query, as `lse`.
  Value statisticsAt(Value first, int64_t map);

  /// Looks which of the keys [firstKey, firstKey + stackedKeys) are real, for `visible`. Keys are counted from here.
  void loadSeen(Value firstKey);
  Value keyOf(Value key) { return kernel.add(seenFrom, key); }
  /// Which elements of a tile of eight queries from `query` on and of eight keys count, the first of them `key` behind
  /// the first one of `loadSeen`: keys that are real and that the op lets the query see.
  Value visible(Value query, Value key, TileKeys keys);
  /// How many steps the queries of such a tile are behind its keys.
  Value steps(Value query, Value key, TileKeys keys);

  /// Multiplies a tile by the factors of a dropout: those above 0 keep what they meet.
  Value drop(Value tile, Value factors);

  /// Of relative attention.
  std::optional<RelativePairs> relative;

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
