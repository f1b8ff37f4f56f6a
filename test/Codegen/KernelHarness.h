// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_CODEGEN_KERNELHARNESS_H
#define BIFOCAL_TEST_CODEGEN_KERNELHARNESS_H

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {
class KernelBuilder;
}

namespace bifocal::test {

/// One stage of a kernel, over the tiles [begin, end).
using KernelFunction = void (*)(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end);

/// A tensor of a launch: the name of its element type and its dims, -1 where a size of the launch says it. The sizes
/// come in the order of these dims.
struct KernelTensor {
  std::string element;
  std::vector<int64_t> dims;
  int64_t stride = 0; ///< elements from one row to the next; 0 where rows are adjacent
};

/// One kernel, from IR to machine code in this process.
class KernelHarness {
public:
  /// `source`: a module with one plan.kernel `k` (and the states that its op names). The level `warp` is that of GPUs:
  /// the kernel runs on the emulator, and what it finds fails a run, or on a GPU (StagedKernel.h). Null, with a message
  /// in `error`, when it cannot be compiled. `instructions`: the level whose instructions it uses; that of `level` when
  /// empty.
  static std::unique_ptr<KernelHarness> create(std::string_view source, std::string_view level, std::string &error,
                                               std::string_view instructions = {});
  /// A kernel of one stage with one tile and no scratch that `write` writes under the name `k`.
  static std::unique_ptr<KernelHarness> write(const std::function<void(KernelBuilder &)> &write, std::string_view level,
                                              std::string &error);
  /// The kernels of all matrix products, gemm_nn to gemm_tt, for the given elements of a, b and c; of f32 the quantised
  /// ones too. `find` gives their stages; nothing else is for them.
  static std::unique_ptr<KernelHarness>
  products(std::string_view level, std::string &error, std::string_view instructions = {},
           const std::array<std::string_view, 3> &elements = {"f32", "f32", "f32"});
  ~KernelHarness();

  /// Runs every tile of every stage, one by one and the last first. `buffers`: arguments, results, then states or
  /// slabs; scratch is added, filled with NaN and checked for writes behind its end. Empty, or what went wrong.
  std::string run(std::vector<void *> buffers, const std::vector<int64_t> &sizes, unsigned repeat = 1);
  /// Seconds of the fastest of `repeat` runs with all tiles in one call.
  double time(std::vector<void *> buffers, const std::vector<int64_t> &sizes, unsigned repeat);

  /// The function of this name, e.g. "gemm_nt.0"; null when there is none.
  KernelFunction find(const std::string &name) const;

  const std::string &family() const;
  /// Operands, results and states, in the order of the launch's buffers. `results` receives the number of the first
  /// result.
  std::vector<KernelTensor> tensors(size_t &results) const;
  std::string assembly() const;

private:
  struct State;
  KernelHarness();
  bool createForWarps(std::string &error);
  std::unique_ptr<State> state;
};

/// The text of a module with one kernel `k` whose body is `op`; `arguments` as in "%a: tensor<?x8xf32>, ...", `results`
/// as in "%r : tensor<?x8xf32>" (empty when there are none).
std::string kernelSource(const std::string &arguments, const std::string &op, const std::string &results,
                         const std::string &attributes = "");

} // namespace bifocal::test
#endif
