// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_ATTENTIONSTRIP_H
#define BIFOCAL_CODEGEN_CPU_ATTENTIONSTRIP_H

#include "codegen/cpu/AttentionTile.h"

namespace bifocal {

/// Groups of queries, neighbours in a strip, whose products share what is loaded of keys and values.
class QueryTeam {
public:
  using Value = mlir::Value;

  /// Groups of a team: as many as the registers of a CPU have room for beside the elements of rows.
  static int64_t groups(const KernelBuilder &kernel) { return kernel.target().isWarp ? 1 : 2; }

  QueryTeam(KernelBuilder &kernel, llvm::ArrayRef<AttentionTile> tiles)
      : kernel(kernel), tiles(tiles.begin(), tiles.end()) {}

  /// The places that the groups have in `all`, of `size` numbers each.
  llvm::SmallVector<Array> own(const Array &all, int64_t size);
  /// The same where teams take turns in `all`, which has places for one of them.
  llvm::SmallVector<Array> inTurn(const Array &all, int64_t size);
  /// The products of the first `count` rows with the queries of the groups (factors, [d][lane]), to `target`
  /// ([key][lane]).
  void products(llvm::ArrayRef<Array> queries, const HeadRows &rows, Value count, llvm::ArrayRef<Array> target);
  /// sums[d][lane] += sum over the first `count` rows of weights[key][lane] * row[d], for each group.
  void addWeighted(llvm::ArrayRef<Array> weights, Value count, const HeadRows &rows, llvm::ArrayRef<Array> sums) {
    bifocal::addWeighted(kernel, weights, count, rows, sums);
  }
  /// Zeros for the keys [begin, end) of [key][lane].
  void fillZero(llvm::ArrayRef<Array> target, Value begin, Value end);
  /// For the groups that have queries; what those behind the last one have in their places is read by nobody else.
  void each(llvm::function_ref<void(AttentionTile &)> body);

private:
  KernelBuilder &kernel;
  llvm::SmallVector<AttentionTile> tiles;
};

/// The queries of one head that go over its keys together, in groups of as many as a vector has lanes: a block of keys
/// and values comes out of far memory once for all of them. What a group has to keep from block to block lies on the
/// stack, in a place of its own.
class QueryStrip {
public:
  using Value = mlir::Value;

  /// Queries of a strip.
  static int64_t queries(const KernelBuilder &kernel, const AttentionShape &shape);
  /// Groups of a strip, so many places there are for what each of them keeps.
  static int64_t groups(const KernelBuilder &kernel, const AttentionShape &shape) {
    return queries(kernel, shape) / kernel.width();
  }
  /// The tiles of a forward pass where the target cuts its work otherwise than the schedule: a strip each.
  static mlir::AffineExpr tiles(const KernelTask &task, const AttentionShape &shape);
  /// Strip `number` among all of a forward pass: its sentence, its head and its first query.
  static std::array<Value, 3> placeOf(KernelTask &task, const AttentionShape &shape, Value number);

  /// The queries from `begin` on of a head, as many as a strip takes and there are.
  QueryStrip(KernelTask &task, const AttentionShape &shape, ScoreModifiers &modifiers, Value sentence, Value head,
             Value begin);

  void eachGroup(llvm::function_ref<void(AttentionTile &)> body);
  /// For each block of keys that any query sees: [first, first + count).
  void eachBlock(llvm::function_ref<void(Value first, Value count)> body);
  /// For each team that sees keys of the block from `first` on, with their number; `otherwise` for the other teams.
  void eachTeam(Value first, llvm::function_ref<void(QueryTeam &, Value count)> body,
                llvm::function_ref<void(QueryTeam &)> otherwise = {});

  /// For the rows of keys and values.
  AttentionTile &whole() { return wholeTile; }
  /// `copiedRows` of the keys or values of a block; while teams work on them, the rows behind them are on their way.
  FactorRows copiedBlock(const HeadRows &rows, Value count, const FactorPlace &place);

private:
  AttentionTile groupAt(Value firstQuery);
  /// Asks for a share of the rows behind the block at `first`: that of the team from `firstQuery` on.
  void fetchAhead(Value first, Value firstQuery);

  KernelTask &task;
  KernelBuilder &kernel;
  const AttentionShape &shape;
  ScoreModifiers &modifiers;
  Value sentence, head, begin, end;
  AttentionTile wholeTile;
  // Of the block that is written: the end of all keys, and where its rows were copied from.
  Value keysEnd;
  llvm::SmallVector<HeadRows, 3> sources;
};

} // namespace bifocal
#endif
