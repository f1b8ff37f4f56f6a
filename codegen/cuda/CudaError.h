// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_CUDAERROR_H
#define BIFOCAL_CODEGEN_CUDA_CUDAERROR_H

#include "llvm/Support/Error.h"

#include <system_error>

namespace bifocal {

/// An error of codegen/cuda. Its code says whose fault it is: `invalid_argument` the kernel's, `not_supported` this
/// machine's or build's, `state_not_recoverable` ours; any other code comes from the operating system.
inline llvm::Error makeCudaError(std::errc code, const llvm::Twine &message) {
  return llvm::createStringError(std::make_error_code(code), message);
}

} // namespace bifocal
#endif
