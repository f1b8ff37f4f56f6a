// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_MATHINTRINSICS_H
#define BIFOCAL_CODEGEN_EMULATOR_MATHINTRINSICS_H

#include "llvm/IR/IRBuilder.h"

namespace bifocal::emulator {

/// The value of the arithmetic intrinsic `llvm.nvvm.` + `name`, computed by plain instructions in front of `call`; null
/// when it is none. Approximations are computed exactly, then rounded to f32.
llvm::Value *expandMath(llvm::StringRef name, llvm::CallInst &call, llvm::IRBuilder<> &builder);

} // namespace bifocal::emulator
#endif
