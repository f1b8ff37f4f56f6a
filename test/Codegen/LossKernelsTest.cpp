// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Losses, embedding gradients, positions and masks, and the optimizer, against references in f64.

#include "test/Codegen/KernelLevels.h"
#include "test/Codegen/KernelTestData.h"
#include <gtest/gtest.h>

namespace bifocal::test {
namespace {

class LevelTest : public testing::TestWithParam<std::string> {
protected:
  void run(const std::string &source, std::vector<void *> buffers, std::vector<int64_t> sizes, unsigned repeat = 1) {
    std::string error;
    auto kernel = KernelHarness::create(source, GetParam(), error);
    ASSERT_TRUE(kernel) << error << source;
    EXPECT_EQ(kernel->run(std::move(buffers), sizes, repeat), "");
  }
};

using LossKernels = LevelTest;
using TokenKernels = LevelTest;
using OptimKernels = LevelTest;

struct LossCase {
  int64_t rows, classes;
  float smoothing;
  bool allIgnored;
};

constexpr int32_t ignored = 1;

std::vector<int32_t> targetsOf(const LossCase &test) {
  std::vector<int32_t> targets(test.rows);
  for (int64_t row = 0; row < test.rows; ++row)
    targets[row] = test.allIgnored || row % 5 == 3 ? ignored : static_cast<int32_t>((row * 31 + 2) % test.classes);
  return targets;
}

constexpr LossCase lossCases[] = {
    {1, 5, 0.1f, false}, {3, 17, 0.0f, false}, {200, 1003, 0.1f, false}, {70, 64, 0.2f, true}, {129, 96, 0.0f, false}};

TEST_P(LossKernels, CrossEntropy) {
  for (const LossCase &test : lossCases) {
    Guarded logits = random(test.rows * test.classes, 3, 15.0f), loss(1, 7.0f), nll(1, 7.0f), count(1, 7.0f);
    std::vector<int32_t> targets = targetsOf(test);
    std::string m = "tensor<?x" + std::to_string(test.classes) + "xf32>", s = "tensor<f32>";
    std::string op = "%l, %n, %c = bifocal.cross_entropy %x, %t {ignore_index = 1 : i32, smoothing = " +
                     std::to_string(test.smoothing) + " : f32} : (" + m + ", tensor<?xi32>) -> (" + s + ", " + s +
                     ", " + s + ")";
    std::string arguments = "%x: " + m + ", %t: tensor<?xi32>", results = "%l, %n, %c : " + s + ", " + s + ", " + s;
    run(kernelSource(arguments, op, results), {logits, targets.data(), loss, nll, count}, {test.rows, test.rows});
    double refLoss = 0, refNll = 0, refCount = 0;
    for (int64_t row = 0; row < test.rows; ++row) {
      const auto x = [&](int64_t c) { return static_cast<double>(logits[row * test.classes + c]); };
      double peak = x(0), sum = 0, all = 0;
      for (int64_t c = 0; c < test.classes; ++c)
        peak = std::max(peak, x(c));
      for (int64_t c = 0; c < test.classes; ++c)
        sum += std::exp(x(c) - peak);
      for (int64_t c = 0; c < test.classes; ++c)
        all += peak + std::log(sum) - x(c);
      if (targets[row] == ignored)
        continue;
      double rowNll = peak + std::log(sum) - x(targets[row]), share = test.smoothing / (test.classes - 1.0);
      refNll += rowNll;
      refLoss += (1 - test.smoothing - share) * rowNll + share * all;
      refCount += 1;
    }
    // Every row has an own error of a few ulps of at most 30 + log V; the sums are taken in f64.
    double bound = (refCount + 1) * 40 * sumBound(test.classes);
    EXPECT_NEAR(loss[0], refLoss, bound);
    EXPECT_NEAR(nll[0], refNll, bound);
    EXPECT_EQ(count[0], refCount);
    // As in slabs of rows: added to what is there, twice.
    loss[0] = 10, nll[0] = 20, count[0] = 30;
    run(kernelSource(arguments, op, results, "accumulate"), {logits, targets.data(), loss, nll, count},
        {test.rows, test.rows}, 2);
    EXPECT_NEAR(loss[0], 10 + 2 * refLoss, 2 * bound);
    EXPECT_NEAR(nll[0], 20 + 2 * refNll, 2 * bound);
    EXPECT_EQ(count[0], 30 + 2 * refCount);
  }
}

TEST_P(LossKernels, CrossEntropyGradAlsoInPlace) {
  for (const LossCase &test : lossCases) {
    Guarded logits = random(test.rows * test.classes, 4, 15.0f), gradient(test.rows * test.classes), scale(1, 0.5f);
    Guarded inPlace = logits;
    std::vector<int32_t> targets = targetsOf(test);
    std::string m = "tensor<?x" + std::to_string(test.classes) + "xf32>";
    std::string attributes = " {ignore_index = 1 : i32, smoothing = " + std::to_string(test.smoothing) + " : f32} : ";
    run(kernelSource("%x: " + m + ", %t: tensor<?xi32>, %g: tensor<f32>",
                     "%d = bifocal.cross_entropy_grad %x, %t loss_grad %g" + attributes + "(" + m +
                         ", tensor<?xi32>, tensor<f32>) -> " + m,
                     "%d : " + m),
        {logits, targets.data(), scale, gradient}, {test.rows, test.rows, test.rows});
    run(kernelSource("%x: " + m + ", %t: tensor<?xi32>",
                     "%d = bifocal.cross_entropy_grad %x, %t" + attributes + "(" + m + ", tensor<?xi32>) -> " + m,
                     "%d : " + m),
        {inPlace, targets.data(), inPlace}, {test.rows, test.rows, test.rows});
    for (int64_t row = 0; row < test.rows; ++row) {
      const auto x = [&](int64_t c) { return static_cast<double>(logits[row * test.classes + c]); };
      double peak = x(0), sum = 0, share = test.smoothing / (test.classes - 1.0);
      for (int64_t c = 0; c < test.classes; ++c)
        peak = std::max(peak, x(c));
      for (int64_t c = 0; c < test.classes; ++c)
        sum += std::exp(x(c) - peak);
      for (int64_t c = 0; c < test.classes; ++c) {
        double expected = std::exp(x(c) - peak) / sum - share - (c == targets[row] ? 1 - test.smoothing - share : 0);
        expected = targets[row] == ignored ? 0 : expected;
        ASSERT_NEAR(gradient[row * test.classes + c], 0.5 * expected, 2 * sumBound(test.classes)) << row << ' ' << c;
        ASSERT_NEAR(inPlace[row * test.classes + c], expected, 2 * sumBound(test.classes)) << row << ' ' << c;
      }
    }
    EXPECT_TRUE(gradient.intact() && inPlace.intact());
  }
}

TEST_P(TokenKernels, EmbeddingGradWithAndWithoutInitial) {
  const int64_t table = 23, width = 100, tokens = 57;
  Guarded gradient = random(tokens * width, 1), initial = random(table * width, 2), plain(table * width),
          added(table * width);
  std::vector<int32_t> ids(tokens);
  std::vector<double> expected(table * width);
  for (int64_t token = 0; token < tokens; ++token) {
    ids[token] = token % 4 ? static_cast<int32_t>(token * 5 % table) : 1;
    for (int64_t c = 0; c < width && ids[token] != 1; ++c)
      expected[ids[token] * width + c] += 3.0 * gradient[token * width + c];
  }
  std::string attributes = " {pad = 1 : i32, scale = 3.0 : f32} : ", types = "tensor<3x?xi32>, tensor<3x?x100xf32>",
              t = "tensor<23x100xf32>";
  run(kernelSource("%i: tensor<3x?xi32>, %g: tensor<3x?x100xf32>",
                   "%t = bifocal.embedding_grad %i, %g" + attributes + "(" + types + ") -> " + t, "%t : " + t),
      {ids.data(), gradient, plain}, {tokens / 3, tokens / 3});
  run(kernelSource("%i: tensor<3x?xi32>, %g: tensor<3x?x100xf32>, %s: " + t,
                   "%t = bifocal.embedding_grad %i, %g initial %s" + attributes + "(" + types + ", " + t + ") -> " + t,
                   "%t : " + t),
      {ids.data(), gradient, initial, added}, {tokens / 3, tokens / 3});
  for (int64_t at = 0; at < table * width; ++at) {
    ASSERT_NEAR(plain[at], expected[at], 100 * sumBound(1)) << at;
    ASSERT_NEAR(added[at], initial[at] + expected[at], 100 * sumBound(1)) << at;
  }
  EXPECT_TRUE(plain.intact() && added.intact());
}

TEST_P(TokenKernels, PositionsAndPaddingMask) {
  const std::vector<int32_t> tokens = {5, 6, 1, 7, 1, 1, 1, 1, 1, 9, 9, 1, 3, 4, 5, 6, 7, 8, 9, 1, 2};
  const std::vector<int32_t> expected = {2, 3, 1, 4, 1, 1, 1, 1, 1, 2, 3, 1, 4, 5, 2, 3, 4, 5, 6, 1, 7};
  std::vector<int32_t> positions(21, -1);
  std::vector<uint8_t> mask(22, 77);
  run(kernelSource("%t: tensor<?x?xi32>",
                   "%p = bifocal.positions %t {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi32>",
                   "%p : tensor<?x?xi32>"),
      {const_cast<int32_t *>(tokens.data()), positions.data()}, {3, 7, 3, 7});
  run(kernelSource("%t: tensor<?x?xi32>",
                   "%p = bifocal.padding_mask %t {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>",
                   "%p : tensor<?x?xi1>"),
      {const_cast<int32_t *>(tokens.data()), mask.data()}, {3, 7, 3, 7});
  EXPECT_EQ(positions, expected);
  for (size_t at = 0; at < tokens.size(); ++at)
    EXPECT_EQ(mask[at], tokens[at] != 1) << at;
  EXPECT_EQ(mask[21], 77);
}

std::string withParam(const std::string &kernel) {
  return "bifocal.param @w : tensor<7x9xf32> init {kind = \"zeros\"}\n" + kernel;
}

TEST_P(OptimKernels, Adam) {
  for (int64_t elements : {int64_t{1}, int64_t{63}, int64_t{200003}}) {
    Guarded p = random(elements, 1), g = random(elements, 2, 10.0f), m = random(elements, 3), v = random(elements, 4),
            factor(1, 0.25f);
    for (int64_t at = 0; at < elements; ++at)
      v[at] = std::abs(v[at]);
    Guarded p0 = p, g0 = g, m0 = m, v0 = v;
    std::vector<float> hyper = {0.01f, 0.02f, 0.0f, 0.0f};
    run(withParam(kernelSource("%f: tensor<f32>, %h: tensor<4xf32>",
                               "bifocal.adam %f, %h of [@w] clear_gradients {beta1 = 0.9 : f32, beta2 = 0.98 : f32, "
                               "epsilon = 1.0e-6 : f32, weight_decay = 0.1 : f32} : tensor<f32>, tensor<4xf32>",
                               "")),
        {factor, hyper.data(), p, g, m, v}, {elements});
    for (int64_t at = 0; at < elements; ++at) {
      double gradient = 0.25 * g0[at];
      double moment1 = 0.9f * m0[at] + (1 - 0.9f) * gradient,
             moment2 = 0.98f * v0[at] + (1 - 0.98f) * gradient * gradient;
      double expected = p0[at] * (1 - 0.01f * 0.1f) - 0.02f * moment1 / (std::sqrt(moment2) + 1e-6);
      ASSERT_NEAR(m[at], moment1, 4 * sumBound(1)) << at;
      ASSERT_NEAR(v[at], moment2, 10 * sumBound(1)) << at;
      ASSERT_NEAR(p[at], expected, 4 * sumBound(1)) << at;
      ASSERT_EQ(g[at], 0.0f);
    }
    EXPECT_TRUE(p.intact() && g.intact() && m.intact() && v.intact());
  }
}

// More elements than one share of the norm, and a last share with a tail.
TEST_P(OptimKernels, Adagrad) {
  for (float clip : {0.0f, 0.5f})
    for (int64_t elements : {int64_t{1}, int64_t{63}, int64_t{200003}}) {
      Guarded p = random(elements, 1), g = random(elements, 2, 10.0f), s = random(elements, 3), factor(1, 0.25f);
      for (int64_t at = 0; at < elements; ++at)
        s[at] = std::abs(s[at]);
      Guarded p0 = p, g0 = g, s0 = s;
      std::vector<float> hyper = {0.01f, 0.02f, 0.0f, 0.0f};
      run(withParam(kernelSource("%f: tensor<f32>, %h: tensor<4xf32>",
                                 "bifocal.adagrad %f, %h of [@w] clear_gradients {clip = " + std::to_string(clip) +
                                     " : f32, epsilon = 1.0e-6 : f32, weight_decay = 0.1 : f32} : tensor<f32>, "
                                     "tensor<4xf32>",
                                 "")),
          {factor, hyper.data(), p, g, s}, {elements});
      auto gradient = [&](int64_t at) { return 0.25 * g0[at] + 0.1f * p0[at]; };
      double squares = 0;
      for (int64_t at = 0; at < elements; ++at)
        squares += gradient(at) * gradient(at);
      double norm = std::sqrt(squares), rate = 0.02f * (clip > 0 && norm > clip ? clip / norm : 1);
      for (int64_t at = 0; at < elements; ++at) {
        double sum = s0[at] + gradient(at) * gradient(at);
        ASSERT_NEAR(s[at], sum, 10 * sumBound(1)) << at;
        ASSERT_NEAR(p[at], p0[at] - rate * gradient(at) / (std::sqrt(sum) + 1e-6), 4 * sumBound(1)) << at;
        ASSERT_EQ(g[at], 0.0f);
      }
      EXPECT_TRUE(p.intact() && g.intact() && s.intact());
    }
}

TEST_P(OptimKernels, GlobalNormAndClip) {
  for (int64_t elements : {int64_t{1}, int64_t{1000}, int64_t{300007}}) {
    Guarded count(1, 50.0f), norm(1), gradient = random(elements, 5, 3.0f), factor(1);
    run(withParam(kernelSource("%c: tensor<f32>", "%n = bifocal.global_norm %c of [@w] : (tensor<f32>) -> tensor<f32>",
                               "%n : tensor<f32>")),
        {count, norm, gradient}, {elements});
    double sum = 0;
    for (int64_t at = 0; at < elements; ++at)
      sum += static_cast<double>(gradient[at]) * gradient[at];
    EXPECT_NEAR(norm[0] / (std::sqrt(sum) / 50), 1.0, sumBound(64)) << elements;
    for (float bound : {0.0f, 0.01f, 1e6f}) {
      std::vector<float> hyper = {0.0f, 0.0f, bound, 0.0f};
      run(kernelSource("%n: tensor<f32>, %c: tensor<f32>, %h: tensor<4xf32>",
                       "%f = bifocal.clip %n, %c, %h : (tensor<f32>, tensor<f32>, tensor<4xf32>) -> tensor<f32>",
                       "%f : tensor<f32>"),
          {norm, count, hyper.data(), factor}, {});
      double expected = bound == 0 ? 1.0 : std::min(1.0, bound / (norm[0] + 1e-6));
      EXPECT_NEAR(factor[0] / (expected / 50), 1.0, sumBound(1));
    }
  }
}

TEST_P(OptimKernels, StoreGradient) {
  const int64_t elements = 63;
  Guarded gradient = random(elements, 1), slab(elements, 2.0f), sum(elements, 2.0f);
  for (bool accumulate : {false, true})
    run(withParam(kernelSource("%g: tensor<7x9xf32>",
                               std::string("bifocal.store_gradient %g into @w ") + (accumulate ? "accumulate" : "") +
                                   " : tensor<7x9xf32>",
                               "")),
        {gradient, accumulate ? sum : slab}, {elements});
  for (int64_t at = 0; at < elements; ++at) {
    EXPECT_EQ(slab[at], gradient[at]);
    EXPECT_EQ(sum[at], 2.0f + gradient[at]);
  }
  EXPECT_TRUE(slab.intact() && sum.intact());
}

INSTANTIATE_TEST_SUITE_P(Levels, LossKernels, testing::ValuesIn(testedLevels()), shortLevelName);
INSTANTIATE_TEST_SUITE_P(Levels, TokenKernels, testing::ValuesIn(testedLevels()), shortLevelName);
INSTANTIATE_TEST_SUITE_P(Levels, OptimKernels, testing::ValuesIn(testedLevels()), shortLevelName);

} // namespace
} // namespace bifocal::test
