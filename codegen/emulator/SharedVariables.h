// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_SHAREDVARIABLES_H
#define BIFOCAL_CODEGEN_EMULATOR_SHAREDVARIABLES_H

#include "codegen/emulator/Machine.h"
#include "llvm/IR/Module.h"

namespace bifocal::emulator {

/// Address space of shared memory in IR for NVPTX.
constexpr unsigned sharedSpace = 3;

/// Gives every shared variable of `module` a place in a block's shared memory, replaces its uses by that place, and
/// erases it. An external array without elements is the dynamic part, which is last.
Machine::SharedLayout placeSharedVariables(llvm::Module &module);

} // namespace bifocal::emulator
#endif
