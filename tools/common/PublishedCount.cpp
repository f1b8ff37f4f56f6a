// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/common/PublishedCount.h"

#include "dialect/bifocal/BifocalOps.h"
#include "frontend/Import.h"
#include "frontend/RecurrentParameters.h"
#include "frontend/RecurrentSpec.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "passes/NamedDims.h"

#include <limits>

using namespace mlir;

namespace bifocal::tools {

namespace {

/// The sizes of the values of one function.
class Sizes {
public:
  /// The memories of layers are `M`, or one for each layer: `M0`, `M1`, ...
  Sizes(const NamedDims &dims, int64_t source, int64_t target, int64_t memory) : dims(dims) {
    for (const std::string &name : dims.names())
      values.push_back(name == "S" ? source : name == "T" ? target : StringRef(name).starts_with("M") ? memory : 1);
  }

  /// Of each axis of `value`.
  SmallVector<int64_t> of(Value value) const {
    SmallVector<int64_t> sizes;
    MLIRContext *context = value.getContext();
    SmallVector<AffineExpr> symbols;
    for (int64_t size : values)
      symbols.push_back(getAffineConstantExpr(size, context));
    for (AffineExpr dim : dims.of(value))
      sizes.push_back(cast<AffineConstantExpr>(dim.replaceSymbols(symbols)).getValue());
    return sizes;
  }

private:
  const NamedDims &dims;
  SmallVector<int64_t> values;
};

/// Stands for all larger counts, which many tokens of a large model may have.
constexpr int64_t most = std::numeric_limits<int64_t>::max();

int64_t sum(int64_t a, int64_t b) {
  int64_t result = 0;
  return __builtin_add_overflow(a, b, &result) ? most : result;
}

int64_t product(ArrayRef<int64_t> sizes) {
  int64_t result = 1;
  for (int64_t size : sizes)
    if (__builtin_mul_overflow(result, size, &result))
      return most;
  return result;
}

/// Whether a product belongs to the projection on the vocabulary, or is one of an adaptive input's but the widest band,
/// since a token passes through one of them.
bool isLeftOut(LinearOp linear, const Spec &spec) {
  Operation *weight = linear.getWeight().getDefiningOp();
  if (isa_and_nonnull<TransposeOp, ConcatRowsOp>(weight)) // of an adaptive softmax that is tied
    return true;
  // A part of a table: the band of a softmax, or of a projection that makes queries, keys and values.
  if (auto split = dyn_cast_or_null<SplitRowsOp>(weight))
    weight = split->getOperand(0).getDefiningOp();
  auto parameter = dyn_cast_or_null<ParamRefOp>(weight);
  if (!parameter)
    return false;
  const StringRef name = parameter.getParam();
  if (isRecurrent(spec.decoder.mixer))
    return isOfRecurrentSoftmax(name) || (isOfRecurrentWords(name) && name != wordProjectionName(0));
  const bool band = name.starts_with(adaptiveInputName) && name != bandProjectionName(0);
  return band || name.starts_with(adaptiveSoftmaxName) || name == outputProjectionName(spec);
}

bool isOfTables(StringRef name, const Spec &spec) {
  return isRecurrent(spec.decoder.mixer) ? isOfRecurrentWords(name) : name.contains("embed_tokens");
}

/// Steps that layers of Transformer-XL remember in training, or the longest span.
int64_t memoryOf(const StackSpec &stack) {
  return stack.mixer == Mixer::relativeAttention ? stack.recurrent.training.steps
         : stack.mixer == Mixer::spanAttention   ? stack.recurrent.span
                                                 : 0;
}

int64_t countForward(func::FuncOp forward, const Spec &spec, const Sizes &sizes) {
  int64_t count = 0;
  // Queries with keys, weights with values: every pair of tokens once for every channel.
  auto countPairs = [&](Value query, Value key, Value output) {
    count = sum(count, product({sum(product(sizes.of(query)), product(sizes.of(output))), sizes.of(key)[1]}));
  };
  forward.walk([&](Operation *op) {
    if (auto linear = dyn_cast<LinearOp>(op)) {
      if (!isLeftOut(linear, spec))
        count = sum(count, product({product(sizes.of(linear.getInput())), sizes.of(linear.getWeight()).front()}));
    } else if (auto attention = dyn_cast<AttentionOp>(op)) {
      countPairs(attention.getQuery(), attention.getKey(), attention.getOutput());
    } else if (auto paired = dyn_cast<DiffAttentionOp>(op)) {
      // The maps are subtracted before they meet the values.
      countPairs(paired.getQuery(), paired.getKey(), paired.getOutput());
    } else if (auto relative = dyn_cast<RelativeAttentionOp>(op)) {
      countPairs(relative.getQuery(), relative.getKey(), relative.getOutput());
      // And a second query with the key of the distance.
      count = sum(count, product({product(sizes.of(relative.getQuery())), sizes.of(relative.getKey())[1]}));
    }
  });
  return count;
}

} // namespace

PublishedCount countAsPublished(const Spec &spec, int64_t source, int64_t target) {
  PublishedCount count;
  for (const ParameterSpec &parameter : listParameters(spec)) {
    if (parameter.constant)
      continue;
    count.parameters += parameter.elements();
    count.withoutEmbeddings += isOfTables(parameter.name, spec) ? 0 : parameter.elements();
  }
  count.memory = memoryOf(spec.decoder);
  MLIRContext context;
  OwningOpRef<ModuleOp> module = importSpec(spec, context);
  auto forward = module->lookupSymbol<func::FuncOp>("forward");
  NamedDims dims(forward);
  if (succeeded(dims.infer()))
    count.multiplyAdds = countForward(forward, spec, Sizes(dims, source, target, count.memory));
  return count;
}

} // namespace bifocal::tools
