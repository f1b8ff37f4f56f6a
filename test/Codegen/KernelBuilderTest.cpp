// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The elementary functions of the kernel builder over all magnitudes, and its random numbers.

#include "codegen/common/KernelBuilder.h"
#include "codegen/cuda/WarpKernels.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "runtime/core/Philox.h"
#include "runtime/cpu/CpuDevice.h"
#include "test/Codegen/KernelHarness.h"
#include "test/Codegen/KernelLevels.h"
#include "test/Codegen/KernelTestData.h"
#include "test/Codegen/NarrowFloats.h"
#include <bit>
#include <gtest/gtest.h>

namespace bifocal::test {
namespace {

using Function = mlir::Value (KernelBuilder::*)(mlir::Value);

class KernelBuilderTest : public testing::TestWithParam<std::string> {
protected:
  /// f(x) for every x, a vector at a time.
  std::vector<float> apply(Function function, std::vector<float> x) {
    std::vector<float> y(x.size());
    std::string error;
    auto kernel = KernelHarness::write(
        [&](KernelBuilder &builder) {
          builder.stage("k", 0, [&](mlir::Value) {
            builder.columns(builder.size(0), {}, [&](mlir::Value at, mlir::Value mask, mlir::ValueRange) {
              mlir::Value value = builder.loadVector(builder.buffer(0, builder.f32()), at, mask);
              builder.storeVector((builder.*function)(value), builder.buffer(1, builder.f32()), at, mask);
              return KernelBuilder::Values{};
            });
          });
        },
        GetParam(), error);
    EXPECT_TRUE(kernel) << error;
    if (!kernel)
      return y;
    EXPECT_EQ(kernel->run({x.data(), y.data()}, {static_cast<int64_t>(x.size())}), "");
    return y;
  }
};

/// Every 997th float pattern: all exponents, both signs, infinities and NaN are added by the tests.
std::vector<float> sampleFloats() {
  std::vector<float> values;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 99991)
    if (float value = std::bit_cast<float>(static_cast<uint32_t>(bits)); std::isfinite(value))
      values.push_back(value);
  for (int step = -110000; step <= 110000; step += 3)
    values.push_back(step * 1e-3f);
  return values;
}

/// The distance of `actual` from the true value in units of the last place of an f32.
double ulps(float actual, double expected) {
  if (static_cast<float>(expected) == actual)
    return 0;
  float near = static_cast<float>(std::abs(expected));
  double unit = std::max<double>(std::nextafter(near, INFINITY) - near, std::numeric_limits<float>::denorm_min());
  return std::abs(actual - expected) / unit;
}

TEST_P(KernelBuilderTest, ExpIsWithinTwoUlps) {
  std::vector<float> x = sampleFloats(), y = apply(&KernelBuilder::exp, x);
  for (size_t at = 0; at < x.size(); ++at)
    ASSERT_LE(ulps(y[at], std::exp(static_cast<double>(x[at]))), 2.0) << x[at] << " -> " << y[at];
  std::vector<float> edges = apply(&KernelBuilder::exp, {-INFINITY, INFINITY, NAN, 0.0f, -0.0f});
  EXPECT_EQ(edges[0], 0.0f);
  EXPECT_EQ(edges[1], INFINITY);
  EXPECT_TRUE(std::isnan(edges[2]));
  EXPECT_EQ(edges[3], 1.0f);
  EXPECT_EQ(edges[4], 1.0f);
}

TEST_P(KernelBuilderTest, ExpNonPositiveIsWithinTwoUlpsAndZeroAtTheEnd) {
  std::vector<float> x = sampleFloats();
  for (float at = -90.0f; at <= 0.0f; at += 0.0078125f)
    x.push_back(at);
  const std::vector<float> y = apply(&KernelBuilder::expNonPositive, x);
  for (size_t at = 0; at < x.size(); ++at) {
    const double expected = std::exp(std::min(static_cast<double>(x[at]), 0.0));
    if (x[at] <= -87.69f) {
      ASSERT_EQ(y[at], 0.0f) << x[at];
    } else if (x[at] > -87.68f) {
      ASSERT_LE(ulps(y[at], expected), 2.0) << x[at] << " -> " << y[at];
    }
  }
  const std::vector<float> edges =
      apply(&KernelBuilder::expNonPositive, {-INFINITY, INFINITY, NAN, 0.0f, -0.0f, -88.0f, -1e30f});
  EXPECT_EQ(edges[0], 0.0f);
  EXPECT_EQ(edges[1], 1.0f);
  EXPECT_TRUE(std::isnan(edges[2]));
  EXPECT_EQ(edges[3], 1.0f);
  EXPECT_EQ(edges[4], 1.0f);
  EXPECT_EQ(edges[5], 0.0f);
  EXPECT_EQ(edges[6], 0.0f);
}

TEST_P(KernelBuilderTest, LogIsWithinTwoUlps) {
  std::vector<float> x = sampleFloats();
  std::erase_if(x, [](float value) { return value <= 0; });
  std::vector<float> y = apply(&KernelBuilder::log, x);
  for (size_t at = 0; at < x.size(); ++at)
    ASSERT_LE(ulps(y[at], std::log(static_cast<double>(x[at]))), 2.0) << x[at] << " -> " << y[at];
  std::vector<float> edges = apply(&KernelBuilder::log, {0.0f, INFINITY, -1.0f, NAN, 1.0f, 1e-45f});
  EXPECT_EQ(edges[0], -INFINITY);
  EXPECT_EQ(edges[1], INFINITY);
  EXPECT_TRUE(std::isnan(edges[2]) && std::isnan(edges[3]));
  EXPECT_EQ(edges[4], 0.0f);
  EXPECT_LE(ulps(edges[5], std::log(static_cast<double>(1e-45f))), 2.0);
}

TEST_P(KernelBuilderTest, SigmoidIsWithinThreeUlps) {
  std::vector<float> x = sampleFloats(), y = apply(&KernelBuilder::sigmoid, x);
  for (size_t at = 0; at < x.size(); ++at)
    if (x[at] > -87)
      ASSERT_LE(ulps(y[at], 1 / (1 + std::exp(-static_cast<double>(x[at])))), 3.0) << x[at] << " -> " << y[at];
    else
      ASSERT_LE(y[at], 2e-38f) << x[at];
}

TEST_P(KernelBuilderTest, TanhIsWithinThreeUlps) {
  std::vector<float> x = sampleFloats(), y = apply(&KernelBuilder::tanh, x);
  for (size_t at = 0; at < x.size(); ++at)
    ASSERT_LE(ulps(y[at], std::tanh(static_cast<double>(x[at]))), 3.0) << x[at] << " -> " << y[at];
  std::vector<float> edges = apply(&KernelBuilder::tanh, {INFINITY, -INFINITY, NAN, 0.0f, 1e-30f, -50.0f});
  EXPECT_EQ(edges[0], 1.0f);
  EXPECT_EQ(edges[1], -1.0f);
  EXPECT_TRUE(std::isnan(edges[2]));
  EXPECT_EQ(edges[3], 0.0f);
  EXPECT_EQ(edges[4], 1e-30f);
  EXPECT_EQ(edges[5], -1.0f);
}

TEST_P(KernelBuilderTest, PhiloxDrawsMatchTheReference) {
  std::vector<int64_t> rng = {-0x123456789ABCDEF, 0x100000007};
  for (int64_t first : {int64_t{0}, int64_t{4096}, (int64_t{1} << 34) - 8}) {
    std::vector<uint32_t> draws(64);
    std::string error;
    auto kernel = KernelHarness::write(
        [&](KernelBuilder &builder) {
          builder.stage("k", 0, [&](mlir::Value) {
            auto keys = builder.philoxKeys(builder.buffer(0, builder.i64()), -3);
            for (int64_t at = 0; at < 64; at += builder.philoxElements())
              builder.storeVector(builder.philoxDraws(keys, builder.index((first + at) / 4)),
                                  builder.buffer(1, builder.i32()), builder.index(at));
          });
        },
        GetParam(), error);
    ASSERT_TRUE(kernel) << error;
    ASSERT_EQ(kernel->run({rng.data(), draws.data()}, {}), "");
    for (int64_t at = 0; at < 64; ++at)
      ASSERT_EQ(draws[at], philoxDraw(rng[0], first + at, static_cast<uint32_t>(-3), static_cast<uint32_t>(rng[1])))
          << first + at;
  }
}

// Reads x and writes it as the narrow type, scalar by scalar and vector by vector, then reads that as f32 again.
TEST_P(KernelBuilderTest, NarrowFloatsAreRoundedToTheNearest) {
  std::vector<float> x = sampleFloats();
  for (uint32_t half = 0; half < 0x10000; half += 7) // ties, with even and odd neighbours
    x.push_back(std::bit_cast<float>(half << 16 | 0x8000));
  x.insert(x.end(), {INFINITY, -INFINITY, NAN, -NAN, 65504.0f, 65520.0f, 65519.996f, 3.3961775e38f, 0x1p-25f, 1e-45f});
  const auto count = static_cast<int64_t>(x.size());
  for (const std::string element : {"bf16", "f16"}) {
    std::vector<uint16_t> scalars(x.size()), vectors(x.size());
    std::vector<float> back(x.size()), backVectors(x.size());
    std::string error;
    auto kernel = KernelHarness::write(
        [&](KernelBuilder &builder) {
          mlir::Builder &types = builder.raw();
          mlir::Type narrow = element == "bf16" ? mlir::Type(types.getBF16Type()) : types.getF16Type();
          builder.stage("k", 0, [&](mlir::Value) {
            const Array in = builder.buffer(0, builder.f32()), one = builder.buffer(1, narrow),
                        many = builder.buffer(2, narrow), out = builder.buffer(3, builder.f32()),
                        outMany = builder.buffer(4, builder.f32());
            builder.loop(builder.index(0), builder.size(0), 1, [&](mlir::Value at) {
              builder.store(builder.load(in, at), one, at);
              builder.store(builder.load(one, at), out, at);
            });
            builder.columns(builder.size(0), {}, [&](mlir::Value at, mlir::Value mask, mlir::ValueRange) {
              builder.storeVector(builder.loadVector(in, at, mask), many, at, mask);
              builder.storeVector(builder.loadVector(many, at, mask), outMany, at, mask);
              return KernelBuilder::Values{};
            });
          });
        },
        GetParam(), error);
    ASSERT_TRUE(kernel) << error;
    ASSERT_EQ(kernel->run({x.data(), scalars.data(), vectors.data(), back.data(), backVectors.data()}, {count}), "");
    for (size_t at = 0; at < x.size(); ++at) {
      ASSERT_EQ(scalars[at], nearest(x[at], element)) << element << ' ' << x[at];
      ASSERT_EQ(vectors[at], scalars[at]) << element << ' ' << x[at];
      ASSERT_EQ(std::bit_cast<uint32_t>(back[at]), std::bit_cast<uint32_t>(widened(scalars[at], element))) << x[at];
      ASSERT_EQ(std::bit_cast<uint32_t>(backVectors[at]), std::bit_cast<uint32_t>(back[at])) << x[at];
    }
  }
}

TEST_P(KernelBuilderTest, HorizontalSumsAndMaximaSeeEveryLane) {
  for (int64_t hot = 0; hot < 16; ++hot) {
    std::vector<float> x(16, -2.0f), y(2);
    x[hot] = 5.0f;
    std::string error;
    int64_t width = 0;
    auto kernel = KernelHarness::write(
        [&](KernelBuilder &builder) {
          width = builder.width();
          builder.stage("k", 0, [&](mlir::Value) {
            mlir::Value vector = builder.loadVector(builder.buffer(0, builder.f32()), builder.index(0));
            builder.store(builder.horizontalSum(vector), builder.buffer(1, builder.f32()), builder.index(0));
            builder.store(builder.horizontalMax(vector), builder.buffer(1, builder.f32()), builder.index(1));
          });
        },
        GetParam(), error);
    ASSERT_TRUE(kernel) << error;
    ASSERT_EQ(kernel->run({x.data(), y.data()}, {}), "");
    if (hot < width) {
      EXPECT_EQ(y[0], 5.0f - 2.0f * (width - 1));
      EXPECT_EQ(y[1], 5.0f);
    }
  }
}

TEST(WarpKernels, CountTheirTilesByTheFirstSizesOfALaunch) {
  for (unsigned last : {15u, 16u}) {
    mlir::MLIRContext context;
    context.loadDialect<mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::gpu::GPUDialect,
                        mlir::LLVM::LLVMDialect, mlir::scf::SCFDialect>();
    std::string said;
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &problem) { said += problem.str(); });
    mlir::Location loc = mlir::UnknownLoc::get(&context);
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
    KernelBuilder builder(*module, loc, VectorTarget::warp());
    builder.stage(
        "k", 0, [](mlir::Value) {}, mlir::getAffineSymbolExpr(last, &context).ceilDiv(4));
    auto target = mlir::OpBuilder::atBlockEnd(module->getBody()).create<mlir::gpu::GPUModuleOp>(loc, "cuda");
    auto kernel = distributeToWarp(*module->getOps<mlir::func::FuncOp>().begin(), target);
    EXPECT_EQ(succeeded(kernel), last == 15);
    EXPECT_EQ(said, last == 15 ? ""
                               : "'func.func' op expects a number of tiles by the first 16 sizes of the launch, "
                                 "but it needs 17");
  }
}

// The second half of a pair comes first, each product is added with one rounding, and what is below 2^-126 counts as 0.
// Bytes of the first factor have no sign, those of the second one have, and their sums do not saturate.
TEST(DotProductsTest, AddPairsAndQuads) {
  if (!cpuHasLevel("x86-64-v4-dot"))
    GTEST_SKIP() << "this CPU has no dot products";
  const float one = 1.0f, small = 0x1p-30f, tiny = 0x1p-130f;
  auto pair = [](float low, float high) {
    return (std::bit_cast<uint32_t>(high) & 0xFFFF0000u) | std::bit_cast<uint32_t>(low) >> 16;
  };
  std::vector<float> sums(16, 0.0f), inputs(16, 1.00390625f);
  std::vector<uint32_t> a(16, pair(small, small)), b(16, pair(one, one)), unsignedBytes(16, 0xFFFF01FFu),
      signedBytes(16, 0x7F7FFF80u);
  std::vector<int32_t> integers(16, 7);
  sums[0] = sums[1] = -one;
  a[0] = pair(small, one);
  a[1] = pair(one, small);
  a[2] = pair(tiny, tiny);
  inputs[1] = tiny, inputs[2] = 1.01171875f;
  std::string error;
  auto kernel = KernelHarness::write(
      [&](KernelBuilder &builder) {
        builder.stage("k", 0, [&](mlir::Value) {
          auto place = [&](int64_t index, mlir::Type type) { return builder.buffer(index, type); };
          mlir::Value zero = builder.index(0);
          auto load = [&](int64_t index, mlir::Type type) { return builder.loadVector(place(index, type), zero); };
          const mlir::Type f32 = builder.f32(), i32 = builder.i32();
          builder.storeVector(builder.addBf16Pairs(load(0, f32), load(1, i32), load(2, i32)), place(0, f32), zero);
          builder.storeVector(builder.widen(builder.bf16Bits(load(3, f32)), builder.raw().getBF16Type()), place(3, f32),
                              zero);
          builder.storeVector(builder.addByteQuads(load(4, i32), load(5, i32), load(6, i32)), place(4, i32), zero);
        });
      },
      "x86-64-v4-dot", error);
  ASSERT_TRUE(kernel) << error;
  ASSERT_EQ(kernel->run({sums.data(), a.data(), b.data(), inputs.data(), integers.data(), unsignedBytes.data(),
                         signedBytes.data()},
                        {}),
            "");
  EXPECT_EQ(sums[0], small);
  EXPECT_EQ(sums[1], 0.0f); // -1 + 2^-30 is -1
  EXPECT_EQ(sums[2], 0.0f);
  EXPECT_EQ(sums[3], 2 * small);
  EXPECT_EQ(inputs[0], 1.0f); // ties go to the even neighbour
  EXPECT_EQ(inputs[1], 0.0f);
  EXPECT_EQ(inputs[2], 1.015625f);
  EXPECT_EQ(integers[0], 7 + 255 * -128 + 1 * -1 + 2 * 255 * 127);
}

INSTANTIATE_TEST_SUITE_P(Levels, KernelBuilderTest, testing::ValuesIn(runnableLevels()), shortLevelName);

} // namespace
} // namespace bifocal::test
