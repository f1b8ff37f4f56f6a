// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_CONVKERNELS_H
#define BIFOCAL_CODEGEN_CPU_CONVKERNELS_H

#include "codegen/cpu/ConvTiles.h"
#include "codegen/cpu/CpuKernels.h"

namespace bifocal {

// The generators of the conv family: each writes the stages that scheduleConv promises.
void writeLightConvGrad(KernelTask &task, LightConvGradOp op, const ConvShape &shape);
void writeDynamicConv(KernelTask &task, DynamicConvOp op, const ConvShape &shape);
void writeDynamicConvGrad(KernelTask &task, DynamicConvGradOp op, const ConvShape &shape);
/// The bias of the channels of the tile's head; null where `bias` is.
Array biasOfHead(KernelTask &task, mlir::Value bias, const ConvShape &shape, const ConvTile &tile);
/// Of light_conv_grad: the place of a tile's share of the tap gradients, one sum for every tap and zeros up to the next
/// whole vector; and the second stage, which adds the shares up head by head in a fixed order.
Array shareOfTapGradients(KernelTask &task, const ConvShape &shape, const ConvTile &tile);
void writeTapGradients(KernelTask &task, LightConvGradOp op, const ConvShape &shape);
/// light_conv_step and dynamic_conv_step.
void writeConvStep(KernelTask &task);

} // namespace bifocal
#endif
