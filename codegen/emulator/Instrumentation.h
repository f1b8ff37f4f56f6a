// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_INSTRUMENTATION_H
#define BIFOCAL_CODEGEN_EMULATOR_INSTRUMENTATION_H

// Makes a module for NVPTX into one that the host executes: intrinsics become calls of the emulator, every access to
// memory is announced to it first, and shared variables become places in the shared memory of a block.

#include "codegen/emulator/Machine.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

namespace bifocal::emulator {

/// What a launch has to fit.
struct KernelInfo {
  std::string name;
  /// Bytes of every parameter.
  std::vector<size_t> parameters;
  /// `reqntid` or `maxntid` of the kernel; zeros where the IR says nothing.
  Dim3 required{0, 0, 0}, most{0, 0, 0};
  Machine::SharedLayout shared;
};

struct InstrumentedModule {
  /// The text that lines of sites count in: the module as it came.
  std::string text;
  std::vector<Site> sites;
  std::vector<KernelInfo> kernels;
};

/// Name of the function that runs a kernel on a list of pointers to its parameters.
std::string entryName(llvm::StringRef kernel);

/// Rewrites `module` for a host of the given data layout and triple. An intrinsic, assembly text or function that the
/// emulator does not know is an error: there are no gaps that a kernel could fall through.
llvm::Expected<InstrumentedModule> instrument(llvm::Module &module, const llvm::DataLayout &layout,
                                              llvm::StringRef triple);

} // namespace bifocal::emulator
#endif
