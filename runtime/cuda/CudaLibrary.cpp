// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cuda/CudaLibrary.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <initializer_list>

namespace bifocal::cuda {

/// Stays loaded: the driver does not survive being unloaded.
static void *openFirst(std::initializer_list<const char *> names, std::string &error) {
  for (const char *name : names) {
    if (void *handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL))
      return handle;
    const char *reason = ::dlerror();
    error = reason ? reason : name;
  }
  return nullptr;
}

Result<std::shared_ptr<const CudaLibrary>> CudaLibrary::open() {
  auto library = std::make_shared<CudaLibrary>();
  std::string error;
  void *driver = openFirst({"libcuda.so.1", "libcuda.so"}, error);
  if (!driver)
    return Status(StatusCode::deviceUnavailable,
                  fmt::format("expects the NVIDIA driver, but there is none: {}", error));
  // The library lies beside the toolkit, which programs need not have in their search path.
  void *products = openFirst({"libcublasLt.so.13", "/usr/local/cuda/lib64/libcublasLt.so.13", "libcublasLt.so"}, error);
  if (!products)
    return Status(StatusCode::deviceUnavailable,
                  fmt::format("expects cuBLASLt of CUDA 13, but there is none: {}", error));
  const char *missing = nullptr;
  const auto find = [&](void *handle, const char *name) {
    void *address = ::dlsym(handle, name);
    if (!address && !missing)
      missing = name;
    return address;
  };
#define BIFOCAL_NAME(function) #function
#define BIFOCAL_FIND(handle, function)                                                                                 \
  library->function = reinterpret_cast<decltype(&::function)>(find(handle, BIFOCAL_NAME(function)));
#define BIFOCAL_FIND_DRIVER(function) BIFOCAL_FIND(driver, function)
#define BIFOCAL_FIND_PRODUCT(function) BIFOCAL_FIND(products, function)
  BIFOCAL_DRIVER_FUNCTIONS(BIFOCAL_FIND_DRIVER)
  BIFOCAL_PRODUCT_FUNCTIONS(BIFOCAL_FIND_PRODUCT)
  if (missing)
    return Status(StatusCode::deviceUnavailable,
                  fmt::format("expects a driver and a cuBLASLt of CUDA 13, but these have no {}", missing));
  return std::shared_ptr<const CudaLibrary>(std::move(library));
}

Status CudaLibrary::check(CUresult result, const char *what) const {
  if (result == CUDA_SUCCESS)
    return {};
  const char *reason = nullptr;
  if (cuGetErrorString(result, &reason) != CUDA_SUCCESS || !reason)
    reason = "unknown error";
  const StatusCode code = result == CUDA_ERROR_OUT_OF_MEMORY ? StatusCode::overBudget
                          : result == CUDA_ERROR_NO_DEVICE || result == CUDA_ERROR_NOT_INITIALIZED
                              ? StatusCode::deviceUnavailable
                              : StatusCode::internal;
  return {code, fmt::format("{}: {} (error {} of the driver)", what, reason, static_cast<int>(result))};
}

Status CudaLibrary::check(cublasStatus_t result, const char *what) {
  if (result == CUBLAS_STATUS_SUCCESS)
    return {};
  return {StatusCode::internal, fmt::format("{}: error {} of cuBLASLt", what, static_cast<int>(result))};
}

} // namespace bifocal::cuda
