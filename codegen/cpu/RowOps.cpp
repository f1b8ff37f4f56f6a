// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What each row-wise op computes for one vector of columns, and the reductions over a row.

#include "codegen/cpu/RowKernels.h"

#include "runtime/core/Philox.h"

using namespace mlir;

namespace bifocal {

Value RowWriter::columnAt(int64_t block) { return kernel.add(column, block * shape.width); }

Value RowWriter::vectorOperand(Value value, int64_t block) {
  return kernel.loadVector(arrayOf(value), columnAt(block), mask);
}

Value RowWriter::evaluate(Value value, int64_t block) {
  auto found = known.find({value, block});
  if (found != known.end())
    return found->second;
  Value result;
  auto place = saved.find(value);
  if (!hasRow(value))
    result = kernel.loadVector(inputRows.lookup(value), columnAt(block), mask);
  else if (savedIsReady && place != saved.end())
    result = kernel.loadVector(place->second, columnAt(block), mask);
  else
    result = compute(value.getDefiningOp(), cast<OpResult>(value).getResultNumber(), block);
  known[{value, block}] = result;
  return result;
}

/// The sigmoid of the gating half of a glu's input; kept, since both halves of the gradient read it.
Value RowWriter::gate(GluGradOp op, int64_t block) {
  Value &result = known[{op.getInputGrad(), -1 - block}];
  if (!result) {
    Value computed = kernel.sigmoid(evaluate(op.getInput(), blocks(op.getOutputGrad()) + block));
    return known[{op.getInputGrad(), -1 - block}] = computed;
  }
  return result;
}

Value RowWriter::normalized(LayerNormGradOp op, int64_t block) {
  Value found = known.lookup({op.getInputGrad(), -1 - block});
  if (found)
    return found;
  auto &row = scalars[op];
  Value result = kernel.mul(kernel.sub(evaluate(op.getInput(), block), row[0]), row[1]);
  known[{op.getInputGrad(), -1 - block}] = result;
  return result;
}

Value RowWriter::weighted(RmsNormGradOp op, int64_t block) {
  Value gradient = evaluate(op.getOutputGrad(), block);
  return op.getWeight() ? kernel.mul(gradient, vectorOperand(op.getWeight(), block)) : gradient;
}

/// The derivative of silu where its sigmoid is `sigmoid`.
static Value siluSlope(KernelBuilder &kernel, Value x, Value sigmoid) {
  Value one = kernel.constantVector(1.0);
  return kernel.mul(sigmoid, kernel.fma(x, kernel.sub(one, sigmoid), one));
}

Value RowWriter::compute(Operation *op, int64_t result, int64_t block) {
  Value zero = kernel.constantVector(0.0);
  auto operand = [&](unsigned index) { return evaluate(op->getOperand(index), block); };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](AddOp) { return kernel.add(operand(0), operand(1)); })
      .Case([&](AddBiasOp bias) { return kernel.add(operand(0), vectorOperand(bias.getBias(), block)); })
      .Case([&](MulOp) { return kernel.mul(operand(0), operand(1)); })
      .Case([&](ReluOp) { return kernel.max(zero, operand(0)); })
      .Case([&](ReluGradOp) { return kernel.select(kernel.less(zero, operand(1)), operand(0), zero); })
      .Case([&](SiluOp) { return kernel.mul(operand(0), kernel.sigmoid(operand(0))); })
      .Case(
          [&](SiluGradOp) { return kernel.mul(operand(0), siluSlope(kernel, operand(1), kernel.sigmoid(operand(1)))); })
      .Case([&](GluOp glu) {
        Value gating = evaluate(glu.getInput(), blocks(glu.getOutput()) + block), gate = kernel.sigmoid(gating);
        if (glu.getGate() == Gate::silu)
          gate = kernel.mul(gating, gate);
        return kernel.mul(operand(0), gate);
      })
      .Case([&](GluGradOp grad) {
        const int64_t half = blocks(grad.getOutputGrad());
        const bool isSilu = grad.getGate() == Gate::silu;
        Value sigmoid = gate(grad, block % half), gating = evaluate(grad.getInput(), half + block % half);
        Value gradient = evaluate(grad.getOutputGrad(), block % half);
        if (block < half)
          return kernel.mul(gradient, isSilu ? kernel.mul(gating, sigmoid) : sigmoid);
        Value slope = isSilu ? siluSlope(kernel, gating, sigmoid)
                             : kernel.mul(sigmoid, kernel.sub(kernel.constantVector(1.0), sigmoid));
        return kernel.mul(kernel.mul(gradient, evaluate(grad.getInput(), block - half)), slope);
      })
      .Case([&](DropoutOp dropout) {
        double rate = dropout.getRate().convertToFloat();
        Type integers = kernel.vectorOf(kernel.i32());
        Value at = kernel.add(columnAt(block), drawShift.lookup(op));
        Value drawn = kernel.loadVector(draws.lookup(op), at);
        Value dropped =
            kernel.lessUnsigned(drawn, kernel.constantInt(integers, static_cast<int32_t>(dropThreshold(rate))));
        Value kept = kernel.mul(operand(0), kernel.constantVector(1.0f / (1.0f - static_cast<float>(rate))));
        return kernel.select(dropped, zero, kept);
      })
      .Case([&](MaskPaddingOp) { return kernel.select(scalars[op][0], operand(0), zero); })
      .Case([&](EmbeddingOp embedding) {
        Value loaded = kernel.loadVector(tableRows.lookup(op), columnAt(block), mask);
        float scale = embedding.getScale().convertToFloat();
        return scale == 1.0f ? loaded : kernel.mul(loaded, kernel.constantVector(scale));
      })
      .Case([&](ColumnSumOp) { return operand(0); })
      .Default([&](Operation *) { return computeNorm(op, result, block); });
}

Value RowWriter::computeNorm(Operation *op, int64_t result, int64_t block) {
  auto operand = [&](unsigned index) { return evaluate(op->getOperand(index), block); };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](LayerNormOp norm) {
        auto &row = scalars[op];
        Value centred = kernel.mul(kernel.sub(operand(0), row[0]), row[1]);
        return kernel.fma(centred, vectorOperand(norm.getScale(), block), vectorOperand(norm.getBias(), block));
      })
      .Case([&](LayerNormGradOp grad) {
        auto &row = scalars[op];
        if (result == 2)
          return operand(0);
        if (result == 1)
          return kernel.mul(operand(0), normalized(grad, block));
        Value scaled = kernel.mul(operand(0), vectorOperand(grad.getScale(), block));
        Value inner = kernel.sub(kernel.sub(scaled, row[2]), kernel.mul(normalized(grad, block), row[3]));
        return kernel.mul(row[1], inner);
      })
      .Case([&](RmsNormOp norm) {
        Value scaled = kernel.mul(operand(0), scalars[op][0]);
        return norm.getWeight() ? kernel.mul(scaled, vectorOperand(norm.getWeight(), block)) : scaled;
      })
      .Case([&](RmsNormGradOp grad) {
        auto &row = scalars[op];
        if (result == 1)
          return kernel.mul(kernel.mul(operand(0), operand(1)), row[0]);
        return kernel.sub(kernel.mul(weighted(grad, block), row[0]), kernel.mul(operand(1), row[1]));
      })
      .Default([](Operation *) { return Value(); });
}

static Value addUp(KernelBuilder &kernel, ValueRange lanes, unsigned first, unsigned stride) {
  SmallVector<Value> sums;
  for (unsigned index = first; index < lanes.size(); index += stride)
    sums.push_back(lanes[index]);
  while (sums.size() > 1) {
    SmallVector<Value> halves;
    for (unsigned index = 0; index < sums.size(); index += 2)
      halves.push_back(kernel.add(sums[index], sums[index + 1]));
    sums = halves;
  }
  return kernel.horizontalSum(sums.front());
}

// Mean first, then the variance from the differences: the row is in L1 by then, and nothing cancels.
void RowWriter::reduceLayerNorm(LayerNormOp norm) {
  constexpr int64_t lanes = 4;
  Value zero = kernel.constantVector(0.0);
  Value width = kernel.constantF32(static_cast<double>(lastAxis(norm.getInput())));
  SmallVector<Value> zeros(lanes, zero);
  auto sums = kernel.columns(shape.width, lanes, zeros, [&](Value at, Value tail, ValueRange group) {
    startBlock(at, tail);
    finishBlock(/*afterReduction=*/false);
    Value sum = group[0];
    for (int64_t block = 0; block < blocks(norm.getInput()); ++block) {
      Value x = evaluate(norm.getInput(), block);
      sum = kernel.add(sum, tail ? kernel.select(tail, x, zero) : x);
    }
    return KernelBuilder::Values{sum};
  });
  savedIsReady = true;
  Value mean = kernel.div(addUp(kernel, sums, 0, 1), width), means = kernel.splat(mean);
  auto squares = kernel.columns(shape.width, lanes, zeros, [&](Value at, Value tail, ValueRange group) {
    startBlock(at, tail);
    Value sum = group[0];
    for (int64_t block = 0; block < blocks(norm.getInput()); ++block) {
      Value difference = kernel.sub(evaluate(norm.getInput(), block), means);
      if (tail)
        difference = kernel.select(tail, difference, zero);
      sum = kernel.fma(difference, difference, sum);
    }
    return KernelBuilder::Values{sum};
  });
  Value variance = kernel.div(addUp(kernel, squares, 0, 1), width);
  Value epsilon = kernel.constantF32(norm.getEpsilon().convertToFloat());
  Value rstd = kernel.div(kernel.constantF32(1.0), kernel.sqrt(kernel.add(variance, epsilon)));
  scalars[norm] = {means, kernel.splat(rstd)};
  for (auto [index, output] : llvm::enumerate(outputs)) {
    if (output == norm.getMean())
      kernel.store(mean, outputRows[index], currentRow);
    if (output == norm.getRstd())
      kernel.store(rstd, outputRows[index], currentRow);
  }
}

void RowWriter::reduceLayerNormGrad(LayerNormGradOp grad) {
  constexpr int64_t lanes = 2;
  Value zero = kernel.constantVector(0.0);
  SmallVector<Value> zeros(2 * lanes, zero);
  auto sums = kernel.columns(shape.width, lanes, zeros, [&](Value at, Value tail, ValueRange group) {
    startBlock(at, tail);
    finishBlock(/*afterReduction=*/false);
    Value plain = group[0], weighted = group[1];
    for (int64_t block = 0; block < blocks(grad.getInput()); ++block) {
      Value scaled = kernel.mul(evaluate(grad.getOutputGrad(), block), vectorOperand(grad.getScale(), block));
      plain = kernel.add(plain, tail ? kernel.select(tail, scaled, zero) : scaled);
      Value x = normalized(grad, block);
      weighted = kernel.fma(tail ? kernel.select(tail, scaled, zero) : scaled, x, weighted);
    }
    return KernelBuilder::Values{plain, weighted};
  });
  savedIsReady = true;
  Value width = kernel.constantF32(static_cast<double>(lastAxis(grad.getInput())));
  auto &row = scalars[grad];
  row.push_back(kernel.splat(kernel.div(addUp(kernel, sums, 0, 2), width)));
  row.push_back(kernel.splat(kernel.div(addUp(kernel, sums, 1, 2), width)));
}

/// 1 / sqrt(mean + epsilon) of the sum of `squares` over `width` elements.
static Value inverseRoot(KernelBuilder &kernel, Value squares, int64_t width, const llvm::APFloat &epsilon) {
  Value mean = kernel.div(squares, kernel.constantF32(static_cast<double>(width)));
  Value root = kernel.sqrt(kernel.add(mean, kernel.constantF32(epsilon.convertToFloat())));
  return kernel.div(kernel.constantF32(1.0), root);
}

// Beyond the tail of a row loaded values are 0, but those that other ops made of them may be anything.
void RowWriter::reduceRmsNorm(RmsNormOp norm) {
  constexpr int64_t lanes = 4;
  Value zero = kernel.constantVector(0.0);
  SmallVector<Value> zeros(lanes, zero);
  auto squares = kernel.columns(shape.width, lanes, zeros, [&](Value at, Value tail, ValueRange group) {
    startBlock(at, tail);
    finishBlock(/*afterReduction=*/false);
    Value sum = group[0];
    for (int64_t block = 0; block < blocks(norm.getInput()); ++block) {
      Value x = evaluate(norm.getInput(), block);
      x = tail ? kernel.select(tail, x, zero) : x;
      sum = kernel.fma(x, x, sum);
    }
    return KernelBuilder::Values{sum};
  });
  savedIsReady = true;
  Value rstd = inverseRoot(kernel, addUp(kernel, squares, 0, 1), rowWidth(norm.getInput()), norm.getEpsilon());
  Value factor = kernel.constantF32(norm.getFactor().convertToFloat());
  scalars[norm] = {kernel.splat(kernel.mul(rstd, factor))};
}

void RowWriter::reduceRmsNormGrad(RmsNormGradOp grad) {
  constexpr int64_t lanes = 2;
  Value zero = kernel.constantVector(0.0);
  SmallVector<Value> zeros(2 * lanes, zero);
  auto sums = kernel.columns(shape.width, lanes, zeros, [&](Value at, Value tail, ValueRange group) {
    startBlock(at, tail);
    finishBlock(/*afterReduction=*/false);
    Value squares = group[0], products = group[1];
    for (int64_t block = 0; block < blocks(grad.getInput()); ++block) {
      Value x = evaluate(grad.getInput(), block), g = weighted(grad, block);
      x = tail ? kernel.select(tail, x, zero) : x;
      squares = kernel.fma(x, x, squares);
      products = kernel.fma(tail ? kernel.select(tail, g, zero) : g, x, products);
    }
    return KernelBuilder::Values{squares, products};
  });
  savedIsReady = true;
  const int64_t width = rowWidth(grad.getInput());
  Value rstd = inverseRoot(kernel, addUp(kernel, sums, 0, 2), width, grad.getEpsilon());
  Value mean = kernel.div(addUp(kernel, sums, 1, 2), kernel.constantF32(static_cast<double>(width)));
  Value scaled = kernel.mul(rstd, kernel.constantF32(grad.getFactor().convertToFloat()));
  // rstd^3 * factor * mean is what an element of the input counts.
  scalars[grad] = {kernel.splat(scaled), kernel.splat(kernel.mul(kernel.mul(scaled, mean), kernel.mul(rstd, rstd)))};
}

} // namespace bifocal
