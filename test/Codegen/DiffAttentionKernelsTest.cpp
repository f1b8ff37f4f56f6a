// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention with shared heads and values of another size, and differential attention, against one reference in f64.

#include "runtime/core/Philox.h"
#include "test/Codegen/KernelLevels.h"
#include "test/Codegen/KernelTestData.h"
#include <gtest/gtest.h>

namespace bifocal::test {
namespace {

struct Case {
  /// `maps` = 2: the difference of two score maps.
  int64_t batch, queries, keys, heads, kvHeads, maps, keyDim, valueDim;
  bool causal, masked;
  double drop;
  double softCap = 0;
};

std::ostream &operator<<(std::ostream &out, const Case &test) {
  return out << "B" << test.batch << " T" << test.queries << " S" << test.keys << " H" << test.heads << '/'
             << test.kvHeads << " maps " << test.maps << " D" << test.keyDim << " E" << test.valueDim
             << (test.causal ? " causal" : "") << (test.masked ? " masked" : "") << " drop " << test.drop << " cap "
             << test.softCap;
}

constexpr Case cases[] = {
    {1, 1, 1, 4, 1, 1, 1, 3, false, false, 0},       {2, 7, 9, 4, 2, 1, 6, 8, false, true, 0},
    {1, 35, 35, 3, 1, 1, 8, 5, true, false, 0},      {2, 9, 66, 4, 2, 1, 12, 20, false, true, 0.3},
    {1, 1, 1, 1, 1, 2, 1, 2, false, false, 0},       {3, 7, 7, 2, 2, 2, 6, 12, true, true, 0},
    {2, 17, 33, 4, 2, 2, 8, 16, false, true, 0},     {1, 40, 40, 2, 1, 2, 32, 64, true, false, 0},
    {2, 5, 130, 1, 1, 2, 20, 7, false, true, 0},     {1, 70, 70, 2, 2, 2, 12, 24, true, true, 0.5},
    {2, 5, 9, 4, 2, 2, 4, 8, false, true, 0.3},      {1, 141, 141, 2, 1, 2, 8, 12, true, false, 0.2},
    {1, 35, 35, 3, 1, 1, 8, 5, true, false, 0, 0.5}, {2, 9, 66, 4, 2, 2, 8, 16, false, true, 0.3, 0.5},
};
/// More keys than the panel of any level has room for.
constexpr Case longCases[] = {{1, 3, 700, 1, 1, 2, 4, 8, false, true, 0.25},
                              {1, 3, 700, 1, 1, 2, 4, 8, false, true, 0.25, 0.5}};

constexpr uint64_t seed = 0x123456789abcdefull;
constexpr uint32_t site = 5, step = 7;

/// All tensors of one case, and the definition of the op in f64.
struct Problem {
  Case form;
  double scale;
  float lambda = 0.375f;
  Guarded query, key, value, outputGrad;
  std::vector<uint8_t> mask;
  std::vector<int64_t> rng{static_cast<int64_t>(seed), step};

  explicit Problem(const Case &test)
      : form(test), scale(1 / std::sqrt(static_cast<double>(test.keyDim))), query(random(queryElements(), 1, 2.0f)),
        key(random(keyElements(), 2, 2.0f)), value(random(valueElements(), 3)), outputGrad(random(outputElements(), 4)),
        mask(test.batch * test.keys, 1) {
    // The last sentence of a masked batch has nothing but padding.
    for (int64_t b = 0; b < test.batch && test.masked; ++b)
      for (int64_t s = 0; s < test.keys; ++s)
        mask[b * test.keys + s] = b + 1 < test.batch || test.batch == 1 ? s % 5 != 3 && s < test.keys - b : 0;
  }

  int64_t queryElements() const { return form.batch * form.queries * form.heads * form.maps * form.keyDim; }
  int64_t keyElements() const { return form.batch * form.keys * form.kvHeads * form.maps * form.keyDim; }
  int64_t valueElements() const { return form.batch * form.keys * form.kvHeads * form.valueDim; }
  int64_t outputElements() const { return form.batch * form.queries * form.heads * form.valueDim; }
  int64_t sums() const { return form.batch * form.heads * form.maps * form.queries; }
  int64_t kvHead(int64_t h) const { return h * form.kvHeads / form.heads; }
  int64_t queryAt(int64_t b, int64_t t, int64_t h, int64_t m) const {
    return (((b * form.queries + t) * form.heads + h) * form.maps + m) * form.keyDim;
  }
  int64_t keyAt(int64_t b, int64_t s, int64_t h, int64_t m) const {
    return (((b * form.keys + s) * form.kvHeads + kvHead(h)) * form.maps + m) * form.keyDim;
  }
  int64_t valueAt(int64_t b, int64_t s, int64_t h) const {
    return ((b * form.keys + s) * form.kvHeads + kvHead(h)) * form.valueDim;
  }
  int64_t outputAt(int64_t b, int64_t t, int64_t h) const {
    return ((b * form.queries + t) * form.heads + h) * form.valueDim;
  }
  int64_t sumAt(int64_t b, int64_t h, int64_t m, int64_t t) const {
    return ((b * form.heads + h) * form.maps + m) * form.queries + t;
  }
  /// What the weights of a map count.
  double share(int64_t m) const { return m == 0 ? 1 : -static_cast<double>(lambda); }

  double dropFactor(int64_t b, int64_t h, int64_t m, int64_t t, int64_t s) const {
    if (form.drop == 0)
      return 1;
    const auto element = static_cast<uint64_t>(sumAt(b, h, m, t) * form.keys + s);
    return philoxDraw(seed, element, site, step) < dropThreshold(static_cast<float>(form.drop))
               ? 0
               : 1 / (1 - static_cast<double>(static_cast<float>(form.drop)));
  }

  double score(int64_t b, int64_t h, int64_t m, int64_t t, int64_t s) const {
    double product = 0;
    for (int64_t d = 0; d < form.keyDim; ++d)
      product += static_cast<double>(query[queryAt(b, t, h, m) + d]) * key[keyAt(b, s, h, m) + d];
    const double scaled = scale * product;
    return form.softCap > 0 ? form.softCap * std::tanh(scaled / form.softCap) : scaled;
  }
  /// How much a gradient of the score counts for the scaled product.
  double slope(int64_t b, int64_t h, int64_t m, int64_t t, int64_t s) const {
    const double part = form.softCap > 0 ? score(b, h, m, t, s) / form.softCap : 0;
    return 1 - part * part;
  }

  /// Weights of one query before the drop; all 0 if it sees nothing. `lse` gets the log of the sum.
  std::vector<double> weights(int64_t b, int64_t h, int64_t m, int64_t t, double &lse) const {
    std::vector<double> result(form.keys, 0.0);
    double sum = 0;
    for (int64_t s = 0; s < form.keys; ++s) {
      if ((form.causal && s > t) || !mask[b * form.keys + s])
        continue;
      sum += result[s] = std::exp(score(b, h, m, t, s));
    }
    lse = std::log(sum);
    for (double &weight : result)
      weight = sum > 0 ? weight / sum : 0;
    return result;
  }

  static std::string type(int64_t channels) { return "tensor<?x?x" + std::to_string(channels) + "xf32>"; }
  std::string queries() const { return type(form.heads * form.maps * form.keyDim); }
  std::string keys() const { return type(form.kvHeads * form.maps * form.keyDim); }
  std::string values() const { return type(form.kvHeads * form.valueDim); }
  std::string outputs() const { return type(form.heads * form.valueDim); }
  std::string logSums() const { return "tensor<?x" + std::to_string(form.heads * form.maps) + "x?xf32>"; }
  std::string attributes() const {
    return "{heads = " + std::to_string(form.heads) + " : i64, kv_heads = " + std::to_string(form.kvHeads) +
           " : i64, scale = " + std::to_string(scale) + " : f32" +
           (form.softCap > 0 ? ", soft_cap = " + std::to_string(form.softCap) + " : f32" : "") +
           (form.drop > 0 ? ", drop_rate = " + std::to_string(form.drop) + " : f32, site = 5 : i32" : "") + "} : ";
  }
  std::string options() const {
    return std::string(" mask %m") + (form.drop > 0 ? " rng %r" : "") + (form.causal ? " causal " : " ");
  }
  std::string optionalTypes() const {
    return std::string(", tensor<?x?xi1>") + (form.drop > 0 ? ", tensor<2xi64>" : "");
  }
  std::string optionalArguments() const {
    return std::string(", %m: tensor<?x?xi1>") + (form.drop > 0 ? ", %r: tensor<2xi64>" : "");
  }
  bool paired() const { return form.maps == 2; }
  std::string operands() const { return "%q, %k, %v"; }
  std::string types() const { return queries() + ", " + keys() + ", " + values(); }
  std::string arguments() const { return "%q: " + queries() + ", %k: " + keys() + ", %v: " + values(); }

  std::string forwardSource() const {
    const std::string name = paired() ? "diff_attention %q, %k, %v lambda %w" : "attention %q, %k, %v";
    return kernelSource(arguments() + (paired() ? ", %w: tensor<f32>" : "") + optionalArguments(),
                        "%y, %l = bifocal." + name + options() + attributes() + "(" + types() +
                            (paired() ? ", tensor<f32>" : "") + optionalTypes() + ") -> (" + outputs() + ", " +
                            logSums() + ")",
                        "%y, %l : " + outputs() + ", " + logSums());
  }
  std::string gradSource() const {
    const std::string saved = paired() ? ", %w: tensor<f32>" : ", %y: " + outputs();
    const std::string name =
        paired() ? "diff_attention_grad %g, %q, %k, %v lambda %w lse %l" : "attention_grad %g, %q, %k, %v, %y, %l";
    const std::string results = types() + (paired() ? ", tensor<f32>" : "");
    const std::string names = paired() ? "%dq, %dk, %dv, %dw" : "%dq, %dk, %dv";
    return kernelSource("%g: " + outputs() + ", " + arguments() + saved + ", %l: " + logSums() + optionalArguments(),
                        names + " = bifocal." + name + options() + attributes() + "(" + outputs() + ", " + types() +
                            ", " + (paired() ? "tensor<f32>" : outputs()) + ", " + logSums() + optionalTypes() +
                            ") -> (" + results + ")",
                        names + " : " + results);
  }
};

/// The gradients in f64.
struct Gradients {
  std::vector<double> query, key, value;
  double lambda = 0;
  double largestWeight = 0; ///< what is left of it after the drop

  explicit Gradients(const Problem &problem)
      : query(problem.queryElements()), key(problem.keyElements()), value(problem.valueElements()) {
    const Case &form = problem.form;
    for (int64_t b = 0; b < form.batch; ++b)
      for (int64_t h = 0; h < form.heads; ++h)
        for (int64_t t = 0; t < form.queries; ++t)
          for (int64_t m = 0; m < form.maps; ++m)
            add(problem, b, h, m, t);
  }

private:
  void add(const Problem &problem, int64_t b, int64_t h, int64_t m, int64_t t) {
    const Case &form = problem.form;
    double unused = 0, mean = 0;
    const std::vector<double> weights = problem.weights(b, h, m, t, unused);
    std::vector<double> weightGrad(form.keys);
    for (int64_t s = 0; s < form.keys; ++s) {
      const double drop = problem.dropFactor(b, h, m, t, s);
      largestWeight = std::max(largestWeight, weights[s] * std::max(drop, 1.0));
      for (int64_t d = 0; d < form.valueDim; ++d) {
        const double g = problem.outputGrad[problem.outputAt(b, t, h) + d];
        weightGrad[s] += drop * g * problem.value[problem.valueAt(b, s, h) + d];
        value[problem.valueAt(b, s, h) + d] += problem.share(m) * drop * weights[s] * g;
      }
      mean += weights[s] * weightGrad[s];
    }
    if (m == 1)
      lambda -= mean;
    for (int64_t s = 0; s < form.keys; ++s) {
      const double slope = problem.scale * problem.slope(b, h, m, t, s);
      const double z = problem.share(m) * slope * weights[s] * (weightGrad[s] - mean);
      for (int64_t d = 0; d < form.keyDim; ++d) {
        query[problem.queryAt(b, t, h, m) + d] += z * problem.key[problem.keyAt(b, s, h, m) + d];
        key[problem.keyAt(b, s, h, m) + d] += z * problem.query[problem.queryAt(b, t, h, m) + d];
      }
    }
  }
};

class DiffAttentionKernels : public testing::TestWithParam<std::string> {
protected:
  void run(const std::string &source, std::vector<void *> buffers, const std::vector<int64_t> &sizes) {
    std::string error;
    auto kernel = KernelHarness::create(source, GetParam(), error);
    ASSERT_TRUE(kernel) << error << source;
    EXPECT_EQ(kernel->run(std::move(buffers), sizes), "");
  }

  void runForward(Problem &problem, Guarded &output, Guarded &lse) {
    const Case &form = problem.form;
    std::vector<void *> buffers{problem.query, problem.key, problem.value};
    if (problem.paired())
      buffers.push_back(&problem.lambda);
    buffers.push_back(problem.mask.data());
    if (form.drop > 0)
      buffers.push_back(problem.rng.data());
    buffers.insert(buffers.end(), {output, lse});
    const int64_t b = form.batch, t = form.queries, s = form.keys;
    run(problem.forwardSource(), buffers, {b, t, b, s, b, s, b, s, b, t, b, t});
  }

  void compareForward(const Case &form) {
    SCOPED_TRACE(testing::PrintToString(form));
    Problem problem(form);
    Guarded output(problem.outputElements()), lse(problem.sums());
    runForward(problem, output, lse);
    for (int64_t b = 0; b < form.batch; ++b)
      for (int64_t h = 0; h < form.heads; ++h)
        for (int64_t t = 0; t < form.queries; ++t) {
          std::vector<double> expected(form.valueDim);
          for (int64_t m = 0; m < form.maps; ++m) {
            double expectedLse = 0;
            const std::vector<double> weights = problem.weights(b, h, m, t, expectedLse);
            if (std::isinf(expectedLse))
              ASSERT_LT(lse[problem.sumAt(b, h, m, t)], -1e29);
            else
              ASSERT_NEAR(lse[problem.sumAt(b, h, m, t)], expectedLse, bound(form));
            for (int64_t s = 0; s < form.keys; ++s)
              for (int64_t d = 0; d < form.valueDim; ++d)
                expected[d] += problem.share(m) * weights[s] * problem.dropFactor(b, h, m, t, s) *
                               problem.value[problem.valueAt(b, s, h) + d];
          }
          for (int64_t d = 0; d < form.valueDim; ++d)
            ASSERT_NEAR(output[problem.outputAt(b, t, h) + d], expected[d], bound(form)) << b << ' ' << h << ' ' << t;
        }
    EXPECT_TRUE(output.intact() && lse.intact());
  }

  void compareGradients(const Case &form) {
    SCOPED_TRACE(testing::PrintToString(form));
    Problem problem(form);
    Guarded output(problem.outputElements()), lse(problem.sums());
    runForward(problem, output, lse);
    Guarded dq(problem.queryElements()), dk(problem.keyElements()), dv(problem.valueElements()), dw(1);
    std::vector<void *> buffers{problem.outputGrad, problem.query, problem.key, problem.value};
    const int64_t n = form.batch, q = form.queries, k = form.keys;
    std::vector<int64_t> sizes{n, q, n, q, n, k, n, k};
    buffers.push_back(problem.paired() ? static_cast<void *>(&problem.lambda) : static_cast<void *>(output));
    if (!problem.paired())
      sizes.insert(sizes.end(), {n, q});
    buffers.insert(buffers.end(), {lse, problem.mask.data()});
    if (form.drop > 0)
      buffers.push_back(problem.rng.data());
    buffers.insert(buffers.end(), {dq, dk, dv});
    if (problem.paired())
      buffers.push_back(dw);
    sizes.insert(sizes.end(), {n, q, n, k, n, q, n, k, n, k});
    run(problem.gradSource(), buffers, sizes);
    const Gradients expected(problem);
    // A gradient sums products of size 8 over keys or queries and heads.
    const double tolerance =
        8 * (1 + std::sqrt(static_cast<double>(std::max(form.keyDim, form.valueDim)))) * bound(form) +
        16 * sumBound(16 * form.queries * form.heads / form.kvHeads);
    for (int64_t at = 0; at < problem.queryElements(); ++at)
      ASSERT_NEAR(dq[at], expected.query[at], tolerance) << at;
    // All that a key or value gets is a weight times something.
    for (int64_t at = 0; at < problem.keyElements(); ++at)
      ASSERT_NEAR(dk[at], expected.key[at], tolerance * expected.largestWeight) << at;
    for (int64_t at = 0; at < problem.valueElements(); ++at)
      ASSERT_NEAR(dv[at], expected.value[at], tolerance * expected.largestWeight) << at;
    if (problem.paired())
      ASSERT_NEAR(dw[0], expected.lambda, tolerance * std::sqrt(static_cast<double>(problem.sums())));
    EXPECT_TRUE(dq.intact() && dk.intact() && dv.intact() && dw.intact());
  }

private:
  /// Scores of up to D products of size 4 / sqrt(D) move a weight by their own error; sums over keys and channels add
  /// theirs.
  static double bound(const Case &form) { return 16 * sumBound(form.keyDim) + 4 * sumBound(16 * form.keys); }
};

TEST_P(DiffAttentionKernels, ForwardFollowsTheDefinition) {
  for (const Case &form : cases)
    compareForward(form);
}

TEST_P(DiffAttentionKernels, GradientsFollowTheDefinition) {
  for (const Case &form : cases)
    compareGradients(form);
}

// On a warp all keys are beyond the panel, so that short cases show it.
TEST_P(DiffAttentionKernels, KeysBeyondThePanelAreScoredAgain) {
  if (GetParam() == "warp")
    GTEST_SKIP() << "a warp has no panel";
  for (const Case &form : longCases) {
    compareForward(form);
    compareGradients(form);
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, DiffAttentionKernels, testing::ValuesIn(testedLevels()), shortLevelName);

} // namespace
} // namespace bifocal::test
