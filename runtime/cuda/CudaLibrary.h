// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CUDA_CUDALIBRARY_H
#define BIFOCAL_RUNTIME_CUDA_CUDALIBRARY_H

// NVIDIA's driver and library of products, looked up at run time: one program starts on every machine.

#include "runtime/core/Status.h"

#include <cublasLt.h>
#include <cuda.h>
#include <memory>
#include <string>

namespace bifocal::cuda {

// The headers define some of these names as macros for newer versions of the functions; they expand here.
#define BIFOCAL_DRIVER_FUNCTIONS(X)                                                                                    \
  X(cuInit)                                                                                                            \
  X(cuGetErrorString)                                                                                                  \
  X(cuDeviceGet)                                                                                                       \
  X(cuDeviceGetName)                                                                                                   \
  X(cuDeviceGetAttribute)                                                                                              \
  X(cuDevicePrimaryCtxRetain)                                                                                          \
  X(cuDevicePrimaryCtxReset)                                                                                           \
  X(cuCtxSetCurrent)                                                                                                   \
  X(cuMemAlloc)                                                                                                        \
  X(cuMemFree)                                                                                                         \
  X(cuMemHostAlloc)                                                                                                    \
  X(cuMemFreeHost)                                                                                                     \
  X(cuMemcpyAsync)                                                                                                     \
  X(cuMemsetD32Async)                                                                                                  \
  X(cuMemsetD8Async)                                                                                                   \
  X(cuModuleLoadDataEx)                                                                                                \
  X(cuModuleUnload)                                                                                                    \
  X(cuModuleGetFunction)                                                                                               \
  X(cuFuncSetAttribute)                                                                                                \
  X(cuLaunchKernel)                                                                                                    \
  X(cuStreamCreate)                                                                                                    \
  X(cuStreamDestroy)                                                                                                   \
  X(cuStreamSynchronize)                                                                                               \
  X(cuEventCreate)                                                                                                     \
  X(cuEventDestroy)                                                                                                    \
  X(cuEventRecord)                                                                                                     \
  X(cuEventSynchronize)                                                                                                \
  X(cuEventElapsedTime)                                                                                                \
  X(cuStreamBeginCapture)                                                                                              \
  X(cuStreamEndCapture)                                                                                                \
  X(cuGraphInstantiate)                                                                                                \
  X(cuGraphLaunch)                                                                                                     \
  X(cuGraphDestroy)                                                                                                    \
  X(cuGraphExecDestroy)

#define BIFOCAL_PRODUCT_FUNCTIONS(X)                                                                                   \
  X(cublasLtCreate)                                                                                                    \
  X(cublasLtDestroy)                                                                                                   \
  X(cublasLtMatmul)                                                                                                    \
  X(cublasLtMatmulAlgoGetHeuristic)                                                                                    \
  X(cublasLtMatmulDescCreate)                                                                                          \
  X(cublasLtMatmulDescDestroy)                                                                                         \
  X(cublasLtMatmulDescSetAttribute)                                                                                    \
  X(cublasLtMatrixLayoutCreate)                                                                                        \
  X(cublasLtMatrixLayoutDestroy)                                                                                       \
  X(cublasLtMatmulPreferenceCreate)                                                                                    \
  X(cublasLtMatmulPreferenceDestroy)                                                                                   \
  X(cublasLtMatmulPreferenceSetAttribute)

/// The functions that are used, by their names.
struct CudaLibrary {
#define BIFOCAL_MEMBER(function) decltype(&::function) function = nullptr;
  BIFOCAL_DRIVER_FUNCTIONS(BIFOCAL_MEMBER)
  BIFOCAL_PRODUCT_FUNCTIONS(BIFOCAL_MEMBER)
#undef BIFOCAL_MEMBER

  /// Errors:
  ///   deviceUnavailable  a library or a function is not there
  static Result<std::shared_ptr<const CudaLibrary>> open();

  /// What `result` means; ok for success. `what` was attempted.
  Status check(CUresult result, const char *what) const;
  static Status check(cublasStatus_t result, const char *what);
};

} // namespace bifocal::cuda
#endif
