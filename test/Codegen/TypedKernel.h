// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_CODEGEN_TYPEDKERNEL_H
#define BIFOCAL_TEST_CODEGEN_TYPEDKERNEL_H

// Kernels of every family whose tensors may be of any float type, and their runs on inputs drawn from a seed.

#include "test/Codegen/KernelLevels.h"
#include "test/Codegen/NarrowFloats.h"
#include <cstring>

namespace bifocal::test {

/// A kernel with `E` for the element type of what may be narrow.
struct TypedKernel {
  std::string name, source;
  std::vector<int64_t> sizes;
  /// Integers in tensors are below this one.
  int64_t limit = 3;
  /// Floats of a slab behind the results.
  int64_t slab = 0;
  /// Above 0 sums of narrow tensors are taken in another order, or of rounded factors: a result may differ by as many
  /// roundings of 1 to the narrow type, beyond its own. Tensor cores do so, and `reordered` kernels everywhere.
  double roundings = 0;
  /// As many elements of a mask are false, from the first on: all keys of the first of two sentences and more.
  int64_t hidden = 0;
  bool reordered = false;
  /// CPUs take channels of bf16 by pairs, in another order than f32: they alone, and of bf16 alone, have the roundings.
  bool pairs = false;
  /// How large the terms of the largest sums are.
  double terms = 4;
  /// The operand that holds spans: two of 0 to 1, then one below 0, one that is no number, and so on.
  int64_t spans = -1;
  /// The operand of f32 with values that no narrow type holds.
  int64_t whole = -1;
};

inline void PrintTo(const TypedKernel &kernel, std::ostream *out) { *out << kernel.name; }

/// `source` with `to` for every `from`.
std::string withElement(std::string source, const std::string &from, const std::string &to);

/// The memory of one tensor.
struct Memory {
  std::string element;
  std::vector<char> bytes;
  int64_t count = 0;

  bool isNarrow() const { return element == "bf16" || element == "f16"; }
  float at(int64_t index) const {
    if (isNarrow()) {
      uint16_t bits = 0;
      std::memcpy(&bits, bytes.data() + 2 * index, 2);
      return widened(bits, element);
    }
    float value = 0;
    std::memcpy(&value, bytes.data() + 4 * index, 4);
    return value;
  }
};

/// `kernel` compiled for a level, with `element` for E. Failures are those of the test that calls.
class CompiledKernel {
public:
  CompiledKernel(const TypedKernel &kernel, const KernelLevel &level, const std::string &element);

  /// The results and states, from values that `narrow` holds.
  std::vector<Memory> run(const std::string &narrow) const;

private:
  const TypedKernel &form;
  std::unique_ptr<KernelHarness> kernel;
};

/// One op on the named tensors, e.g. `op("add", "x:?x9xE y:?x9xE", "", "z:?x9xE")`.
std::string op(const std::string &name, const std::string &operands, const std::string &rest,
               const std::string &results, const std::string &attributes = "");

/// Every family; convolutions and attention as tensor cores take them.
std::vector<TypedKernel> allCases();
std::vector<TypedKernel> convProductCases();
std::vector<TypedKernel> attentionProductCases();
/// Shared heads, differential attention, and what stands around both in a layer.
std::vector<TypedKernel> layerAttentionCases();
/// Attention whose heads share keys, or whose values have another size, as tensor cores take it.
std::vector<TypedKernel> sharedProductCases();
/// Differential and relative attention as tensor cores take them.
std::vector<TypedKernel> farProductCases();

} // namespace bifocal::test
#endif
