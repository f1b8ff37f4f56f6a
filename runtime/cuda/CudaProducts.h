// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CUDA_CUDAPRODUCTS_H
#define BIFOCAL_RUNTIME_CUDA_CUDAPRODUCTS_H

#include "runtime/cuda/CudaLibrary.h"
#include "runtime/cuda/Driver.h"

#include <array>
#include <map>

namespace bifocal::cuda {

/// Products by cuBLASLt: sums in f32, never in TF32, by algorithms that give the same bits every time. What was chosen
/// for a shape stays.
class CudaProducts {
public:
  CudaProducts(std::shared_ptr<const CudaLibrary> library, CUstream stream)
      : library_(std::move(library)), stream_(stream) {}
  ~CudaProducts();
  CudaProducts(const CudaProducts &) = delete;
  CudaProducts &operator=(const CudaProducts &) = delete;

  Status prepare();
  Status multiply(const Product &product);

private:
  struct Choice {
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
  };
  /// Extents, what is transposed, element types, the alignment of the addresses and the distance of rows.
  using Key = std::array<int64_t, 11>;

  Status choose(const Product &product, Choice &choice) const;
  void destroy(Choice &choice) const;

  std::shared_ptr<const CudaLibrary> library_;
  CUstream stream_;
  cublasLtHandle_t handle_ = nullptr;
  CUdeviceptr workspace_ = 0;
  std::map<Key, Choice> choices_;
};

} // namespace bifocal::cuda
#endif
