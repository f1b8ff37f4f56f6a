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
/// light_conv_step and dynamic_conv_step.
void writeConvStep(KernelTask &task);

} // namespace bifocal
#endif
