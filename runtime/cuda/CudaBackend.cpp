// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cuda/CudaBackend.h"

#include "runtime/core/ArtifactFormat.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal::cuda {

constexpr int64_t warpSize = 32;

CudaBackend::~CudaBackend() {
  for (const Range &copy : copies_)
    if (copy.begin)
      driver_.release(copy.begin, MemoryKind::device);
}

Result<Backend::Handle> CudaBackend::kernel(const std::string &name, size_t stage, size_t buffers, size_t sizes) {
  const std::string wanted = fmt::format("{}.{}", name, stage);
  const DeviceKernel *info = code_->find(wanted);
  if (!info)
    return Status(StatusCode::malformed, fmt::format("expects the kernel '{}' among those for GPUs", wanted));
  const auto reaches = [](const std::vector<int64_t> &positions, size_t count) {
    return std::ranges::any_of(positions, [&](int64_t position) { return position >= static_cast<int64_t>(count); });
  };
  if (reaches(info->buffers, buffers) || reaches(info->sizes, sizes) ||
      (info->tiles && info->tiles->symbolCount() > sizes))
    return Status(
        StatusCode::malformed,
        fmt::format("has {} buffers and {} sizes for the kernel '{}', which expects more", buffers, sizes, wanted));
  const Result<size_t> function = driver_.find(info->function, info->sharedBytes);
  if (!function.ok())
    return function.status();
  kernels_.push_back({info, *function});
  return kernels_.size() - 1;
}

Result<CudaBackend::Operand> CudaBackend::operand(ElementType from, ElementType to, bool masked) {
  if (from == to && !masked)
    return Operand{from};
  const Result<Handle> found = kernel(format::gemmOperand(bifocal::name(from), bifocal::name(to)), 0, 3, 4);
  if (!found.ok())
    return found.status();
  return Operand{from, true, *found};
}

Result<Backend::Handle> CudaBackend::product(const EntryPlan &plan, const GemmStep &step) {
  if (step.quantized)
    return Status(StatusCode::unsupported, "has products of 8 bits, which run on CPUs only");
  const auto typeOf = [&](const BufferRef &ref) { return plan.buffers[ref.id].type; };
  const ElementType a = typeOf(step.a), b = typeOf(step.b), c = typeOf(step.c);
  const ElementType factor = format::gemmFactor(a, b, c, ElementType::f32);
  const Result<Operand> left = operand(a, factor, step.mask.has_value());
  if (!left.ok())
    return left.status();
  const Result<Operand> right = operand(b, factor, false);
  if (!right.ok())
    return right.status();
  products_.push_back({step.transA, step.transB, factor, c, {*left, *right}});
  return products_.size() - 1;
}

Status CudaBackend::launch(Handle handle, const Arguments &arguments, int64_t tiles) {
  const auto &[info, function] = kernels_[handle];
  if (info->tiles) {
    const std::optional<int64_t> own = info->tiles->evaluate(arguments.sizes);
    if (!own)
      return {StatusCode::malformed, fmt::format("kernel '{}': the number of tiles, {}, cannot be computed", info->name,
                                                 info->tiles->str(format::launchSizeNames()))};
    tiles = *own;
  }
  if (tiles == 0)
    return {};
  const int64_t blocks = (tiles - 1) / info->warps + 1;
  if (blocks > INT32_MAX)
    return {StatusCode::unsupported,
            fmt::format("kernel '{}': expects at most {} blocks, but got {}", info->name, INT32_MAX, blocks)};
  parameters_.clear();
  ranges_.clear();
  for (const int64_t buffer : info->buffers) {
    const auto i = static_cast<size_t>(buffer);
    parameters_.push_back(const_cast<void **>(&arguments.buffers[i]));
    if (arguments.buffers[i])
      ranges_.push_back({static_cast<std::byte *>(arguments.buffers[i]), arguments.bytes[i]});
  }
  for (const int64_t size : info->sizes)
    parameters_.push_back(const_cast<int64_t *>(&arguments.sizes[static_cast<size_t>(size)]));
  parameters_.push_back(&tiles);
  return driver_.launch({function, static_cast<uint32_t>(blocks), static_cast<uint32_t>(warpSize * info->warps),
                         static_cast<uint32_t>(info->sharedBytes), parameters_, ranges_});
}

Status CudaBackend::grow(size_t index, int64_t bytes) {
  Range &copy = copies_[index];
  if (copy.bytes >= bytes)
    return {};
  BIFOCAL_RETURN_IF_ERROR(driver_.wait());
  if (copy.begin)
    driver_.release(copy.begin, MemoryKind::device);
  copy = {};
  ++generation_;
  const Result<std::byte *> memory = driver_.allocate(static_cast<size_t>(bytes), MemoryKind::device);
  if (!memory.ok())
    return memory.status();
  copy = {*memory, bytes};
  return {};
}

/// The factor `index` as the library wants it.
Result<CudaBackend::Matrix> CudaBackend::prepare(const Operand &operand, size_t index, const Matrix &source,
                                                 ElementType factor, const unsigned char *mask) {
  if (!operand.copied)
    return source;
  const auto &[data, rows, columns, stride] = source;
  // The product's matrices fit their buffers, so these do not overflow.
  const int64_t bytes = rows * columns * static_cast<int64_t>(byteSize(factor));
  const int64_t bytesOfSource =
      rows == 0 ? 0 : ((rows - 1) * stride + columns) * static_cast<int64_t>(byteSize(operand.type));
  if (Status status = grow(index, std::max<int64_t>(bytes, 1)); !status.ok())
    return status;
  void *const buffers[] = {const_cast<void *>(data), copies_[index].begin, const_cast<unsigned char *>(mask)};
  const int64_t sizesOfBuffers[] = {bytesOfSource, bytes, mask ? rows : 0};
  const int64_t sizes[] = {rows, columns, mask ? 1 : 0, stride};
  if (Status status = launch(operand.kernel, {buffers, sizesOfBuffers, sizes}, rows); !status.ok())
    return status;
  return Matrix{copies_[index].begin, rows, columns, columns};
}

Status CudaBackend::multiply(Handle handle, const GemmArguments &arguments, const Epilogue *epilogue) {
  // Panels are a matter of CPUs.
  if (arguments.m == 0)
    return {};
  const ProductForm &form = products_[handle];
  const auto [m, n, k] = std::tuple(arguments.m, arguments.n, arguments.k);
  const auto c = static_cast<std::byte *>(arguments.c);
  if (k == 0) {
    const auto bytes = static_cast<int64_t>(byteSize(form.result));
    const bool adjacent = arguments.strideC == n;
    for (int64_t row = 0; row < (adjacent ? 1 : m) && !arguments.accumulate; ++row)
      BIFOCAL_RETURN_IF_ERROR(driver_.fill({c + row * arguments.strideC * bytes, (adjacent ? m : 1) * n * bytes}, 0));
  } else {
    const Result<Matrix> a =
        prepare(form.operands[0], 0, {arguments.a, form.transA ? k : m, form.transA ? m : k, arguments.strideA},
                form.factor, arguments.mask);
    if (!a.ok())
      return a.status();
    const Result<Matrix> b =
        prepare(form.operands[1], 1, {arguments.b, form.transB ? n : k, form.transB ? k : n, arguments.strideB},
                form.factor, nullptr);
    if (!b.ok())
      return b.status();
    BIFOCAL_RETURN_IF_ERROR(driver_.multiply(
        {m, n, k, static_cast<const std::byte *>(a->data), static_cast<const std::byte *>(b->data), c, form.transA,
         form.transB, arguments.accumulate, form.factor, form.result, a->stride, b->stride, arguments.strideC}));
  }
  if (!epilogue)
    return {};
  return launch(epilogue->kernel, epilogue->arguments, (m + epilogue->rowsPerTile - 1) / epilogue->rowsPerTile);
}

Status CudaBackend::fill(std::byte *target, int64_t bytes, uint32_t word) {
  return bytes == 0 ? Status() : driver_.fill({target, bytes}, word);
}

Status CudaBackend::copy(std::byte *to, const std::byte *from, int64_t bytes) {
  if (bytes == 0 || to == from)
    return {};
  if (to < from + bytes && from < to + bytes)
    return {StatusCode::unsupported, "a copy within overlapping memory runs on CPUs only"};
  return driver_.copy(to, from, bytes);
}

} // namespace bifocal::cuda
