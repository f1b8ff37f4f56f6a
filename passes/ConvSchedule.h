// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_CONVSCHEDULE_H
#define BIFOCAL_PASSES_CONVSCHEDULE_H

#include "passes/KernelSchedule.h"

namespace bifocal {

/// Time steps of one tile of light_conv and of dynamic_conv. Multiples of 8.
constexpr int64_t lightConvChunk = 128;
constexpr int64_t dynamicConvChunk = 64;
/// Hypotheses of one tile of a decoding step.
constexpr int64_t convStepRows = 8;
/// Taps that one slab of inputs serves; longer filters are taken block by block.
constexpr int64_t tapBlock = 512;
/// Zeros on both sides of a row of dynamic taps, so that four neighbouring rows can be read along a diagonal.
constexpr int64_t tapGuard = 3;

/// What the kernels of light_conv, dynamic_conv and their gradients share.
struct ConvShape {
  /// Over the launch's sizes.
  mlir::AffineExpr batch, steps;
  int64_t channels = 0, heads = 0, kernelSize = 0, leftPadding = 0;
  bool normalized = false, renormalized = false, compat = false;
  float dropRate = 0;
  int64_t site = 0;

  /// Channels of one head.
  int64_t headWidth() const { return channels / heads; }
};

/// Empty when `op` is no convolution over sequences, or its channels are not static.
std::optional<ConvShape> describeConv(mlir::Operation *op);

/// Elements between two rows of sums for the taps of light_conv.
int64_t partialTaps(const ConvShape &shape);
/// Elements of one row of dynamic taps with its guards.
int64_t guardedTaps(const ConvShape &shape);

} // namespace bifocal
#endif
