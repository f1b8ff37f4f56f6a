// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_LOWERING_H
#define BIFOCAL_CODEGEN_CPU_LOWERING_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace bifocal {

/// The bytes of an ELF shared object that exports every function of `kernels` (a module that the CPU generators wrote
/// for `level`). `kernels` stays as it is.
llvm::Expected<std::string> emitSharedObject(mlir::ModuleOp kernels, llvm::StringRef level);

/// What to say of a level that there is none of.
std::string unknownLevel(llvm::StringRef level);

enum class KernelText { Llvm, Assembly };
/// The optimised LLVM IR or the assembly of `kernels`.
llvm::Expected<std::string> emitKernelText(mlir::ModuleOp kernels, llvm::StringRef level, KernelText kind);

} // namespace bifocal
#endif
