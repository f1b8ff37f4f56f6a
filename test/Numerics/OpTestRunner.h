// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_NUMERICS_OPTESTRUNNER_H
#define BIFOCAL_TEST_NUMERICS_OPTESTRUNNER_H

// One case in all its forms: the IR as written, after two phases, and as machine code. Tensors go by the names of
// arguments and results, in f64 wherever they are not on their way into the machine code.

#include "mlir/IR/OwningOpRef.h"
#include "passes/Pipelines.h"
#include "test/Numerics/OpTestText.h"
#include "test/Numerics/Reference.h"
#include "tools/bifocal-golden/CompiledModule.h"

#include <memory>
#include <set>

namespace bifocal::test {

using Tensors = std::map<std::string, torch::Tensor>;

/// Draws what `declared` says; floats and hence all products are values that f32 holds.
torch::Tensor drawTensor(const Declared &declared, const Sizes &sizes, int call, std::mt19937_64 &generator);
Tensors drawTensors(const std::string &declared, const Sizes &sizes, int call, std::mt19937_64 &generator);

/// The results of `function`; its arguments by their names in `tensors`.
Tensors evaluateByName(Reference &reference, mlir::ModuleOp module, const std::string &function,
                       const Tensors &tensors);

class OpModules {
public:
  /// Throws std::runtime_error with the reason when a phase fails.
  explicit OpModules(const OpCase &op);
  /// Kept for all tests of a case, so each is compiled once.
  static OpModules &of(const OpCase &op);

  const OpCase &op;
  Sizes statics;
  std::string text;
  mlir::OwningOpRef<mlir::ModuleOp> source, differentiated, optimized;

  /// The machine code, made when first asked for.
  golden::CompiledModule &compiled();
  /// Runs `entry`; outputs get the shapes of `like`. What the code does not write stays NaN.
  Tensors run(const std::string &entry, const Tensors &inputs, const Tensors &like);
  /// The mnemonics of everything that the optimize phase leaves, hence of everything that becomes machine code.
  std::set<std::string> ops();

  /// What stands in a slab for a parameter, and the way to set it.
  torch::Tensor piece(std::span<float> slab, const std::string &param);
  void setParameter(const std::string &param, const torch::Tensor &value);

private:
  mlir::OwningOpRef<mlir::ModuleOp> parsed(Phase to);

  std::map<std::string, std::string> elements; ///< of the inputs, where not f32
  std::unique_ptr<golden::CompiledModule> code;
};

} // namespace bifocal::test
#endif
