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

/// The sum of the squares of the elements [begin, end), which `load(place, mask)` gives, as an f64: in f32 over short
/// runs, whose sums are added in f64.
static Value sumOfSquares(KernelBuilder &kernel, Value begin, Value end, llvm::function_ref<Value(Value, Value)> load) {
  constexpr int64_t run = 2048;
  Value total = kernel.constant(kernel.f64(), 0.0);
  return kernel.loop(begin, end, run, ValueRange{total}, [&](Value first, ValueRange carried) {
    Value count = kernel.min(kernel.sub(end, first), kernel.index(run));
    Value zero = kernel.constantVector(0.0);
    // Four sums, so that additions need not wait for each other.
    Value whole = kernel.mul(kernel.div(count, kernel.index(4 * kernel.width())), 4 * kernel.width());
    Values sums = kernel.loop(kernel.index(0), whole, 4 * kernel.width(), ValueRange{zero, zero, zero, zero},
                              [&](Value at, ValueRange lanes) {
                                Values next;
                                for (int64_t lane = 0; lane < 4; ++lane) {
                                  Value place = kernel.add(first, kernel.add(at, lane * kernel.width()));
                                  Value x = load(place, nullptr);
                                  next.push_back(kernel.fma(x, x, lanes[lane]));
                                }
                                return next;
                              });
    Value sum = kernel.add(kernel.add(sums[0], sums[1]), kernel.add(sums[2], sums[3]));
    Value rest = kernel.add(first, whole);
    sum = kernel.columns(kernel.sub(count, whole), ValueRange{sum}, [&](Value at, Value mask, ValueRange group) {
      Value x = load(kernel.add(rest, at), mask);
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
    Array gradient = gradients();
    Value sum =
        sumOfSquares(kernel, begin, end, [&](Value at, Value mask) { return kernel.loadVector(gradient, at, mask); });
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

namespace {
/// One optimizer's kernel. Buffers: factor, hyper, parameters, gradients, what is remembered.
class Update {
public:
  Update(KernelTask &task, int64_t rate) : kernel(task.builder), task(task) {
    factor = kernel.splat(kernel.load(task.operand(0), kernel.index(0)));
    this->rate = kernel.load(task.operand(1), kernel.index(rate));
    parameter = task.behindResults(0, kernel.f32());
    gradient = task.behindResults(1, kernel.f32());
    bounds = task.op->getAttrOfType<DenseF32ArrayAttr>("bounds");
  }

  Value hyper(int64_t place) { return kernel.load(task.operand(1), kernel.index(place)); }
  Array remembered(int64_t order) { return task.behindResults(2 + order, kernel.f32()); }
  Value constant(const llvm::APFloat &value) { return kernel.constantVector(value.convertToFloat()); }

  /// The gradient of the mean.
  Value meanGradient(Value at, Value mask) { return kernel.mul(kernel.loadVector(gradient, at, mask), factor); }
  /// The same with the gradient of weight_decay / 2 * p^2.
  Value decayedGradient(Value at, Value mask, const llvm::APFloat &decay) {
    Value g = meanGradient(at, mask);
    return decay.isZero() ? g : kernel.fma(kernel.loadVector(parameter, at, mask), constant(decay), g);
  }
  /// The parameters, made smaller by the rate times `decay`.
  Value decayedParameter(Value at, Value mask, const llvm::APFloat &decay) {
    Value p = kernel.loadVector(parameter, at, mask);
    if (decay.isZero())
      return p;
    Value step = kernel.mul(rate, kernel.constantF32(decay.convertToFloat()));
    return kernel.mul(p, kernel.splat(kernel.sub(kernel.constantF32(1.0), step)));
  }
  void store(Value p, Value at, Value mask, bool clearGradients) {
    if (bounds)
      // In this order a NaN stays one.
      p = kernel.min(kernel.constantVector(bounds[1]), kernel.max(kernel.constantVector(bounds[0]), p));
    kernel.storeVector(p, parameter, at, mask);
    if (clearGradients)
      kernel.storeVector(kernel.constantVector(0.0), gradient, at, mask);
  }

  KernelBuilder &kernel;
  KernelTask &task;
  Array parameter, gradient;
  DenseF32ArrayAttr bounds;
  Value factor, rate;
};
} // namespace

static void writeAdam(KernelTask &task, AdamOp op) {
  KernelBuilder &kernel = task.builder;
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        Update update(task, 0);
        Value step = kernel.splat(update.hyper(1));
        Array moment1 = update.remembered(0), moment2 = update.remembered(1);
        float beta1 = op.getBeta1().convertToFloat(), beta2 = op.getBeta2().convertToFloat();
        overElements(kernel, tile, [&](Value at, Value mask) {
          Value g = update.meanGradient(at, mask);
          Value m = kernel.fma(kernel.loadVector(moment1, at, mask), update.constant(op.getBeta1()),
                               kernel.mul(g, kernel.constantVector(1.0f - beta1)));
          Value v = kernel.fma(kernel.loadVector(moment2, at, mask), update.constant(op.getBeta2()),
                               kernel.mul(kernel.mul(g, g), kernel.constantVector(1.0f - beta2)));
          Value p = update.decayedParameter(at, mask, op.getWeightDecay());
          Value denominator = kernel.add(kernel.sqrt(v), update.constant(op.getEpsilon()));
          p = kernel.sub(p, kernel.div(kernel.mul(step, m), denominator));
          kernel.storeVector(m, moment1, at, mask);
          kernel.storeVector(v, moment2, at, mask);
          update.store(p, at, mask, op.getClearGradients());
        });
      },
      elementTiles(task));
}

/// First stage of a clipped update: shares of the squared norm of its parameter.
static void writeShares(KernelTask &task, AdagradOp op, llvm::function_ref<Array()> partials) {
  KernelBuilder &kernel = task.builder;
  kernel.stage(task.name(), 0, [&](Value share) {
    Update update(task, 1);
    Value begin = kernel.mul(share, elementsPerShare);
    Value end = kernel.min(kernel.add(begin, elementsPerShare), kernel.size(0));
    Value sum = sumOfSquares(kernel, begin, end, [&](Value at, Value mask) {
      return update.decayedGradient(at, mask, op.getWeightDecay());
    });
    kernel.store(sum, partials(), share);
  });
}

/// Second stage: the rate of the step, which takes the place behind the shares.
static void writeRate(KernelTask &task, AdagradOp op, AffineExpr shareCount, llvm::function_ref<Array()> partials) {
  KernelBuilder &kernel = task.builder;
  kernel.stage(task.name(), 1, [&](Value) {
    Array place = partials();
    Value zeros = kernel.constant(kernel.vectorOf(kernel.f64()), 0.0), shares = kernel.expression(shareCount);
    Value sums = kernel.columns(shares, ValueRange{zeros}, [&](Value share, Value mask, ValueRange group) {
      return Values{kernel.add(group[0], kernel.loadVector(place, share, mask))};
    })[0];
    Value norm = kernel.sqrt(kernel.horizontalSum(sums)),
          clip = kernel.constant(kernel.f64(), op.getClip().convertToFloat());
    Value rate = kernel.convert(kernel.load(task.operand(1), kernel.index(1)), kernel.f64());
    Value shorter = kernel.div(kernel.mul(rate, clip), kernel.add(norm, kernel.constant(kernel.f64(), 1e-10)));
    kernel.store(kernel.select(kernel.less(clip, norm), shorter, rate), place, shares);
  });
}

static void writeAdagrad(KernelTask &task, AdagradOp op) {
  KernelBuilder &kernel = task.builder;
  const bool clips = !op.isElementwise();
  AffineExpr shareCount = getAffineSymbolExpr(0, op.getContext()).ceilDiv(elementsPerShare);
  auto partials = [&] { return task.behindResults(3, kernel.f64()); };
  if (clips) {
    writeShares(task, op, partials);
    writeRate(task, op, shareCount, partials);
  }
  kernel.stage(
      task.name(), clips ? 2 : 0,
      [&](Value tile) {
        Update update(task, 1);
        Value rate = update.rate;
        if (clips)
          rate = kernel.convert(kernel.load(partials(), kernel.expression(shareCount)), kernel.f32());
        Array squares = update.remembered(0);
        overElements(kernel, tile, [&](Value at, Value mask) {
          Value g = update.decayedGradient(at, mask, op.getWeightDecay());
          Value s = kernel.fma(g, g, kernel.loadVector(squares, at, mask));
          Value denominator = kernel.add(kernel.sqrt(s), update.constant(op.getEpsilon()));
          Value p = kernel.loadVector(update.parameter, at, mask);
          p = kernel.sub(p, kernel.div(kernel.mul(kernel.splat(rate), g), denominator));
          kernel.storeVector(s, squares, at, mask);
          update.store(p, at, mask, op.getClearGradients());
        });
      },
      elementTiles(task));
}

static void writeNag(KernelTask &task, NagOp op) {
  KernelBuilder &kernel = task.builder;
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        Update update(task, 0);
        const float momentum = op.getMomentum().convertToFloat();
        Value kept = kernel.mul(update.hyper(1), kernel.constantF32(momentum));
        Value ahead = kernel.splat(kernel.mul(kept, kernel.constantF32(momentum)));
        Value step = kernel.splat(kernel.mul(update.rate, kernel.constantF32(1.0f + momentum)));
        Value rate = kernel.splat(update.rate), kept0 = kernel.splat(kept);
        Array velocity = update.remembered(0);
        overElements(kernel, tile, [&](Value at, Value mask) {
          Value g = update.meanGradient(at, mask), u = kernel.loadVector(velocity, at, mask);
          Value p = update.decayedParameter(at, mask, op.getWeightDecay());
          p = kernel.sub(kernel.fma(ahead, u, p), kernel.mul(step, g));
          kernel.storeVector(kernel.sub(kernel.mul(kept0, u), kernel.mul(rate, g)), velocity, at, mask);
          update.store(p, at, mask, op.getClearGradients());
        });
      },
      elementTiles(task));
}

static void writeSgd(KernelTask &task, SgdOp op) {
  KernelBuilder &kernel = task.builder;
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        Update update(task, 0);
        Value rate = kernel.splat(update.rate);
        Array velocity = update.remembered(0);
        overElements(kernel, tile, [&](Value at, Value mask) {
          Value g = update.decayedGradient(at, mask, op.getWeightDecay());
          Value u = kernel.fma(kernel.loadVector(velocity, at, mask), update.constant(op.getMomentum()), g);
          Value p = kernel.sub(kernel.loadVector(update.parameter, at, mask), kernel.mul(rate, u));
          kernel.storeVector(u, velocity, at, mask);
          update.store(p, at, mask, op.getClearGradients());
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
  else if (auto op = dyn_cast<AdagradOp>(task.op))
    writeAdagrad(task, op);
  else if (auto op = dyn_cast<NagOp>(task.op))
    writeNag(task, op);
  else if (auto op = dyn_cast<SgdOp>(task.op))
    writeSgd(task, op);
  else
    return false;
  return true;
}

} // namespace bifocal
