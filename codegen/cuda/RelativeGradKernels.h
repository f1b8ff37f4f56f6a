// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_RELATIVEGRADKERNELS_H
#define BIFOCAL_CODEGEN_CUDA_RELATIVEGRADKERNELS_H

// What only relative_attention_grad has on tensor cores: gradients of positions.

#include "codegen/cuda/AttentionGradTile.h"

namespace bifocal {

/// Tiles of 16 distances of a head.
mlir::AffineExpr distanceTiles(const AttentionShape &shape);
/// Tile `number` of the distances of head `head` among those of all sentences: its share of the gradient of positions,
/// from all queries that have a key so far away.
void writeDistanceTile(KernelTask &task, AttentionGradTile &tile, TileBuilder &tiles, const AttentionShape &shape,
                       mlir::Value head, mlir::Value number);

} // namespace bifocal
#endif
