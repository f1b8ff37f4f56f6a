// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/Executor.h"

#include "runtime/core/ArtifactFormat.h"
#include "runtime/cpu/ParallelFor.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <tuple>

namespace bifocal {

size_t Profile::family(const std::string &name) {
  for (size_t i = 0; i < families.size(); ++i)
    if (families[i].family == name)
      return i;
  families.push_back({name, 0.0, 0});
  return families.size() - 1;
}

Executor::Executor(const EntryPlan &plan, Profile &profile)
    : plan_(plan), profile_(profile), addresses_(plan.buffers.size()), bytes_(plan.buffers.size()),
      symbols_(plan.symbols.size()) {}

Result<std::unique_ptr<Executor>> Executor::create(const EntryPlan &plan, const SharedObject *object,
                                                   Profile &profile) {
  std::unique_ptr<Executor> executor(new Executor(plan, profile));
  BIFOCAL_RETURN_IF_ERROR(executor->prepare(plan.steps, object, executor->steps_));
  return executor;
}

Result<CpuKernel> Executor::resolve(const SharedObject *object, const std::string &kernel, size_t stage,
                                    const PlanStep &step) const {
  const std::string symbol = fmt::format("{}.{}", kernel, stage);
  void *found = object ? object->find(symbol) : nullptr;
  if (!found)
    return Status(StatusCode::malformed,
                  fmt::format("entry '{}' expects the kernel '{}' in the host object (step at {})", plan_.name, symbol,
                              step.location));
  return reinterpret_cast<CpuKernel>(found);
}

Status Executor::prepare(const std::vector<PlanStep> &steps, const SharedObject *object,
                         std::vector<Prepared> &result) {
  for (const PlanStep &step : steps) {
    Prepared prepared;
    prepared.step = &step;
    prepared.family = profile_.family(step.family);
    const std::string *kernel = nullptr;
    size_t stages = 0;
    if (const auto *launch = std::get_if<LaunchStep>(&step.action)) {
      kernel = &launch->kernel;
      stages = launch->stages.size();
      prepared.pointers.resize(launch->buffers.size());
      prepared.sizes.resize(launch->sizes.size());
    } else if (const auto *gemm = std::get_if<GemmStep>(&step.action)) {
      for (size_t stage = 0; stage < prepared.product.size(); ++stage) {
        Result<CpuKernel> address = resolve(object, gemm->kernel, stage, step);
        if (!address.ok())
          return address.status();
        prepared.product[stage] = *address;
      }
      if (gemm->epilogue) {
        kernel = &gemm->epilogue->kernel;
        stages = 1;
        prepared.pointers.resize(gemm->epilogue->buffers.size());
        prepared.sizes.resize(gemm->epilogue->sizes.size());
      }
    } else if (const auto *slabs = std::get_if<SlabsStep>(&step.action)) {
      BIFOCAL_RETURN_IF_ERROR(prepare(slabs->body, object, prepared.body));
    }
    for (size_t stage = 0; stage < stages; ++stage) {
      Result<CpuKernel> address = resolve(object, *kernel, stage, step);
      if (!address.ok())
        return address.status();
      prepared.kernels.push_back(*address);
    }
    result.push_back(std::move(prepared));
  }
  return {};
}

Status Executor::error(const PlanStep &step, const std::string &problem) const {
  return {StatusCode::internal,
          fmt::format("entry '{}', step '{}' at {}: {}", plan_.name, step.family, step.location, problem)};
}

Status Executor::badSize(const PlanStep &step, const std::string &what, const Expression &expression) const {
  std::vector<std::string> values;
  for (size_t s = 0; s < symbols_.size(); ++s)
    values.push_back(fmt::format("{} = {}", plan_.symbols[s], symbols_[s]));
  return error(step, fmt::format("expects that {} is not negative and fits in 64 bits, but got {} with {}", what,
                                 expression.str(plan_.symbols), fmt::join(values, ", ")));
}

Status Executor::checkMatrix(const PlanStep &step, std::string_view what, int64_t rows, int64_t columns,
                             const BufferRef &ref) const {
  const ElementType type = plan_.buffers[ref.id].type;
  auto bytes = static_cast<int64_t>(byteSize(type));
  if (!__builtin_mul_overflow(bytes, rows, &bytes) && !__builtin_mul_overflow(bytes, columns, &bytes) &&
      bytes <= bytesFrom(ref))
    return {};
  return error(step, fmt::format("expects room for {} x {} {} in {}, but got {} bytes in buffer {}", rows, columns,
                                 name(type), what, bytesFrom(ref), ref.id));
}

/// Windows that came before may have left nothing of a buffer.
Status Executor::checkWindow(const PlanStep &step, std::string_view what, const BufferRef &ref) const {
  if (bytesFrom(ref) >= 0)
    return {};
  return error(step, fmt::format("expects {} to have the {} rows of {} bytes before the window, but got {} bytes in "
                                 "buffer {}",
                                 what, windowStart_, ref.rowBytes, bytes_[ref.id], ref.id));
}

void Executor::locateBuffers(const Bindings &bindings) {
  for (size_t i = 0; i < plan_.buffers.size(); ++i) {
    const PlanBuffer &buffer = plan_.buffers[i];
    switch (buffer.region) {
    case Region::arena:
      // The sum of the classes fits in 64 bits, so these products do.
      addresses_[i] =
          bindings.arena + bindings.classBases[buffer.index] + buffer.offset * bindings.classValues[buffer.index];
      bytes_[i] = buffer.size * bindings.classValues[buffer.index];
      break;
    case Region::parameter:
    case Region::gradient:
    case Region::moment1:
    case Region::moment2: {
      std::byte *slab = bindings.slabs[static_cast<size_t>(buffer.region) - static_cast<size_t>(Region::parameter)];
      addresses_[i] = slab + buffer.offset;
      bytes_[i] = buffer.size;
      break;
    }
    case Region::state:
      addresses_[i] = bindings.states[buffer.index];
      bytes_[i] = bindings.stateBytes[buffer.index];
      break;
    case Region::input:
      addresses_[i] = bindings.inputs[buffer.index];
      bytes_[i] = bindings.inputBytes[buffer.index];
      break;
    case Region::output:
      addresses_[i] = bindings.outputs[buffer.index];
      bytes_[i] = bindings.outputBytes[buffer.index];
      break;
    case Region::panels:
      addresses_[i] = bindings.panels + buffer.offset;
      bytes_[i] = buffer.size;
      break;
    }
  }
}

Status Executor::run(const Bindings &bindings, int threads) {
  locateBuffers(bindings);
  std::copy(bindings.symbols.begin(), bindings.symbols.end(), symbols_.begin());
  windowStart_ = 0;
  panelsCurrent_ = bindings.panelsCurrent;
  return runAll(steps_, threads);
}

Status Executor::runAll(std::vector<Prepared> &steps, int threads) {
  for (Prepared &prepared : steps) {
    // The steps of a window are timed on their own.
    if (!profile_.on || !prepared.body.empty()) {
      BIFOCAL_RETURN_IF_ERROR(runStep(prepared, threads));
      continue;
    }
    const auto begin = std::chrono::steady_clock::now();
    BIFOCAL_RETURN_IF_ERROR(runStep(prepared, threads));
    FamilyTime &time = profile_.families[prepared.family];
    time.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    ++time.calls;
  }
  return {};
}

Status Executor::runStep(Prepared &prepared, int threads) {
  const PlanStep &step = *prepared.step;
  if (const auto *launchStep = std::get_if<LaunchStep>(&step.action))
    return launch(prepared, *launchStep, threads);
  if (const auto *gemmStep = std::get_if<GemmStep>(&step.action))
    return multiply(prepared, *gemmStep, threads);
  if (const auto *fillStep = std::get_if<FillStep>(&step.action))
    return fill(*fillStep, step, threads);
  if (const auto *copyStep = std::get_if<CopyStep>(&step.action))
    return copy(*copyStep, step);
  return slabs(prepared, std::get<SlabsStep>(step.action), threads);
}

Status Executor::gather(Prepared &prepared, const std::vector<BufferRef> &buffers,
                        const std::vector<Expression> &sizes) {
  for (size_t i = 0; i < buffers.size(); ++i)
    prepared.pointers[i] = address(buffers[i]);
  for (size_t i = 0; i < sizes.size(); ++i) {
    const std::optional<int64_t> value = sizes[i].evaluate(symbols_);
    if (!value)
      return badSize(*prepared.step, fmt::format("the size {}", i), sizes[i]);
    prepared.sizes[i] = *value;
  }
  return {};
}

Status Executor::launch(Prepared &prepared, const LaunchStep &step, int threads) {
  BIFOCAL_RETURN_IF_ERROR(gather(prepared, step.buffers, step.sizes));
  for (size_t stage = 0; stage < step.stages.size(); ++stage) {
    const std::optional<int64_t> tiles = step.stages[stage].evaluate(symbols_);
    if (!tiles)
      return badSize(*prepared.step, fmt::format("the number of tiles of stage {}", stage), step.stages[stage]);
    parallelFor(threads, *tiles, [&](int, int64_t begin, int64_t end) {
      prepared.kernels[stage](prepared.pointers.data(), prepared.sizes.data(), begin, end);
    });
  }
  return {};
}

/// Floating-point operations of a product, without those of rows that the mask leaves out.
static double countFlops(const GemmArguments &product, int64_t rows) {
  const double all =
      2.0 * static_cast<double>(product.m) * static_cast<double>(product.n) * static_cast<double>(product.k);
  if (!product.mask || rows == 0)
    return all;
  return all * static_cast<double>(std::count(product.mask, product.mask + rows, 1)) / static_cast<double>(rows);
}

GemmArguments::Panels Executor::panelsOf(const GemmStep &step) const {
  if (!step.workspace || plan_.buffers[step.workspace->id].region != Region::panels)
    return GemmArguments::Panels::own;
  return panelsCurrent_ ? GemmArguments::Panels::kept : GemmArguments::Panels::keep;
}

Status Executor::multiply(Prepared &prepared, const GemmStep &step, int threads) {
  const PlanStep &owner = *prepared.step;
  int64_t m = 0, n = 0, k = 0;
  const std::tuple<const char *, const Expression &, int64_t &> extents[] = {
      {"m", step.m, m}, {"n", step.n, n}, {"k", step.k, k}};
  for (const auto &[name, expression, extent] : extents) {
    const std::optional<int64_t> value = expression.evaluate(symbols_);
    if (!value)
      return badSize(owner, name, expression);
    extent = *value;
  }
  BIFOCAL_RETURN_IF_ERROR(checkMatrix(owner, "a", m, k, step.a));
  BIFOCAL_RETURN_IF_ERROR(checkMatrix(owner, "b", k, n, step.b));
  BIFOCAL_RETURN_IF_ERROR(checkMatrix(owner, "c", m, n, step.c));
  // Panels that are kept are made even where no row reads them yet: later calls count on them.
  const bool keeps = panelsOf(step) == GemmArguments::Panels::keep;
  if (n == 0 || (m == 0 && !keeps))
    return {};
  // All matrices fit their buffers and two have elements, so the sizes of panels do not overflow.
  if (step.workspace)
    BIFOCAL_RETURN_IF_ERROR(
        checkMatrix(owner, "workspace", 1, format::gemmWorkspace(n, k, step.quantized), *step.workspace));
  const int64_t rowsOfA = step.transA ? k : m; // as it is stored
  if (step.mask && bytesFrom(*step.mask) < rowsOfA)
    return error(owner, fmt::format("expects a mask for {} rows, but got {} bytes in buffer {}", rowsOfA,
                                    bytesFrom(*step.mask), step.mask->id));
  const GemmArguments arguments{m,
                                n,
                                k,
                                address(step.a),
                                address(step.b),
                                address(step.c),
                                step.workspace ? reinterpret_cast<float *>(address(*step.workspace)) : nullptr,
                                step.accumulate,
                                panelsOf(step),
                                step.mask ? reinterpret_cast<unsigned char *>(address(*step.mask)) : nullptr};
  if (profile_.on)
    profile_.flops += countFlops(arguments, rowsOfA);
  if (!step.epilogue) {
    gemm(threads, prepared.product, arguments);
    return {};
  }
  BIFOCAL_RETURN_IF_ERROR(gather(prepared, step.epilogue->buffers, step.epilogue->sizes));
  struct Context {
    const Prepared &prepared;
    int64_t rowsPerTile;
  } context{prepared, step.epilogue->rowsPerTile};
  const auto run = [](void *opaque, int64_t begin, int64_t end) {
    const auto &[prepared, rows] = *static_cast<Context *>(opaque);
    prepared.kernels[0](prepared.pointers.data(), prepared.sizes.data(), begin / rows, (end + rows - 1) / rows);
  };
  gemm(threads, prepared.product, arguments, {step.epilogue->rowsPerTile, run, &context});
  return {};
}

Status Executor::fill(const FillStep &step, const PlanStep &owner, int threads) {
  BIFOCAL_RETURN_IF_ERROR(checkWindow(owner, "buffer", step.buffer));
  const int64_t bytes = bytesFrom(step.buffer);
  constexpr int64_t chunk = 1 << 18;
  std::byte *target = address(step.buffer);
  parallelFor(threads, (bytes + chunk - 1) / chunk, [&](int, int64_t begin, int64_t end) {
    std::byte *first = target + begin * chunk, *last = target + std::min(bytes, end * chunk);
    for (; last - first >= 4; first += 4)
      std::memcpy(first, &step.value, 4);
    std::memcpy(first, &step.value, static_cast<size_t>(last - first));
  });
  return {};
}

Status Executor::copy(const CopyStep &step, const PlanStep &owner) {
  BIFOCAL_RETURN_IF_ERROR(checkWindow(owner, "from", step.from));
  BIFOCAL_RETURN_IF_ERROR(checkWindow(owner, "to", step.to));
  // An arena buffer may be longer than what it is copied to: its class is rounded up.
  const int64_t bytes = std::min(bytesFrom(step.from), bytesFrom(step.to));
  std::memmove(address(step.to), address(step.from), static_cast<size_t>(bytes));
  return {};
}

Status Executor::slabs(Prepared &prepared, const SlabsStep &step, int threads) {
  const std::optional<int64_t> rows = step.rows.evaluate(symbols_);
  if (!rows)
    return badSize(*prepared.step, "the number of rows", step.rows);
  Status status;
  for (int64_t start = 0; start < *rows && status.ok(); start += step.by) {
    windowStart_ = start;
    symbols_.back() = std::min(step.by, *rows - start);
    status = runAll(prepared.body, threads);
  }
  windowStart_ = 0;
  symbols_.back() = 0;
  return status;
}

} // namespace bifocal
