// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cuda/CudaProducts.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal::cuda {

/// What cuBLAS itself takes on Hopper (cuBLAS documentation, "cublasSetWorkspace").
constexpr size_t workspaceBytes = size_t{32} << 20;

static cudaDataType_t typeOf(ElementType type) {
  return type == ElementType::bf16 ? CUDA_R_16BF : type == ElementType::f16 ? CUDA_R_16F : CUDA_R_32F;
}

/// The power of two that an address is a multiple of, at most 16, which the widest accesses want.
static uint32_t alignmentOf(const void *address) {
  const auto bits = reinterpret_cast<uintptr_t>(address);
  return bits == 0 ? 16 : static_cast<uint32_t>(std::min<uintptr_t>(16, bits & -bits));
}

CudaProducts::~CudaProducts() {
  for (auto &[key, choice] : choices_)
    destroy(choice);
  if (handle_)
    library_->cublasLtDestroy(handle_);
  if (workspace_)
    library_->cuMemFree(workspace_);
}

Status CudaProducts::prepare() {
  BIFOCAL_RETURN_IF_ERROR(CudaLibrary::check(library_->cublasLtCreate(&handle_), "opening cuBLASLt"));
  return library_->check(library_->cuMemAlloc(&workspace_, workspaceBytes), "allocating a workspace for products");
}

void CudaProducts::destroy(Choice &choice) const {
  for (cublasLtMatrixLayout_t layout : {choice.a, choice.b, choice.c})
    if (layout)
      library_->cublasLtMatrixLayoutDestroy(layout);
  if (choice.operation)
    library_->cublasLtMatmulDescDestroy(choice.operation);
}

/// The library's matrices are column major: it computes the transposed product, op(B)' op(A)' = C', from the same
/// memory.
Status CudaProducts::choose(const Product &product, Choice &choice) const {
  const auto check = [](cublasStatus_t result) { return CudaLibrary::check(result, "describing a product"); };
  const auto rows = [](int64_t extent) { return static_cast<uint64_t>(extent); };
  const auto layout = [&](cublasLtMatrixLayout_t &result, ElementType type, int64_t inner, int64_t outer,
                          int64_t stride) {
    return check(library_->cublasLtMatrixLayoutCreate(&result, typeOf(type), rows(inner), rows(outer), stride));
  };
  const auto &[m, n, k] = std::tie(product.m, product.n, product.k);
  BIFOCAL_RETURN_IF_ERROR(
      layout(choice.a, product.factor, product.transB ? k : n, product.transB ? n : k, product.strideB));
  BIFOCAL_RETURN_IF_ERROR(
      layout(choice.b, product.factor, product.transA ? m : k, product.transA ? k : m, product.strideA));
  BIFOCAL_RETURN_IF_ERROR(layout(choice.c, product.result, n, m, product.strideC));
  BIFOCAL_RETURN_IF_ERROR(check(library_->cublasLtMatmulDescCreate(&choice.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F)));
  for (auto [attribute, transposed] : {std::pair(CUBLASLT_MATMUL_DESC_TRANSA, product.transB),
                                       std::pair(CUBLASLT_MATMUL_DESC_TRANSB, product.transA)}) {
    const cublasOperation_t operation = transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    BIFOCAL_RETURN_IF_ERROR(
        check(library_->cublasLtMatmulDescSetAttribute(choice.operation, attribute, &operation, sizeof operation)));
  }
  cublasLtMatmulPreference_t preference = nullptr;
  BIFOCAL_RETURN_IF_ERROR(check(library_->cublasLtMatmulPreferenceCreate(&preference)));
  // Sums of parts in place would come in the order in which blocks end.
  const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  const std::pair<cublasLtMatmulPreferenceAttributes_t, uint32_t> alignments[] = {
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignmentOf(product.b)},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignmentOf(product.a)},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignmentOf(product.c)},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignmentOf(product.c)}};
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const void *value, size_t size) {
    return check(library_->cublasLtMatmulPreferenceSetAttribute(preference, attribute, value, size));
  };
  Status status = prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspaceBytes, sizeof workspaceBytes);
  if (status.ok())
    status = prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions);
  for (const auto &[attribute, value] : alignments)
    if (status.ok())
      status = prefer(attribute, &value, sizeof value);
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  if (status.ok())
    status = check(library_->cublasLtMatmulAlgoGetHeuristic(handle_, choice.operation, choice.a, choice.b, choice.c,
                                                            choice.c, preference, 1, &result, &found));
  library_->cublasLtMatmulPreferenceDestroy(preference);
  if (status.ok() && found == 0)
    status = {StatusCode::unsupported, fmt::format("cuBLASLt has no product of {} x {} x {}", m, n, k)};
  choice.algorithm = result.algo;
  return status;
}

Status CudaProducts::multiply(const Product &product) {
  const auto flags = static_cast<int64_t>((product.transA ? 1 : 0) | (product.transB ? 2 : 0));
  const Key key = {product.m,
                   product.n,
                   product.k,
                   flags,
                   static_cast<int64_t>(product.factor) * 16 + static_cast<int64_t>(product.result),
                   alignmentOf(product.a),
                   alignmentOf(product.b),
                   alignmentOf(product.c),
                   product.strideA,
                   product.strideB,
                   product.strideC};
  auto known = choices_.find(key);
  if (known == choices_.end()) {
    Choice choice;
    if (Status status = choose(product, choice); !status.ok()) {
      destroy(choice);
      return status;
    }
    known = choices_.emplace(key, choice).first;
  }
  const Choice &choice = known->second;
  const float one = 1.0f, beta = product.accumulate ? 1.0f : 0.0f;
  return CudaLibrary::check(library_->cublasLtMatmul(handle_, choice.operation, &one, product.b, choice.a, product.a,
                                                     choice.b, &beta, product.c, choice.c, product.c, choice.c,
                                                     &choice.algorithm, reinterpret_cast<void *>(workspace_),
                                                     workspaceBytes, stream_),
                            "a product");
}

} // namespace bifocal::cuda
