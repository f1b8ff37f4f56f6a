// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_SESSION_H
#define BIFOCAL_RUNTIME_CORE_SESSION_H

#include "runtime/core/Artifact.h"
#include "runtime/core/Device.h"
#include "runtime/core/Status.h"
#include "runtime/core/Tensor.h"

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// One model on one device: the artifact's kernels, the parameter, gradient and moment slabs, the states and one arena.
/// Not thread-safe: one call at a time. Several sessions may share one Artifact.
class Session {
public:
  /// Loads the kernels of `artifact` on `device`. Parameters are uninitialised until `initialize` or `readParameters`.
  /// `training` also allocates gradients and the moments that the optimizer has (zero).
  static Result<std::unique_ptr<Session>> create(std::shared_ptr<const Artifact> artifact,
                                                 std::unique_ptr<Device> device, bool training);
  virtual ~Session() = default;

  virtual const Artifact &artifact() const = 0;

  /// Fills every parameter by its initialiser; a pure function of `seed`.
  virtual void initialize(uint64_t seed) = 0;

  /// Runs an entry point. `inputs` and `outputs` are in the order of the plan; shapes and types are checked,
  /// and ids, rows and steps (`InputRules`), and the symbols derived from them (an output's memory must be as large as
  /// its dims say). Grows the arena when these symbol
  /// values need more than any call before; otherwise allocates nothing. States must have been sized by `sizeStates`.
  virtual Status run(std::string_view entry, std::span<const TensorView> inputs,
                     std::span<const TensorView> outputs) = 0;

  /// The shapes of the outputs of `entry` for these inputs, of which only types and dims are looked at.
  virtual Result<std::vector<std::vector<int64_t>>> outputShapes(std::string_view entry,
                                                                 std::span<const TensorView> inputs) const = 0;

  /// Allocates the states for these symbol values (e.g. {"B", 32}, {"S", 40}, {"R", 160}, {"P", 200}); content is lost,
  /// or becomes `zeros`.
  virtual Status sizeStates(const std::map<std::string, int64_t> &symbols, bool zeros = false) = 0;

  /// Arena bytes that `entry` needs for these inputs, of which only dims are looked at: the formula of the plan.
  virtual Result<int64_t> peakBytes(std::string_view entry, std::span<const TensorView> inputs) const = 0;

  /// The slabs in host memory, as they are now; what is written there counts from the next `run` on, which ends the
  /// validity of a span: call the function again, also because entries keep copies of the parameters until `parameters`
  /// is called. `gradients` and the moments are empty without training, and the second moments where the optimizer
  /// remembers one number of each element. On a GPU each call copies.
  virtual std::span<float> parameters() = 0;
  virtual std::span<float> gradients() = 0;
  virtual std::span<float> firstMoments() = 0;
  virtual std::span<float> secondMoments() = 0;

  /// Bytes of the arena as it is now; never shrinks.
  virtual size_t arenaBytes() const = 0;
  /// Whether outputs cost nothing beyond being computed: `Device::sharesHostMemory`.
  virtual bool sharesHostMemory() const = 0;
  /// What runs the kernels, e.g. "cpu x86-64-v4, 2 threads".
  virtual std::string deviceDescription() const = 0;

  /// Time spent per step family (`gemm`, `light_conv`, ...) since the last reset; collected only after `profile(true)`.
  virtual void profile(bool on) = 0;
  virtual std::vector<FamilyTime> profileResult() const = 0;
  /// Floating-point operations of the matrix products in the same span of time.
  virtual double profiledFlops() const = 0;
};

} // namespace bifocal
#endif
