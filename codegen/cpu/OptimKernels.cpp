// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The optimizer over whole slabs. Buffers are listed in docs/Artifact.md; the only size is the number of elements.

#include "codegen/cpu/CpuKernels.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// A warp takes fewer at a time, so that there is work for all of them.
static int64_t elementsOfTile(const KernelBuilder &kernel) { return kernel.target().isWarp ? 2048 : elementsPerTile; }

/// The tiles of a stage that calls `overElements`; null: as many as the schedule says.
static AffineExpr elementTiles(const KernelTask &task) {
  AffineExpr elements = getAffineSymbolExpr(0, task.op->getContext());
  return task.builder.target().isWarp ? elements.ceilDiv(elementsOfTile(task.builder)) : AffineExpr();
}

/// Calls `body(place, mask)` for the vectors of one tile of elements.
static void overElements(KernelBuilder &kernel, Value tile, llvm::function_ref<void(Value, Value)> body) {
  Value begin = kernel.mul(tile, elementsOfTile(kernel));
  Value count = kernel.sub(kernel.min(kernel.add(begin, elementsOfTile(kernel)), kernel.size(0)), begin);
  kernel.columns(count, {}, [&](Value at, Value mask, ValueRange) {
    body(kernel.add(begin, at), mask);
    return Values{};
  });
}

static void writeStoreGradient(KernelTask &task, StoreGradientOp op) {
  KernelBuilder &kernel = task.builder;
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        Array source = task.operand(0), slab = task.behindResults(0, kernel.f32());
        overElements(kernel, tile, [&](Value at, Value mask) {
          Value gradient = kernel.loadVector(source, at, mask);
          if (op.getAccumulate())
            gradient = kernel.add(kernel.loadVector(slab, at, mask), gradient);
          kernel.storeVector(gradient, slab, at, mask);
        });
      },
      elementTiles(task));
}

/// The sum of the squares of [begin, end) as an f64: in f32 over short runs, whose sums are added in f64.
static Value sumOfSquares(KernelBuilder &kernel, const Array &gradient, Value begin, Value end) {
  constexpr int64_t run = 2048;
  Value total = kernel.constant(kernel.f64(), 0.0);
  return kernel.loop(begin, end, run, ValueRange{total}, [&](Value first, ValueRange carried) {
    Value count = kernel.min(kernel.sub(end, first), kernel.index(run));
    Array base = kernel.from(gradient, first);
    Value zero = kernel.constantVector(0.0);
    // Four sums, so that additions need not wait for each other.
    Value whole = kernel.mul(kernel.div(count, kernel.index(4 * kernel.width())), 4 * kernel.width());
    Values sums = kernel.loop(kernel.index(0), whole, 4 * kernel.width(), ValueRange{zero, zero, zero, zero},
                              [&](Value at, ValueRange lanes) {
                                Values next;
                                for (int64_t lane = 0; lane < 4; ++lane) {
                                  Value x = kernel.loadVector(base, kernel.add(at, lane * kernel.width()));
                                  next.push_back(kernel.fma(x, x, lanes[lane]));
                                }
                                return next;
                              });
    Value sum = kernel.add(kernel.add(sums[0], sums[1]), kernel.add(sums[2], sums[3]));
    Array rest = kernel.from(base, whole);
    sum = kernel.columns(kernel.sub(count, whole), ValueRange{sum}, [&](Value at, Value mask, ValueRange group) {
      Value x = kernel.loadVector(rest, at, mask);
      return Values{kernel.fma(x, x, group[0])};
    })[0];
    Value wide = kernel.convert(sum, kernel.f64());
    return Values{kernel.add(carried[0], kernel.horizontalSum(wide))};
  })[0];
}

static void writeGlobalNorm(KernelTask &task) {
  KernelBuilder &kernel = task.builder;
  // Buffers: count, norm, the gradients, the partial sums.
  auto gradients = [&] { return task.behindResults(0, kernel.f32()); };
  auto partials = [&] { return task.behindResults(1, kernel.f64()); };
  kernel.stage(task.name(), 0, [&](Value share) {
    Value elements = kernel.size(0);
    Value perShare = kernel.mul(kernel.ceilDiv(elements, kernel.index(normShares * 16)), 16);
    Value begin = kernel.min(kernel.mul(share, perShare), elements),
          end = kernel.min(kernel.add(begin, perShare), elements);
    Value sum = sumOfSquares(kernel, gradients(), begin, end);
    kernel.store(sum, partials(), share);
  });
  kernel.stage(task.name(), 1, [&](Value) {
    Array place = partials();
    Value zeros = kernel.constant(kernel.vectorOf(kernel.f64()), 0.0);
    Value sums = kernel.loop(kernel.index(0), kernel.index(normShares), kernel.width(), zeros,
                             [&](Value share, ValueRange carried) {
                               return Values{kernel.add(carried[0], kernel.loadVector(place, share))};
                             })[0];
    Value total = kernel.horizontalSum(sums);
    Value count = kernel.load(task.operand(0), kernel.index(0));
    Value root = kernel.convert(kernel.sqrt(total), kernel.f32());
    // Without a single target all gradients are 0, and so is the norm.
    Value any = kernel.less(kernel.constantF32(0.0), count);
    kernel.store(kernel.div(root, kernel.select(any, count, kernel.constantF32(1.0))), task.result(0), kernel.index(0));
  });
}

static void writeClip(KernelTask &task) {
  KernelBuilder &kernel = task.builder;
  kernel.stage(task.name(), 0, [&](Value) {
    auto scalar = [&](int64_t operand, int64_t at) { return kernel.load(task.operand(operand), kernel.index(at)); };
    Value one = kernel.constantF32(1.0), zero = kernel.constantF32(0.0);
    Value norm = scalar(0, 0), count = scalar(1, 0), bound = scalar(2, 2);
    Value factor = kernel.div(bound, kernel.add(norm, kernel.constantF32(1e-6)));
    factor = kernel.select(kernel.less(zero, bound), kernel.min(factor, one), one);
    Value divisor = kernel.select(kernel.less(zero, count), count, one);
    kernel.store(kernel.div(factor, divisor), task.result(0), kernel.index(0));
  });
}

static void writeAdam(KernelTask &task, AdamOp op) {
  KernelBuilder &kernel = task.builder;
  // Buffers: factor, hyper, parameters, gradients, both moments.
  auto slab = [&](int64_t index) { return task.behindResults(index, kernel.f32()); };
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        Array hyper = task.operand(1);
        Value factor = kernel.splat(kernel.load(task.operand(0), kernel.index(0)));
        Value rate = kernel.load(hyper, kernel.index(0)), step = kernel.splat(kernel.load(hyper, kernel.index(1)));
        auto constant = [&](llvm::APFloat value) { return kernel.constantVector(value.convertToFloat()); };
        float beta1 = op.getBeta1().convertToFloat(), beta2 = op.getBeta2().convertToFloat();
        float decay = op.getWeightDecay().convertToFloat();
        Value keep = kernel.splat(kernel.sub(kernel.constantF32(1.0), kernel.mul(rate, kernel.constantF32(decay))));
        Array parameter = slab(0), gradient = slab(1), moment1 = slab(2), moment2 = slab(3);
        overElements(kernel, tile, [&](Value at, Value mask) {
          Value g = kernel.mul(kernel.loadVector(gradient, at, mask), factor);
          Value m = kernel.fma(kernel.loadVector(moment1, at, mask), constant(op.getBeta1()),
                               kernel.mul(g, kernel.constantVector(1.0f - beta1)));
          Value v = kernel.fma(kernel.loadVector(moment2, at, mask), constant(op.getBeta2()),
                               kernel.mul(kernel.mul(g, g), kernel.constantVector(1.0f - beta2)));
          Value p = kernel.loadVector(parameter, at, mask);
          if (decay != 0.0f)
            p = kernel.mul(p, keep);
          Value denominator = kernel.add(kernel.sqrt(v), constant(op.getEpsilon()));
          p = kernel.sub(p, kernel.div(kernel.mul(step, m), denominator));
          kernel.storeVector(m, moment1, at, mask);
          kernel.storeVector(v, moment2, at, mask);
          kernel.storeVector(p, parameter, at, mask);
          if (op.getClearGradients())
            kernel.storeVector(kernel.constantVector(0.0), gradient, at, mask);
        });
      },
      elementTiles(task));
}

FailureOr<bool> generateOptim(KernelTask &task) {
  if (auto op = dyn_cast<StoreGradientOp>(task.op))
    writeStoreGradient(task, op);
  else if (isa<GlobalNormOp>(task.op))
    writeGlobalNorm(task);
  else if (isa<ClipOp>(task.op))
    writeClip(task);
  else if (auto op = dyn_cast<AdamOp>(task.op))
    writeAdam(task, op);
  else
    return false;
  return true;
}

} // namespace bifocal
