// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Bands of a vocabulary and weights of several parts, in LibTorch.

#include "dialect/bifocal/BifocalOps.h"
#include "test/Numerics/Reference.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace bifocal;
using namespace bifocal::test;
using torch::Tensor;

bool Reference::evaluateAdaptive(mlir::Operation *op) {
  auto all = [&](mlir::ValueRange operands) {
    std::vector<Tensor> tensors;
    for (mlir::Value operand : operands)
      tensors.push_back(value(operand));
    return tensors;
  };
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](BandIdsOp band) {
        const auto low = static_cast<int64_t>(band.getLow()), high = static_cast<int64_t>(band.getHigh());
        Tensor ids = value(band.getIds());
        value(band.getOutput()) =
            torch::where(ids.ge(low).logical_and(ids.lt(high)), ids - low,
                         torch::full_like(ids, static_cast<int64_t>(static_cast<int32_t>(band.getOtherwise()))));
        return true;
      })
      .Case([&](ClusterIdsOp clusters) {
        Tensor ids = value(clusters.getIds());
        const int64_t words = clusters.getCutoffs().front();
        const auto count = static_cast<int64_t>(clusters.getCutoffs().size());
        Tensor rank = torch::full_like(ids, clusters.getReversed() ? words + count : words - 1);
        for (int32_t cutoff : clusters.getCutoffs()) {
          Tensor behind = ids.ge(static_cast<int64_t>(cutoff)).to(torch::kInt64);
          rank = clusters.getReversed() ? rank - behind : rank + behind;
        }
        value(clusters.getOutput()) = torch::where(ids.lt(words), ids, rank);
        return true;
      })
      .Case([&](JoinClustersOp join) {
        Tensor head = value(join.getHead());
        const auto tails = static_cast<int64_t>(join.getTails().size()), words = head.size(-1) - tails;
        std::vector<Tensor> parts{head.slice(-1, 0, words)};
        for (int64_t i = 0; i < tails; ++i) {
          const int64_t column = words + (join.getReversed() ? tails - 1 - i : i);
          parts.push_back(value(join.getTails()[i]) + head.slice(-1, column, column + 1));
        }
        value(join.getOutput()) = torch::cat(parts, -1);
        return true;
      })
      .Case([&](AddScalarsOp sum) {
        value(sum.getOutput()) = torch::stack(all(sum.getInputs())).sum();
        return true;
      })
      .Case([&](ConcatRowsOp concat) {
        value(concat.getOutput()) = torch::cat(all(concat.getInputs()), 0);
        return true;
      })
      .Case([&](SliceRowsOp slice) {
        const auto first = static_cast<int64_t>(slice.getFirst());
        const int64_t rows = mlir::cast<mlir::ShapedType>(slice.getOutput().getType()).getDimSize(0);
        value(slice.getOutput()) = value(slice.getInput()).slice(0, first, first + rows);
        return true;
      })
      .Case([&](TransposeOp transpose) {
        value(transpose.getOutput()) = value(transpose.getInput()).t();
        return true;
      })
      .Default([](mlir::Operation *) { return false; });
}
