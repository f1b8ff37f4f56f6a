// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_EMULATEDPRODUCTS_H
#define BIFOCAL_CODEGEN_EMULATOR_EMULATEDPRODUCTS_H

#include "runtime/cuda/Driver.h"

namespace bifocal::emulator {

/// What a library of products does on a GPU. Every element is one chain of fused multiply-adds over the inner axis in
/// ascending order, as on the CPU (runtime/cpu/Gemm.h): f32 results have the same bits.
void multiply(const cuda::Product &product);

} // namespace bifocal::emulator
#endif
