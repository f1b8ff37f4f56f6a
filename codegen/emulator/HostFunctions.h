// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_HOSTFUNCTIONS_H
#define BIFOCAL_CODEGEN_EMULATOR_HOSTFUNCTIONS_H

#include "llvm/ExecutionEngine/Orc/LLJIT.h"

namespace bifocal::emulator {

/// Makes the functions that instrumented kernels call known to `jit`.
llvm::Error defineHostFunctions(llvm::orc::LLJIT &jit);

} // namespace bifocal::emulator
#endif
