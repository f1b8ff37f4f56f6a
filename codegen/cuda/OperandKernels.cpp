// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/OperandKernels.h"

#include "codegen/common/KernelBuilder.h"
#include "codegen/cpu/GemmKernels.h"
#include "dialect/plan/PlanOps.h"
#include "mlir/AsmParser/AsmParser.h"
#include "runtime/core/ArtifactFormat.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// A tile is a row.
static void writeOperand(ModuleOp functions, Location location, StringRef name, Type from, Type to) {
  KernelBuilder kernel(functions, location, VectorTarget::warp());
  kernel.stage(name, 0, [&](Value row) {
    Value columns = kernel.size(1);
    Array source = kernel.buffer(0, from), target = kernel.buffer(1, to), mask = kernel.buffer(2, kernel.i8());
    Value real = kernel.choose(
        kernel.notEqual(kernel.size(2), kernel.index(0)), [&] { return Values{kernel.loadIndex(mask, row)}; },
        [&] { return Values{kernel.index(1)}; })[0];
    // Rows of the source may be parts of longer ones.
    Array in = kernel.from(source, kernel.mul(row, kernel.size(3))),
          out = kernel.from(target, kernel.mul(row, columns));
    // Rows that do not count may hold anything, NaN as well: they are not read.
    Value count = kernel.select(kernel.notEqual(real, kernel.index(0)), columns, kernel.index(0));
    // Some loads are under way before the first store waits.
    constexpr int64_t atOnce = 4;
    kernel.loop(kernel.index(0), columns, atOnce * kernel.width(), [&](Value first) {
      Values vectors;
      auto column = [&](int64_t number) { return kernel.add(first, number * kernel.width()); };
      for (int64_t number = 0; number < atOnce; ++number)
        vectors.push_back(kernel.loadVector(in, column(number), kernel.tailMask(kernel.sub(count, column(number)))));
      for (auto [number, vector] : llvm::enumerate(vectors)) {
        Value at = column(static_cast<int64_t>(number));
        kernel.storeVector(vector, out, at, kernel.tailMask(kernel.sub(columns, at)));
      }
    });
  });
}

void writeOperandKernels(ModuleOp module, ModuleOp functions) {
  llvm::StringSet<> written;
  auto elementOf = [](Value matrix) { return plan::wholeOf(matrix).getDtype(); };
  auto typeOf = [&](StringRef element) { return parseType(element, module.getContext()); };
  module.walk([&](plan::GemmOp gemm) {
    const GemmForm form{gemm.getTransA(), gemm.getTransB(), typeOf(elementOf(gemm.getA())),
                        typeOf(elementOf(gemm.getB())), typeOf(elementOf(gemm.getC()))};
    const Type factor = form.factor();
    std::string to;
    llvm::raw_string_ostream(to) << factor;
    for (auto [matrix, masked] : {std::pair(gemm.getA(), bool(gemm.getMask())), std::pair(gemm.getB(), false)}) {
      const StringRef from = elementOf(matrix);
      const std::string name = format::gemmOperand(std::string_view(from), to);
      if ((masked || from != to) && written.insert(name).second)
        writeOperand(functions, gemm.getLoc(), name, typeOf(from), factor);
    }
  });
}

} // namespace bifocal
