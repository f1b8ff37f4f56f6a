// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_EXECUTOR_H
#define BIFOCAL_RUNTIME_CORE_EXECUTOR_H

#include "runtime/core/Backend.h"
#include "runtime/core/Device.h"
#include "runtime/core/Plan.h"

#include <memory>
#include <string>
#include <vector>

namespace bifocal {

/// Times and counts per step family; off by default, when it costs nothing.
struct Profile {
  bool on = false;
  std::vector<FamilyTime> families;
  double flops = 0;
  /// The families of the steps that the run has issued; step i took effect between the times i and i + 1 of the
  /// backend.
  std::vector<size_t> issued;

  size_t family(const std::string &name);
};

/// One entry point, prepared: kernels found, argument arrays allocated. `run` checks sizes, gives every buffer its
/// address and issues the steps to the backend; it allocates nothing itself, but
/// for what a profile notes of more steps than ever before.
class Executor {
public:
  /// Everything must outlive the executor.
  static Result<std::unique_ptr<Executor>> create(const EntryPlan &plan, Backend &backend, Profile &profile);

  /// Issues all steps; the backend may still be at work on them when it returns.
  Status run(const Bindings &bindings);

private:
  /// A step with its own memory for arguments.
  struct Prepared {
    const PlanStep *step = nullptr;
    size_t family = 0;
    std::vector<Backend::Handle> kernels; ///< one per stage; one for an epilogue
    Backend::Handle product = 0;
    std::vector<void *> pointers;
    std::vector<int64_t> bytes, sizes;

    Backend::Arguments arguments() const { return {pointers, bytes, sizes}; }
    std::vector<Prepared> body;
  };

  Executor(const EntryPlan &plan, Backend &backend, Profile &profile);
  Status prepare(const std::vector<PlanStep> &steps, std::vector<Prepared> &prepared);
  Status prepareKernel(const std::string &kernel, size_t stages, size_t buffers, size_t sizes, Prepared &prepared);
  void locateBuffers(const Bindings &bindings);
  /// The buffers, and what views are views of.
  void locateWholes(const Bindings &bindings);
  Status runAll(std::vector<Prepared> &steps);
  Status collectTimes();
  Status runStep(Prepared &prepared);
  Status launch(Prepared &prepared, const LaunchStep &step);
  Status multiply(Prepared &prepared, const GemmStep &step);
  Status measure(const PlanStep &owner, const GemmStep &step, GemmArguments &product) const;
  Status fill(const FillStep &step, const PlanStep &owner);
  Status copy(const CopyStep &step, const PlanStep &owner);
  Status slabs(Prepared &prepared, const SlabsStep &step);
  Status gather(Prepared &prepared, const std::vector<BufferRef> &buffers, const std::vector<Expression> &sizes);
  Status error(const PlanStep &step, const std::string &problem) const;
  /// `what` is an expression that is negative, overflows or divides by 0.
  Status badSize(const PlanStep &step, const std::string &what, const Expression &expression) const;
  Status checkMatrix(const PlanStep &step, std::string_view what, int64_t rows, int64_t columns,
                     const BufferRef &ref) const;
  Status checkWindow(const PlanStep &step, std::string_view what, const BufferRef &ref) const;

  GemmArguments::Panels panelsOf(const GemmStep &step) const;

  std::byte *address(const BufferRef &ref) const { return addresses_[ref.id] + ref.rowBytes * windowStart_; }
  int64_t bytesFrom(const BufferRef &ref) const { return bytes_[ref.id] - ref.rowBytes * windowStart_; }

  const EntryPlan &plan_;
  Backend &backend_;
  Profile &profile_;
  std::vector<Prepared> steps_;
  std::vector<std::byte *> addresses_; ///< of each buffer in this run
  std::vector<int64_t> bytes_;         ///< and its size
  std::vector<int64_t> symbols_;
  int64_t windowStart_ = 0;
  bool panelsCurrent_ = false;
};

} // namespace bifocal
#endif
