// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention, its gradients and its decoding steps, against references in f64.

#include "runtime/core/Philox.h"
#include "test/Codegen/KernelLevels.h"
#include "test/Codegen/KernelTestData.h"
#include <gtest/gtest.h>

namespace bifocal::test {
namespace {

struct Case {
  int64_t batch, queries, keys, heads, headDim;
  bool causal, masked;
  double drop;
};

std::ostream &operator<<(std::ostream &out, const Case &test) {
  return out << "B" << test.batch << " T" << test.queries << " S" << test.keys << " H" << test.heads << " D"
             << test.headDim << (test.causal ? " causal" : "") << (test.masked ? " masked" : "") << " drop "
             << test.drop;
}

constexpr Case cases[] = {
    {1, 1, 1, 1, 1, false, false, 0},      {2, 3, 5, 2, 8, false, true, 0},       {3, 7, 7, 1, 6, true, true, 0},
    {2, 17, 33, 3, 16, false, true, 0},    {1, 40, 40, 2, 64, true, false, 0},    {2, 35, 130, 1, 20, false, true, 0},
    {2, 5, 9, 2, 4, false, true, 0.3},     {1, 70, 70, 2, 12, true, true, 0.5},   {3, 16, 64, 4, 32, false, false, 0.1},
    {2, 66, 67, 1, 33, false, true, 0.25}, {1, 141, 141, 1, 8, true, false, 0.2},
};

/// More than one strip of queries, and strips that are smaller because heads are wide: on CPUs.
constexpr Case longCases[] = {
    {1, 300, 300, 1, 8, true, false, 0.2}, {1, 290, 310, 2, 6, false, true, 0}, {1, 70, 70, 1, 512, true, false, 0}};

std::vector<Case> casesOf(const std::string &level) {
  std::vector<Case> all(std::begin(cases), std::end(cases));
  if (level != "warp")
    all.insert(all.end(), std::begin(longCases), std::end(longCases));
  return all;
}

constexpr uint64_t seed = 0x123456789abcdefull;
constexpr uint32_t site = 5, step = 7;

/// All tensors of one case, and the definition of the op in f64.
struct Problem {
  Case form;
  double scale;
  Guarded query, key, value, outputGrad;
  std::vector<uint8_t> mask;
  std::vector<int64_t> rng{static_cast<int64_t>(seed), step};

  explicit Problem(const Case &test)
      : form(test), scale(1 / std::sqrt(static_cast<double>(test.headDim))), query(random(queryElements(), 1, 2.0f)),
        key(random(keyElements(), 2, 2.0f)), value(random(keyElements(), 3)), outputGrad(random(queryElements(), 4)),
        mask(test.batch * test.keys, 1) {
    // Padding of different lengths; the last sentence of a masked batch has nothing but padding.
    for (int64_t b = 0; b < test.batch && test.masked; ++b)
      for (int64_t s = 0; s < test.keys; ++s)
        mask[b * test.keys + s] = b + 1 < test.batch || test.batch == 1 ? s % 5 != 3 && s < test.keys - b : 0;
  }

  int64_t channels() const { return form.heads * form.headDim; }
  int64_t queryElements() const { return form.batch * form.queries * form.heads * form.headDim; }
  int64_t keyElements() const { return form.batch * form.keys * form.heads * form.headDim; }
  int64_t queryAt(int64_t b, int64_t t, int64_t h, int64_t d) const {
    return ((b * form.queries + t) * form.heads + h) * form.headDim + d;
  }
  int64_t keyAt(int64_t b, int64_t s, int64_t h, int64_t d) const {
    return ((b * form.keys + s) * form.heads + h) * form.headDim + d;
  }

  bool sees(int64_t b, int64_t t, int64_t s) const { return (!form.causal || s <= t) && mask[b * form.keys + s]; }
  double dropFactor(int64_t b, int64_t h, int64_t t, int64_t s) const {
    if (form.drop == 0)
      return 1;
    const auto element = static_cast<uint64_t>(((b * form.heads + h) * form.queries + t) * form.keys + s);
    return philoxDraw(seed, element, site, step) < dropThreshold(static_cast<float>(form.drop))
               ? 0
               : 1 / (1 - static_cast<double>(static_cast<float>(form.drop)));
  }

  /// Weights of one query before the drop; all 0 if it sees nothing. `lse` gets the log of the sum.
  std::vector<double> weights(int64_t b, int64_t h, int64_t t, double &lse) const {
    std::vector<double> result(form.keys, 0.0);
    double sum = 0;
    for (int64_t s = 0; s < form.keys; ++s) {
      if (!sees(b, t, s))
        continue;
      double score = 0;
      for (int64_t d = 0; d < form.headDim; ++d)
        score += static_cast<double>(query[queryAt(b, t, h, d)]) * key[keyAt(b, s, h, d)];
      sum += result[s] = std::exp(scale * score);
    }
    lse = std::log(sum);
    for (double &weight : result)
      weight = sum > 0 ? weight / sum : 0;
    return result;
  }

  std::string attributes() const {
    return "{heads = " + std::to_string(form.heads) + " : i64, scale = " + std::to_string(scale) + " : f32" +
           (form.drop > 0 ? ", drop_rate = " + std::to_string(form.drop) + " : f32, site = 5 : i32" : "") + "} : ";
  }
  std::string sequence() const { return "tensor<?x?x" + std::to_string(channels()) + "xf32>"; }
  std::string sums() const { return "tensor<?x" + std::to_string(form.heads) + "x?xf32>"; }
  std::string options() const {
    return std::string(" mask %m") + (form.drop > 0 ? " rng %r" : "") + (form.causal ? " causal " : " ");
  }
  std::string optionalTypes() const {
    return std::string(", tensor<?x?xi1>") + (form.drop > 0 ? ", tensor<2xi64>" : "");
  }
  std::string optionalArguments() const {
    return std::string(", %m: tensor<?x?xi1>") + (form.drop > 0 ? ", %r: tensor<2xi64>" : "");
  }

  std::string forwardSource() const {
    const std::string s = sequence();
    return kernelSource("%q: " + s + ", %k: " + s + ", %v: " + s + optionalArguments(),
                        "%y, %l = bifocal.attention %q, %k, %v" + options() + attributes() + "(" + s + ", " + s + ", " +
                            s + optionalTypes() + ") -> (" + s + ", " + sums() + ")",
                        "%y, %l : " + s + ", " + sums());
  }
  std::string gradSource() const {
    const std::string s = sequence();
    return kernelSource("%g: " + s + ", %q: " + s + ", %k: " + s + ", %v: " + s + ", %y: " + s + ", %l: " + sums() +
                            optionalArguments(),
                        "%dq, %dk, %dv = bifocal.attention_grad %g, %q, %k, %v, %y, %l" + options() + attributes() +
                            "(" + s + ", " + s + ", " + s + ", " + s + ", " + s + ", " + sums() + optionalTypes() +
                            ") -> (" + s + ", " + s + ", " + s + ")",
                        "%dq, %dk, %dv : " + s + ", " + s + ", " + s);
  }
};

class AttentionKernels : public testing::TestWithParam<std::string> {
protected:
  void run(const std::string &source, std::vector<void *> buffers, const std::vector<int64_t> &sizes) {
    std::string error;
    auto kernel = KernelHarness::create(source, GetParam(), error);
    ASSERT_TRUE(kernel) << error << source;
    EXPECT_EQ(kernel->run(std::move(buffers), sizes), "");
  }

  void runForward(Problem &problem, Guarded &output, Guarded &lse) {
    const Case &form = problem.form;
    std::vector<void *> buffers{problem.query, problem.key, problem.value, problem.mask.data()};
    if (form.drop > 0)
      buffers.push_back(problem.rng.data());
    buffers.insert(buffers.end(), {output, lse});
    const int64_t b = form.batch, t = form.queries, s = form.keys;
    run(problem.forwardSource(), buffers, {b, t, b, s, b, s, b, s, b, t, b, t});
  }
};

/// Scores of up to D products of size 4 / sqrt(D) move a weight by their own error; sums over keys and channels add
/// theirs.
double bound(const Case &form) { return 16 * sumBound(form.headDim) + 4 * sumBound(16 * form.keys); }

TEST_P(AttentionKernels, ForwardFollowsTheDefinition) {
  for (const Case &form : casesOf(GetParam())) {
    SCOPED_TRACE(testing::PrintToString(form));
    Problem problem(form);
    Guarded output(problem.queryElements()), lse(form.batch * form.heads * form.queries);
    runForward(problem, output, lse);
    for (int64_t b = 0; b < form.batch; ++b)
      for (int64_t h = 0; h < form.heads; ++h)
        for (int64_t t = 0; t < form.queries; ++t) {
          double expectedLse = 0;
          const std::vector<double> weights = problem.weights(b, h, t, expectedLse);
          const double gotLse = lse[(b * form.heads + h) * form.queries + t];
          if (std::isinf(expectedLse))
            ASSERT_LT(gotLse, -1e29);
          else
            ASSERT_NEAR(gotLse, expectedLse, bound(form));
          for (int64_t d = 0; d < form.headDim; ++d) {
            double expected = 0;
            for (int64_t s = 0; s < form.keys; ++s)
              expected += weights[s] * problem.dropFactor(b, h, t, s) * problem.value[problem.keyAt(b, s, h, d)];
            ASSERT_NEAR(output[problem.queryAt(b, t, h, d)], expected, bound(form))
                << b << ' ' << h << ' ' << t << ' ' << d;
          }
        }
    EXPECT_TRUE(output.intact() && lse.intact());
  }
}

TEST_P(AttentionKernels, GradientsFollowTheDefinition) {
  for (const Case &form : casesOf(GetParam())) {
    SCOPED_TRACE(testing::PrintToString(form));
    Problem problem(form);
    Guarded output(problem.queryElements()), lse(form.batch * form.heads * form.queries);
    runForward(problem, output, lse);
    Guarded dq(problem.queryElements()), dk(problem.keyElements()), dv(problem.keyElements());
    std::vector<void *> buffers{problem.outputGrad, problem.query, problem.key, problem.value, output, lse,
                                problem.mask.data()};
    if (form.drop > 0)
      buffers.push_back(problem.rng.data());
    buffers.insert(buffers.end(), {dq, dk, dv});
    const int64_t n = form.batch, q = form.queries, k = form.keys;
    run(problem.gradSource(), buffers, {n, q, n, q, n, k, n, k, n, q, n, q, n, k, n, q, n, k, n, k});
    std::vector<double> eq(problem.queryElements()), ek(problem.keyElements()), ev(problem.keyElements());
    for (int64_t b = 0; b < form.batch; ++b)
      for (int64_t h = 0; h < form.heads; ++h)
        for (int64_t t = 0; t < form.queries; ++t) {
          double unused = 0, mean = 0;
          const std::vector<double> weights = problem.weights(b, h, t, unused);
          std::vector<double> weightGrad(form.keys);
          for (int64_t s = 0; s < form.keys; ++s) {
            for (int64_t d = 0; d < form.headDim; ++d) {
              const double g = problem.outputGrad[problem.queryAt(b, t, h, d)], drop = problem.dropFactor(b, h, t, s);
              weightGrad[s] += drop * g * problem.value[problem.keyAt(b, s, h, d)];
              ev[problem.keyAt(b, s, h, d)] += drop * weights[s] * g;
            }
            mean += weights[s] * weightGrad[s];
          }
          for (int64_t s = 0; s < form.keys; ++s)
            for (int64_t d = 0; d < form.headDim; ++d) {
              const double z = problem.scale * weights[s] * (weightGrad[s] - mean);
              eq[problem.queryAt(b, t, h, d)] += z * problem.key[problem.keyAt(b, s, h, d)];
              ek[problem.keyAt(b, s, h, d)] += z * problem.query[problem.queryAt(b, t, h, d)];
            }
        }
    // A gradient sums products of size 8 over keys or queries.
    const double tolerance =
        8 * (1 + std::sqrt(static_cast<double>(form.headDim))) * bound(form) + 16 * sumBound(16 * form.queries);
    for (int64_t at = 0; at < problem.queryElements(); ++at)
      ASSERT_NEAR(dq[at], eq[at], tolerance) << at;
    for (int64_t at = 0; at < problem.keyElements(); ++at) {
      ASSERT_NEAR(dk[at], ek[at], tolerance) << at;
      ASSERT_NEAR(dv[at], ev[at], tolerance) << at;
    }
    EXPECT_TRUE(dq.intact() && dk.intact() && dv.intact());
  }
}

// A score that is no number is seen in the output: a training that has diverged must not look well.
TEST_P(AttentionKernels, QueriesThatSeeNaNAreNaN) {
  const Case form{1, 70, 70, 1, 8, true, false, 0};
  Problem problem(form);
  constexpr int64_t spoilt = 40;
  problem.key[problem.keyAt(0, spoilt, 0, 3)] = std::numeric_limits<float>::quiet_NaN();
  Guarded output(problem.queryElements()), lse(form.queries);
  runForward(problem, output, lse);
  for (int64_t t = 0; t < form.queries; ++t)
    for (int64_t d = 0; d < form.headDim; ++d)
      ASSERT_EQ(std::isnan(output[problem.queryAt(0, t, 0, d)]), t >= spoilt) << t << ' ' << d;
}

// What stands behind the padding must not matter, not even in the last bit: sentences share batches.
TEST_P(AttentionKernels, RowsDoNotDependOnPadding) {
  const Case small{1, 9, 11, 2, 24, false, true, 0}, large{1, 9, 150, 2, 24, false, true, 0};
  Problem a(small), b(large);
  for (int64_t s = 0; s < large.keys; ++s) {
    b.mask[s] = s < small.keys && a.mask[s];
    for (int64_t c = 0; c < a.channels() && s < small.keys; ++c) {
      b.key[s * a.channels() + c] = a.key[s * a.channels() + c];
      b.value[s * a.channels() + c] = a.value[s * a.channels() + c];
    }
  }
  Guarded first(a.queryElements()), second(a.queryElements()), lse(18);
  runForward(a, first, lse);
  runForward(b, second, lse);
  for (int64_t at = 0; at < a.queryElements(); ++at)
    ASSERT_EQ(first[at], second[at]) << at;
}

std::string state(const std::string &name, const std::string &type, const std::string &dims) {
  return "bifocal.state @" + name + " : " + type + " dims [" + dims + "]\n";
}

TEST_P(AttentionKernels, StepAttendsToItsAncestors) {
  const int64_t rows = 6, heads = 2, steps = 80, capacity = 82;
  for (int64_t headDim : {5, 16, 40}) {
    const int64_t channels = heads * headDim;
    const std::string c = std::to_string(channels), m = "tensor<?x" + c + "xf32>", cache = "tensor<?x?x" + c + "xf32>";
    const std::string dims = "\"P\", \"R\", \"\"";
    const std::string source =
        state("kc", cache, dims) + state("vc", cache, dims) +
        kernelSource("%q: " + m + ", %k: " + m + ", %v: " + m + ", %a: tensor<?x?xi32>, %s: tensor<i32>",
                     "%y = bifocal.attention_step %q, %k, %v caches @kc, @vc ancestors %a step %s {heads = 2 : i64, "
                     "scale = 0.25 : f32} : (" +
                         m + ", " + m + ", " + m + ", tensor<?x?xi32>, tensor<i32>) -> " + m,
                     "%y : " + m);
    Guarded keys = random(capacity * rows * channels, 1, 2.0f), values = random(capacity * rows * channels, 2);
    for (int64_t now : {int64_t{0}, int64_t{1}, int64_t{17}, steps}) {
      const int64_t n = now == 17 ? 4 : rows;
      Guarded query = random(n * channels, 3, 2.0f), key = random(n * channels, 4, 2.0f),
              value = random(n * channels, 5), output(n * channels);
      std::vector<int32_t> ancestors(n * capacity, 0), stepNumber{static_cast<int32_t>(now)};
      for (int64_t i = 0; i < n * capacity; ++i)
        ancestors[i] = i % capacity < now ? static_cast<int32_t>(i * 7 % rows) : 1 << 30;
      run(source, {query, key, value, ancestors.data(), stepNumber.data(), output, keys, values},
          {n, n, n, n, capacity, n, capacity, rows, capacity, rows});
      for (int64_t row = 0; row < n; ++row)
        for (int64_t h = 0; h < heads; ++h) {
          auto place = [&](int64_t p) {
            return (p * rows + (p < now ? ancestors[row * capacity + p] : row)) * channels + h * headDim;
          };
          std::vector<double> weights, expected(headDim);
          double sum = 0;
          for (int64_t p = 0; p <= now; ++p) {
            double score = 0;
            for (int64_t d = 0; d < headDim; ++d)
              score += static_cast<double>(query[row * channels + h * headDim + d]) * keys[place(p) + d];
            weights.push_back(std::exp(0.25 * score));
            sum += weights.back();
          }
          for (int64_t p = 0; p <= now; ++p)
            for (int64_t d = 0; d < headDim; ++d)
              expected[d] += weights[p] / sum * values[place(p) + d];
          for (int64_t d = 0; d < headDim; ++d) {
            ASSERT_NEAR(output[row * channels + h * headDim + d], expected[d], 64 * sumBound(16 * now + headDim))
                << headDim << ' ' << now;
            ASSERT_EQ(keys[place(now) + d], key[row * channels + h * headDim + d]);
            ASSERT_EQ(values[place(now) + d], value[row * channels + h * headDim + d]);
          }
        }
      EXPECT_TRUE(output.intact() && keys.intact() && values.intact());
    }
  }
}

TEST_P(AttentionKernels, CrossStepEqualsTheForwardPass) {
  const Case form{3, 1, 21, 2, 24, false, true, 0};
  Problem problem(form);
  const std::string c = std::to_string(problem.channels()), m = "tensor<?x" + c + "xf32>";
  const std::vector<int32_t> sentences{2, 0, 0, 1};
  Guarded query(4 * problem.channels()), output(4 * problem.channels());
  for (int64_t row = 0; row < 4; ++row)
    for (int64_t i = 0; i < problem.channels(); ++i)
      query[row * problem.channels() + i] = problem.query[sentences[row] * problem.channels() + i];
  const std::string dims = "\"B\", \"S\"";
  run(state("kc", problem.sequence(), dims + ", \"\"") + state("vc", problem.sequence(), dims + ", \"\"") +
          state("mc", "tensor<?x?xi1>", dims) +
          kernelSource(
              "%q: " + m + ", %s: tensor<?xi32>",
              "%y = bifocal.cross_attention_step %q sentences %s states @kc, @vc, @mc {heads = 2 : i64, scale = " +
                  std::to_string(problem.scale) + " : f32} : (" + m + ", tensor<?xi32>) -> " + m,
              "%y : " + m),
      {query, const_cast<int32_t *>(sentences.data()), output, problem.key, problem.value, problem.mask.data()},
      {4, 4, 4, form.batch, form.keys, form.batch, form.keys, form.batch, form.keys});
  for (int64_t row = 0; row < 4; ++row)
    for (int64_t h = 0; h < form.heads; ++h) {
      double unused = 0;
      const std::vector<double> weights = problem.weights(sentences[row], h, 0, unused);
      for (int64_t d = 0; d < form.headDim; ++d) {
        double expected = 0;
        for (int64_t s = 0; s < form.keys; ++s)
          expected += weights[s] * problem.value[problem.keyAt(sentences[row], s, h, d)];
        ASSERT_NEAR(output[row * problem.channels() + h * form.headDim + d], expected, bound(form)) << row;
      }
    }
  EXPECT_TRUE(output.intact());
}

INSTANTIATE_TEST_SUITE_P(Levels, AttentionKernels, testing::ValuesIn(testedLevels()), shortLevelName);

} // namespace
} // namespace bifocal::test
