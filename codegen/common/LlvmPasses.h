// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_COMMON_LLVMPASSES_H
#define BIFOCAL_CODEGEN_COMMON_LLVMPASSES_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/IR/PassManager.h"

namespace llvm {
class PassBuilder;
class TargetMachine;
} // namespace llvm

namespace bifocal {

/// Runs LLVM's passes on the code of kernels. They call nothing outside of themselves, on no machine, so no loop may
/// become a call of memset or memcpy, or of any other function of a library.
void runLlvmPasses(llvm::Module &module, llvm::TargetMachine &machine,
                   llvm::function_ref<llvm::ModulePassManager(llvm::PassBuilder &)> passes);

} // namespace bifocal
#endif
