// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_KERNELCACHE_H
#define BIFOCAL_CODEGEN_KERNELCACHE_H

// Machine code of kernels that were compiled before. LLVM and ptxas take nearly all the time of a compilation, and a
// change of a spec leaves most entry points, often all kernels of a target, as they were.

#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <map>
#include <string>

namespace bifocal {

/// Entries of an artifact, by name.
using KernelFiles = std::map<std::string, std::string>;

/// A folder with one file for each set of kernels: $BIFOCAL_CACHE_DIR, which turns the cache off where it is empty;
/// else `bifocal` in $XDG_CACHE_HOME or in ~/.cache. Files are known by all that decides about their content: the
/// kernels as bytecode, the target, this very program with its libraries, the linker and ptxas. What is damaged counts
/// as not there, and what cannot be written is not kept: a cache never fails a compilation. The oldest files go when
/// there is more than 1 GiB.
class KernelCache {
public:
  KernelCache();

  /// The files of `kernels` for `target`, from the folder or else from `make`.
  llvm::Expected<KernelFiles> get(mlir::Operation *kernels, llvm::StringRef target,
                                  llvm::function_ref<llvm::Expected<KernelFiles>()> make) const;

private:
  std::string folder; ///< empty: no cache
};

} // namespace bifocal
#endif
