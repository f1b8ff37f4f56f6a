// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Row kernels against references in f64, on widths that fill vectors and widths that do not.

#include "runtime/core/Philox.h"
#include "test/Codegen/KernelLevels.h"
#include "test/Codegen/KernelTestData.h"
#include <gtest/gtest.h>

namespace bifocal::test {
namespace {

struct Size {
  int64_t rows, width;
};

class RowKernels : public testing::TestWithParam<std::tuple<std::string, Size>> {
protected:
  std::string level() const { return std::get<0>(GetParam()); }
  int64_t rows() const { return std::get<1>(GetParam()).rows; }
  int64_t width() const { return std::get<1>(GetParam()).width; }
  std::string matrix(int64_t factor = 1) const { return "tensor<?x" + std::to_string(width() * factor) + "xf32>"; }
  std::string vector() const { return "tensor<" + std::to_string(width()) + "xf32>"; }
  /// Compiles and runs; sizes: `rows` for each of `dynamic` dims.
  void run(const std::string &source, std::vector<void *> buffers, int64_t dynamic) {
    std::string error;
    auto kernel = KernelHarness::create(source, level(), error);
    ASSERT_TRUE(kernel) << error << source;
    EXPECT_EQ(kernel->run(std::move(buffers), std::vector<int64_t>(dynamic, rows())), "");
  }
};

TEST_P(RowKernels, LayerNorm) {
  Guarded x = random(rows() * width(), 1, 3.0f), scale = random(width(), 2), bias = random(width(), 3);
  Guarded y(rows() * width()), mean(rows()), rstd(rows());
  run(kernelSource("%x: " + matrix() + ", %s: " + vector() + ", %b: " + vector(),
                   "%y, %m, %r = bifocal.layer_norm %x, %s, %b : (" + matrix() + ", " + vector() + ", " + vector() +
                       ") -> (" + matrix() + ", tensor<?xf32>, tensor<?xf32>)",
                   "%y, %m, %r : " + matrix() + ", tensor<?xf32>, tensor<?xf32>"),
      {x, scale, bias, y, mean, rstd}, 4);
  for (int64_t row = 0; row < rows(); ++row) {
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < width(); ++c)
      sum += x[row * width() + c];
    double m = sum / width();
    for (int64_t c = 0; c < width(); ++c)
      squares += (x[row * width() + c] - m) * (x[row * width() + c] - m);
    double r = 1 / std::sqrt(squares / width() + 1e-5);
    ASSERT_NEAR(mean[row], m, 3.0 * sumBound(width()));
    ASSERT_NEAR(rstd[row] / r, 1.0, sumBound(width()));
    for (int64_t c = 0; c < width(); ++c)
      ASSERT_NEAR(y[row * width() + c], (x[row * width() + c] - m) * r * scale[c] + bias[c],
                  (3.0 * r + 4) * sumBound(width()))
          << row << ' ' << c;
  }
  EXPECT_TRUE(y.intact() && mean.intact() && rstd.intact());
}

TEST_P(RowKernels, LayerNormGradInMapWithResidualAndColumnSum) {
  Guarded g = random(rows() * width(), 1), x = random(rows() * width(), 2), scale = random(width(), 3),
          other = random(rows() * width(), 4);
  Guarded mean(rows()), rstd(rows()), dx(rows() * width()), ds(width()), db(width()), sum(width());
  for (int64_t row = 0; row < rows(); ++row) {
    double total = 0, squares = 0;
    for (int64_t c = 0; c < width(); ++c)
      total += x[row * width() + c];
    for (int64_t c = 0; c < width(); ++c)
      squares += std::pow(x[row * width() + c] - total / width(), 2);
    mean[row] = total / width();
    rstd[row] = 1 / std::sqrt(squares / width() + 1e-5);
  }
  std::string m = matrix(), v = vector(), s = "tensor<?xf32>";
  run(kernelSource("%g: " + m + ", %x: " + m + ", %s: " + v + ", %mean: " + s + ", %rstd: " + s + ", %o: " + m,
                   "%r:4 = bifocal.map (%a = %g : " + m + ", %b = %x : " + m + ", %c = %s : " + v + ", %d = %mean : " +
                       s + ", %e = %rstd : " + s + ", %f = %o : " + m + ") -> (" + m + ", " + v + ", " + v + ", " + v +
                       ") {\n" + "%dx, %ds, %db = bifocal.layer_norm_grad %a, %b, %c, %d, %e : (" + m + ", " + m +
                       ", " + v + ", " + s + ", " + s + ") -> (" + m + ", " + v + ", " + v +
                       ")\n%t = bifocal.add %dx, %f : " + m + "\n%u = bifocal.column_sum %t : (" + m + ") -> " + v +
                       "\nbifocal.yield %t, %ds, %db, %u : " + m + ", " + v + ", " + v + ", " + v + "\n}",
                   "%r#0, %r#1, %r#2, %r#3 : " + m + ", " + v + ", " + v + ", " + v),
      {g, x, scale, mean, rstd, other, dx, ds, db, sum}, 6);
  std::vector<double> refScale(width()), refBias(width()), refSum(width());
  for (int64_t row = 0; row < rows(); ++row) {
    double plain = 0, weighted = 0;
    auto hat = [&](int64_t c) { return (double(x[row * width() + c]) - mean[row]) * rstd[row]; };
    for (int64_t c = 0; c < width(); ++c) {
      plain += double(g[row * width() + c]) * scale[c];
      weighted += double(g[row * width() + c]) * scale[c] * hat(c);
    }
    for (int64_t c = 0; c < width(); ++c) {
      double gradient = g[row * width() + c];
      double expected =
          rstd[row] * (gradient * scale[c] - plain / width() - hat(c) * weighted / width()) + other[row * width() + c];
      refScale[c] += gradient * hat(c);
      refBias[c] += gradient;
      refSum[c] += expected;
      ASSERT_NEAR(dx[row * width() + c], expected, (10 + 10 * rstd[row] * (1 + std::abs(hat(c)))) * sumBound(width()))
          << row << ' ' << c;
    }
  }
  for (int64_t c = 0; c < width(); ++c) {
    ASSERT_NEAR(ds[c], refScale[c], 40 * rows() * sumBound(1)) << c;
    ASSERT_NEAR(db[c], refBias[c], 4 * rows() * sumBound(1)) << c;
    ASSERT_NEAR(sum[c], refSum[c], 1e3 * rows() * sumBound(width())) << c;
  }
  EXPECT_TRUE(dx.intact() && ds.intact() && db.intact() && sum.intact());
}

// A map on parts of longer rows gives the bits that it gives on rows of their own, and writes nothing beside them.
TEST_P(RowKernels, MapsReadAndWriteViews) {
  const int64_t stride = width() + 7, column = 3;
  Guarded x = random(rows() * width(), 1), bias = random(width(), 2), other = random(rows() * width(), 3);
  Guarded y(rows() * width()), sums(width()), ySums(width()), wide(rows() * stride, 7.0f), out(rows() * stride, 7.0f);
  for (int64_t row = 0; row < rows(); ++row)
    std::copy_n(&x[row * width()], width(), &wide[row * stride + column]);
  const std::string m = matrix(), v = vector();
  auto source = [&](const std::string &attributes) {
    return kernelSource("%x: " + m + ", %b: " + v + ", %o: " + m,
                        "%r:2 = bifocal.map (%a = %x : " + m + ", %c = %b : " + v + ", %d = %o : " + m + ") -> (" + m +
                            ", " + v + ") {\n%s = bifocal.add_bias %a, %c : (" + m + ", " + v + ") -> " + m +
                            "\n%t = bifocal.add %s, %d : " + m + "\n%u = bifocal.column_sum %t : (" + m + ") -> " + v +
                            "\nbifocal.yield %t, %u : " + m + ", " + v + "\n}",
                        "%r#0, %r#1 : " + m + ", " + v, attributes);
  };
  run(source(""), {x, bias, other, y, sums}, 3);
  const std::string apart = std::to_string(stride);
  run(source("row_strides = array<i64: " + apart + ", 0, 0, " + apart + ", 0>"),
      {&wide[column], bias, other, &out[column], ySums}, 3);
  for (int64_t row = 0; row < rows(); ++row)
    for (int64_t at = 0; at < stride; ++at) {
      const bool inside = at >= column && at < column + width();
      ASSERT_EQ(out[row * stride + at], inside ? y[row * width() + at - column] : 7.0f) << row << ' ' << at;
    }
  for (int64_t c = 0; c < width(); ++c)
    ASSERT_EQ(ySums[c], sums[c]);
  EXPECT_TRUE(out.intact() && ySums.intact());
}

// A map of no ops copies.
TEST_P(RowKernels, EmptyMapCopies) {
  const int64_t stride = width() + 5;
  Guarded x = random(rows() * width(), 1), out(rows() * stride, 7.0f);
  run(kernelSource("%x: " + matrix(),
                   "%y = bifocal.map (%a = %x : " + matrix() + ") -> (" + matrix() +
                       ") {\nbifocal.yield %a : " + matrix() + "\n}",
                   "%y : " + matrix(), "row_strides = array<i64: 0, " + std::to_string(stride) + ">"),
      {x, &out[2]}, 2);
  for (int64_t row = 0; row < rows(); ++row)
    for (int64_t at = 0; at < stride; ++at)
      ASSERT_EQ(out[row * stride + at], at >= 2 && at < 2 + width() ? x[row * width() + at - 2] : 7.0f);
}

TEST_P(RowKernels, EmbeddingDropoutAddNormMap) {
  // What an encoder starts with: token and position embeddings, their sum, dropout, layer_norm, padding set to zero.
  int64_t table = 37;
  Guarded words = random(table * width(), 1), places = random(table * width(), 2), scale = random(width(), 3),
          bias = random(width(), 4);
  std::vector<int32_t> ids(rows()), positions(rows());
  std::vector<int64_t> rng = {0x123456789ABCDEF, 77};
  std::vector<uint8_t> mask(rows());
  for (int64_t row = 0; row < rows(); ++row) {
    ids[row] = (row * 7) % table;
    positions[row] = (row * 3 + 1) % table;
    mask[row] = row % 3 != 1;
  }
  Guarded y(rows() * width()), dropped(rows() * width());
  std::string m = matrix(), v = vector(), t = "tensor<37x" + std::to_string(width()) + "xf32>", i = "tensor<?xi32>";
  run(kernelSource("%i: " + i + ", %w: " + t + ", %p: " + i + ", %q: " + t + ", %rng: tensor<2xi64>, %s: " + v +
                       ", %b: " + v + ", %k: tensor<?xi1>",
                   "%r:2 = bifocal.map (%a0 = %i : " + i + ", %a1 = %w : " + t + ", %a2 = %p : " + i +
                       ", %a3 = %q : " + t + ", %a4 = %rng : tensor<2xi64>, %a5 = %s : " + v + ", %a6 = %b : " + v +
                       ", %a7 = %k : tensor<?xi1>) -> (" + m + ", " + m + ") {\n" +
                       "%e0 = bifocal.embedding %a0, %a1 {scale = 2.5 : f32} : (" + i + ", " + t + ") -> " + m + "\n" +
                       "%e1 = bifocal.embedding %a2, %a3 : (" + i + ", " + t + ") -> " + m + "\n" +
                       "%e2 = bifocal.add %e0, %e1 : " + m + "\n" +
                       "%e3 = bifocal.dropout %e2, %a4 {rate = 0.3 : f32, site = 5 : i32} : (" + m +
                       ", tensor<2xi64>) -> " + m + "\n" + "%e4, %e5, %e6 = bifocal.layer_norm %e3, %a5, %a6 : (" + m +
                       ", " + v + ", " + v + ") -> (" + m + ", tensor<?xf32>, tensor<?xf32>)\n" +
                       "%e7 = bifocal.mask_padding %e4, %a7 : (" + m + ", tensor<?xi1>) -> " + m + "\n" +
                       "bifocal.yield %e7, %e3 : " + m + ", " + m + "\n}",
                   "%r#0, %r#1 : " + m + ", " + m),
      {ids.data(), words, positions.data(), places, rng.data(), scale, bias, mask.data(), y, dropped}, 5);
  for (int64_t row = 0; row < rows(); ++row) {
    std::vector<double> x(width());
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < width(); ++c) {
      float value = 2.5f * words[ids[row] * width() + c] + places[positions[row] * width() + c];
      bool keep = philoxDraw(rng[0], row * width() + c, 5, rng[1]) >= dropThreshold(0.3f);
      ASSERT_EQ(dropped[row * width() + c] != 0.0f, keep) << row << ' ' << c;
      x[c] = keep ? value * (1.0f / (1.0f - 0.3f)) : 0.0f;
      ASSERT_NEAR(dropped[row * width() + c], x[c], 8 * sumBound(4));
      sum += x[c];
    }
    for (double value : x)
      squares += (value - sum / width()) * (value - sum / width());
    double r = 1 / std::sqrt(squares / width() + 1e-5);
    for (int64_t c = 0; c < width(); ++c)
      ASSERT_NEAR(y[row * width() + c], mask[row] ? (x[c] - sum / width()) * r * scale[c] + bias[c] : 0.0,
                  (20 + 20 * r) * sumBound(width()))
          << row << ' ' << c;
  }
  EXPECT_TRUE(y.intact() && dropped.intact());
}

TEST_P(RowKernels, GluAndItsGradient) {
  Guarded x = random(rows() * width() * 2, 1, 8.0f), g = random(rows() * width(), 2), bias = random(width() * 2, 3);
  Guarded y(rows() * width()), dx(rows() * width() * 2), sum(width() * 2);
  std::string m = matrix(), w = matrix(2), v = "tensor<" + std::to_string(2 * width()) + "xf32>";
  run(kernelSource("%x: " + w + ", %b: " + v,
                   "%y = bifocal.map (%a = %x : " + w + ", %c = %b : " + v + ") -> (" + m +
                       ") {\n%t = bifocal.add_bias %a, %c : (" + w + ", " + v + ") -> " + w +
                       "\n%u = bifocal.glu %t : (" + w + ") -> " + m + "\nbifocal.yield %u : " + m + "\n}",
                   "%y : " + m),
      {x, bias, y}, 2);
  run(kernelSource("%g: " + m + ", %x: " + w,
                   "%r:2 = bifocal.map (%a = %g : " + m + ", %b = %x : " + w + ") -> (" + w + ", " + v +
                       ") {\n%t = bifocal.glu_grad %a, %b : (" + m + ", " + w + ") -> " + w +
                       "\n%u = bifocal.column_sum %t : (" + w + ") -> " + v + "\nbifocal.yield %t, %u : " + w + ", " +
                       v + "\n}",
                   "%r#0, %r#1 : " + w + ", " + v),
      {g, x, dx, sum}, 3);
  std::vector<double> refSum(2 * width());
  for (int64_t row = 0; row < rows(); ++row)
    for (int64_t c = 0; c < width(); ++c) {
      int64_t low = row * 2 * width() + c, high = low + width();
      float left = x[low] + bias[c], right = x[high] + bias[width() + c];
      ASSERT_NEAR(y[row * width() + c], left / (1 + std::exp(-double(right))), 10 * sumBound(4));
      double s = 1 / (1 + std::exp(-double(x[high]))), gradient = g[row * width() + c];
      ASSERT_NEAR(dx[low], gradient * s, sumBound(8)) << row << ' ' << c;
      ASSERT_NEAR(dx[high], gradient * x[low] * s * (1 - s), 10 * sumBound(8)) << row << ' ' << c;
      refSum[c] += gradient * s;
      refSum[width() + c] += gradient * x[low] * s * (1 - s);
    }
  for (int64_t c = 0; c < 2 * width(); ++c)
    ASSERT_NEAR(sum[c], refSum[c], 10 * rows() * sumBound(4)) << c;
  EXPECT_TRUE(y.intact() && dx.intact() && sum.intact());
}

TEST_P(RowKernels, ResultsMayLieInTheirInputs) {
  Guarded g = random(rows() * width(), 1), x = random(rows() * width() * 2, 2, 4.0f), dx(rows() * width() * 2);
  std::string m = matrix(), w = matrix(2);
  std::string source = kernelSource("%g: " + m + ", %x: " + w,
                                    "%y = bifocal.glu_grad %g, %x : (" + m + ", " + w + ") -> " + w, "%y : " + w);
  run(source, {g, x, dx}, 3);
  run(source, {g, x, x}, 3);
  for (int64_t at = 0; at < 2 * rows() * width(); ++at)
    ASSERT_EQ(x[at], dx[at]) << at;
}

TEST_P(RowKernels, ReluDropoutReluGrad) {
  Guarded x = random(rows() * width(), 1), g = random(rows() * width(), 2), y(rows() * width()), d(rows() * width());
  std::vector<int64_t> rng = {-5, 3};
  std::string m = matrix();
  run(kernelSource("%x: " + m + ", %g: " + m + ", %rng: tensor<2xi64>",
                   "%r:2 = bifocal.map (%a = %x : " + m + ", %b = %g : " + m + ", %c = %rng : tensor<2xi64>) -> (" + m +
                       ", " + m + ") {\n%t = bifocal.relu %a : " + m +
                       "\n%u = bifocal.dropout %b, %c {rate = 0.1 : f32, site = 9 : i32} : (" + m +
                       ", tensor<2xi64>) -> " + m + "\n%w = bifocal.relu_grad %u, %t : " + m +
                       "\nbifocal.yield %t, %w : " + m + ", " + m + "\n}",
                   "%r#0, %r#1 : " + m + ", " + m),
      {x, g, rng.data(), y, d}, 4);
  for (int64_t at = 0; at < rows() * width(); ++at) {
    ASSERT_EQ(y[at], std::max(x[at], 0.0f));
    bool keep = x[at] > 0 && philoxDraw(rng[0], at, 9, 3) >= dropThreshold(0.1f);
    ASSERT_EQ(d[at], keep ? g[at] * (1.0f / (1.0f - 0.1f)) : 0.0f) << at;
  }
  EXPECT_TRUE(y.intact() && d.intact());
}

TEST_P(RowKernels, SoftmaxAndLogSoftmax) {
  Guarded x = random(rows() * width(), 1, 20.0f), g = random(rows() * width(), 2);
  Guarded y(rows() * width()), l(rows() * width()), dx(rows() * width());
  std::string m = matrix(), group = "{group = " + std::to_string(width()) + " : i64}";
  run(kernelSource("%x: " + m, "%y = bifocal.softmax %x " + group + " : (" + m + ") -> " + m, "%y : " + m), {x, y}, 2);
  run(kernelSource("%x: " + m, "%y = bifocal.log_softmax %x : " + m, "%y : " + m), {x, l}, 2);
  run(kernelSource("%g: " + m + ", %y: " + m,
                   "%x = bifocal.softmax_grad %g, %y " + group + " : (" + m + ", " + m + ") -> " + m, "%x : " + m),
      {g, y, dx}, 3);
  for (int64_t row = 0; row < rows(); ++row) {
    double peak = -1e30, sum = 0, dot = 0;
    for (int64_t c = 0; c < width(); ++c)
      peak = std::max<double>(peak, x[row * width() + c]);
    for (int64_t c = 0; c < width(); ++c)
      sum += std::exp(x[row * width() + c] - peak);
    for (int64_t c = 0; c < width(); ++c)
      dot += double(g[row * width() + c]) * y[row * width() + c];
    for (int64_t c = 0; c < width(); ++c) {
      int64_t at = row * width() + c;
      ASSERT_NEAR(y[at], std::exp(x[at] - peak) / sum, sumBound(width())) << at;
      ASSERT_NEAR(l[at], x[at] - peak - std::log(sum), 60 * sumBound(width())) << at;
      ASSERT_NEAR(dx[at], y[at] * (g[at] - dot), 2 * sumBound(width())) << at;
    }
  }
  EXPECT_TRUE(y.intact() && l.intact() && dx.intact());
}

INSTANTIATE_TEST_SUITE_P(All, RowKernels,
                         testing::Combine(testing::ValuesIn(testedLevels()),
                                          testing::Values(Size{1, 1}, Size{3, 7}, Size{1, 16}, Size{5, 33},
                                                          Size{96, 100}, Size{37, 512}, Size{2, 1030})),
                         [](const auto &info) {
                           std::string name = std::get<0>(info.param) + "_" +
                                              std::to_string(std::get<1>(info.param).rows) + "x" +
                                              std::to_string(std::get<1>(info.param).width);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
} // namespace bifocal::test
