// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Executor.h"

#include "runtime/core/ArtifactFormat.h"

#include <algorithm>
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

Executor::Executor(const EntryPlan &plan, Backend &backend, Profile &profile)
    : plan_(plan), backend_(backend), profile_(profile), addresses_(plan.buffers.size()), bytes_(plan.buffers.size()),
      symbols_(plan.symbols.size()) {}

Result<std::unique_ptr<Executor>> Executor::create(const EntryPlan &plan, Backend &backend, Profile &profile) {
  std::unique_ptr<Executor> executor(new Executor(plan, backend, profile));
  BIFOCAL_RETURN_IF_ERROR(executor->prepare(plan.steps, executor->steps_));
  return executor;
}

Status Executor::prepareKernel(const std::string &kernel, size_t stages, size_t buffers, size_t sizes,
                               Prepared &prepared) {
  prepared.pointers.resize(buffers);
  prepared.bytes.resize(buffers);
  prepared.sizes.resize(sizes);
  for (size_t stage = 0; stage < stages; ++stage) {
    const Result<Backend::Handle> found = backend_.kernel(kernel, stage, buffers, sizes);
    if (!found.ok())
      return found.status();
    prepared.kernels.push_back(*found);
  }
  return {};
}

Status Executor::prepare(const std::vector<PlanStep> &steps, std::vector<Prepared> &result) {
  for (const PlanStep &step : steps) {
    Prepared prepared;
    prepared.step = &step;
    prepared.family = profile_.family(step.family);
    Status status;
    if (const auto *launch = std::get_if<LaunchStep>(&step.action)) {
      status =
          prepareKernel(launch->kernel, launch->stages.size(), launch->buffers.size(), launch->sizes.size(), prepared);
    } else if (const auto *gemm = std::get_if<GemmStep>(&step.action)) {
      const Result<Backend::Handle> product = backend_.product(plan_, *gemm);
      if (product.ok())
        prepared.product = *product;
      status = product.status();
      if (status.ok() && gemm->epilogue)
        status = prepareKernel(gemm->epilogue->kernel, 1, gemm->epilogue->buffers.size(), gemm->epilogue->sizes.size(),
                               prepared);
    } else if (const auto *slabs = std::get_if<SlabsStep>(&step.action)) {
      BIFOCAL_RETURN_IF_ERROR(prepare(slabs->body, prepared.body));
    }
    if (!status.ok())
      return {status.code(), fmt::format("entry '{}' {} (step at {})", plan_.name, status.message(), step.location)};
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
  const PlanBuffer &buffer = plan_.buffers[ref.id];
  const int64_t stride = buffer.row == 0 ? columns : buffer.row, most = buffer.row == 0 ? columns : buffer.width;
  auto bytes = static_cast<int64_t>(byteSize(buffer.type));
  // The last row of a view ends with its columns.
  int64_t elements = 0;
  const bool fits = rows == 0 || (!__builtin_mul_overflow(rows - 1, stride, &elements) &&
                                  !__builtin_add_overflow(elements, columns, &elements));
  if (fits && columns <= most && !__builtin_mul_overflow(bytes, elements, &bytes) && bytes <= bytesFrom(ref))
    return {};
  return error(step,
               fmt::format("expects room for {} x {} {}{} in {}, but got {} bytes in buffer {}", rows, columns,
                           name(buffer.type), buffer.row == 0 ? "" : fmt::format(", {} of {} apart,", most, stride),
                           what, bytesFrom(ref), ref.id));
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
  locateWholes(bindings);
  for (size_t i = 0; i < plan_.buffers.size(); ++i)
    if (const int64_t column = std::min(plan_.buffers[i].column, bytes_[i]); column != 0) {
      addresses_[i] += column;
      bytes_[i] -= column;
    }
}

void Executor::locateWholes(const Bindings &bindings) {
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

Status Executor::run(const Bindings &bindings) {
  locateBuffers(bindings);
  std::copy(bindings.symbols.begin(), bindings.symbols.end(), symbols_.begin());
  windowStart_ = 0;
  panelsCurrent_ = bindings.panelsCurrent;
  if (!profile_.on)
    return runAll(steps_);
  profile_.issued.clear();
  BIFOCAL_RETURN_IF_ERROR(backend_.mark(0));
  BIFOCAL_RETURN_IF_ERROR(runAll(steps_));
  return collectTimes();
}

Status Executor::collectTimes() {
  for (size_t i = 0; i < profile_.issued.size(); ++i) {
    const Result<double> seconds = backend_.secondsBetween(i, i + 1);
    if (!seconds.ok())
      return seconds.status();
    FamilyTime &time = profile_.families[profile_.issued[i]];
    time.seconds += *seconds;
    ++time.calls;
  }
  return {};
}

Status Executor::runAll(std::vector<Prepared> &steps) {
  for (Prepared &prepared : steps) {
    BIFOCAL_RETURN_IF_ERROR(runStep(prepared));
    // The steps of a window are timed on their own.
    if (!profile_.on || !prepared.body.empty())
      continue;
    profile_.issued.push_back(prepared.family);
    BIFOCAL_RETURN_IF_ERROR(backend_.mark(profile_.issued.size()));
  }
  return {};
}

Status Executor::runStep(Prepared &prepared) {
  const PlanStep &step = *prepared.step;
  if (const auto *launchStep = std::get_if<LaunchStep>(&step.action))
    return launch(prepared, *launchStep);
  if (const auto *gemmStep = std::get_if<GemmStep>(&step.action))
    return multiply(prepared, *gemmStep);
  if (const auto *fillStep = std::get_if<FillStep>(&step.action))
    return fill(*fillStep, step);
  if (const auto *copyStep = std::get_if<CopyStep>(&step.action))
    return copy(*copyStep, step);
  return slabs(prepared, std::get<SlabsStep>(step.action));
}

Status Executor::gather(Prepared &prepared, const std::vector<BufferRef> &buffers,
                        const std::vector<Expression> &sizes) {
  for (size_t i = 0; i < buffers.size(); ++i) {
    prepared.pointers[i] = address(buffers[i]);
    prepared.bytes[i] = bytesFrom(buffers[i]);
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    const std::optional<int64_t> value = sizes[i].evaluate(symbols_);
    if (!value)
      return badSize(*prepared.step, fmt::format("the size {}", i), sizes[i]);
    prepared.sizes[i] = *value;
  }
  return {};
}

Status Executor::launch(Prepared &prepared, const LaunchStep &step) {
  BIFOCAL_RETURN_IF_ERROR(gather(prepared, step.buffers, step.sizes));
  for (size_t stage = 0; stage < step.stages.size(); ++stage) {
    const std::optional<int64_t> tiles = step.stages[stage].evaluate(symbols_);
    if (!tiles)
      return badSize(*prepared.step, fmt::format("the number of tiles of stage {}", stage), step.stages[stage]);
    BIFOCAL_RETURN_IF_ERROR(backend_.launch(prepared.kernels[stage], prepared.arguments(), *tiles));
  }
  return {};
}

GemmArguments::Panels Executor::panelsOf(const GemmStep &step) const {
  if (!step.workspace || plan_.buffers[step.workspace->id].region != Region::panels)
    return GemmArguments::Panels::own;
  return panelsCurrent_ ? GemmArguments::Panels::kept : GemmArguments::Panels::keep;
}

/// The sizes of a product, and whether its buffers have room for them.
Status Executor::measure(const PlanStep &owner, const GemmStep &step, GemmArguments &product) const {
  const std::tuple<const char *, const Expression &, int64_t &> extents[] = {
      {"m", step.m, product.m}, {"n", step.n, product.n}, {"k", step.k, product.k}};
  for (const auto &[name, expression, extent] : extents) {
    const std::optional<int64_t> value = expression.evaluate(symbols_);
    if (!value)
      return badSize(owner, name, expression);
    extent = *value;
  }
  product.setAdjacent(step.transA, step.transB);
  const auto rows = [](int64_t first, int64_t second, bool transposed) { return transposed ? second : first; };
  const std::tuple<const char *, const BufferRef &, int64_t, int64_t &> matrices[] = {
      {"a", step.a, rows(product.m, product.k, step.transA), product.strideA},
      {"b", step.b, rows(product.k, product.n, step.transB), product.strideB},
      {"c", step.c, product.m, product.strideC}};
  for (const auto &[name, matrix, height, stride] : matrices) {
    BIFOCAL_RETURN_IF_ERROR(checkMatrix(owner, name, height, stride, matrix));
    if (const int64_t row = plan_.buffers[matrix.id].row; row != 0)
      stride = row;
  }
  return {};
}

Status Executor::multiply(Prepared &prepared, const GemmStep &step) {
  const PlanStep &owner = *prepared.step;
  GemmArguments product;
  BIFOCAL_RETURN_IF_ERROR(measure(owner, step, product));
  const auto [m, n, k] = std::tuple(product.m, product.n, product.k);
  product.panels = panelsOf(step);
  // Panels that are kept are made even where no row reads them yet: later calls count on them.
  if (n == 0 || (m == 0 && product.panels != GemmArguments::Panels::keep))
    return {};
  // All matrices fit their buffers and two have elements, so the sizes of panels do not overflow.
  if (step.workspace)
    BIFOCAL_RETURN_IF_ERROR(
        checkMatrix(owner, "workspace", 1, format::gemmWorkspace(n, k, step.quantized), *step.workspace));
  const int64_t rowsOfA = step.transA ? k : m; // as it is stored
  if (step.mask && bytesFrom(*step.mask) < rowsOfA)
    return error(owner, fmt::format("expects a mask for {} rows, but got {} bytes in buffer {}", rowsOfA,
                                    bytesFrom(*step.mask), step.mask->id));
  product.a = address(step.a);
  product.b = address(step.b);
  product.c = address(step.c);
  product.workspace = step.workspace ? reinterpret_cast<float *>(address(*step.workspace)) : nullptr;
  product.accumulate = step.accumulate;
  product.mask = step.mask ? reinterpret_cast<unsigned char *>(address(*step.mask)) : nullptr;
  if (profile_.on)
    profile_.flops += backend_.flops(product, step.transA);
  if (!step.epilogue)
    return backend_.multiply(prepared.product, product, nullptr);
  BIFOCAL_RETURN_IF_ERROR(gather(prepared, step.epilogue->buffers, step.epilogue->sizes));
  const Backend::Epilogue epilogue{prepared.kernels[0], prepared.arguments(), step.epilogue->rowsPerTile};
  return backend_.multiply(prepared.product, product, &epilogue);
}

Status Executor::fill(const FillStep &step, const PlanStep &owner) {
  BIFOCAL_RETURN_IF_ERROR(checkWindow(owner, "buffer", step.buffer));
  return backend_.fill(address(step.buffer), bytesFrom(step.buffer), step.value);
}

Status Executor::copy(const CopyStep &step, const PlanStep &owner) {
  BIFOCAL_RETURN_IF_ERROR(checkWindow(owner, "from", step.from));
  BIFOCAL_RETURN_IF_ERROR(checkWindow(owner, "to", step.to));
  // An arena buffer may be longer than what it is copied to: its class is rounded up.
  return backend_.copy(address(step.to), address(step.from), std::min(bytesFrom(step.from), bytesFrom(step.to)));
}

Status Executor::slabs(Prepared &prepared, const SlabsStep &step) {
  const std::optional<int64_t> rows = step.rows.evaluate(symbols_);
  if (!rows)
    return badSize(*prepared.step, "the number of rows", step.rows);
  Status status;
  for (int64_t start = 0; start < *rows && status.ok(); start += step.by) {
    windowStart_ = start;
    symbols_.back() = std::min(step.by, *rows - start);
    status = runAll(prepared.body);
  }
  windowStart_ = 0;
  symbols_.back() = 0;
  return status;
}

} // namespace bifocal
