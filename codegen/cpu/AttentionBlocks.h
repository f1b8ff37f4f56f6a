// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_ATTENTIONBLOCKS_H
#define BIFOCAL_CODEGEN_CPU_ATTENTIONBLOCKS_H

// What the kernels of the attention family do with a block of keys, whatever they make of its weights.

#include "codegen/cpu/AttentionTile.h"

namespace bifocal {

/// Turns the products of the keys [first, first + count) in `weights` ([key][lane]) into scores; returns the running
/// maximum with them.
mlir::Value finishScores(AttentionTile &tile, mlir::Value first, mlir::Value count, const Array &weights,
                         mlir::Value maximum);

/// Turns the scores of the keys [first, first + count) into weights relative to `maximum`, dropped where `drops` is
/// there; returns the running sum of the weights before the drop.
mlir::Value writeWeights(AttentionTile &tile, const Array &weights, const Array &drops, mlir::Value first,
                         mlir::Value count, mlir::Value maximum, mlir::Value sum);

/// sums[d] *= factor, for `width` channels.
void rescale(AttentionTile &tile, const Array &sums, int64_t width, mlir::Value factor);

/// The weight of a key before any drop and without the modifiers' factors, from its score and the log-sums; 0 where a
/// query does not see it.
mlir::Value weightOf(AttentionTile &tile, mlir::Value key, mlir::Value score, mlir::Value lse);

/// The sums of `count` numbers by lanes, some vectors at a time.
mlir::Value sumOf(KernelBuilder &kernel, const Array &numbers, mlir::Value count);

/// Zeros for the rows of all keys.
void zeroKeys(AttentionTile &tile, const HeadRows &target);

/// Where the gradients of keys and values are among the results of a gradient op.
struct KeyResults {
  int64_t key = 1, value = 2;
};
/// Where they are summed up: in f32, in scratch where the tensor is narrow.
Array keySumsOf(KernelTask &task, KeyResults results = {});
Array valueSumsOf(KernelTask &task, KeyResults results = {});
/// Rounds the sums `from` of one head to the element type of `to`, where that is narrow.
void roundKeys(AttentionTile &tile, const HeadRows &from, const HeadRows &to);

} // namespace bifocal
#endif
