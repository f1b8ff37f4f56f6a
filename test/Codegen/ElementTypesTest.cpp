// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every family with tensors of bf16 and f16. Kernels compute in f32 whatever lies in memory, so on inputs that the
// narrow type holds, a result must be that of the f32 kernel, rounded once: bit by bit. Tensor cores add in another
// order, and round factors, so what comes from them is within a bound; so are sums whose order depends on the type, and
// attention in bf16, which takes channels by pairs. The f32 kernels are compared with f64 elsewhere.

#include "test/Codegen/TypedKernel.h"

namespace bifocal::test {
namespace {

void checkNear(const TypedKernel &form, const Memory &expected, const Memory &result, const std::string &narrow,
               size_t tensor) {
  const double unit = !result.isNarrow() ? 0x1p-16 : narrow == "bf16" ? 0x1p-8 : 0x1p-11;
  for (int64_t i = 0; i < result.count; ++i)
    if (result.at(i) != expected.at(i)) { // infinities have no distance
      ASSERT_NEAR(result.at(i), expected.at(i), unit * (form.roundings + std::abs(expected.at(i))))
          << "result " << tensor << " element " << i;
    }
}

class ElementTypes : public testing::TestWithParam<std::tuple<KernelLevel, TypedKernel>> {
protected:
  const TypedKernel &form() const { return std::get<1>(GetParam()); }

  /// `kernel` is that of f32.
  void check(const CompiledKernel &kernel, const std::string &narrow) {
    const KernelLevel &level = std::get<0>(GetParam());
    const std::vector<Memory> wide = kernel.run(narrow), found = CompiledKernel(form(), level, narrow).run(narrow);
    ASSERT_EQ(wide.size(), found.size());
    ASSERT_FALSE(found.empty());
    for (size_t tensor = 0; tensor < found.size(); ++tensor) {
      const Memory &expected = wide[tensor], &result = found[tensor];
      ASSERT_EQ(expected.count, result.count);
      if (expected.element != "f32") {
        EXPECT_EQ(expected.bytes, result.bytes);
        continue;
      }
      const bool isWarp = level.shapes == "warp";
      const bool isRounded = form().reordered || (form().pairs ? !isWarp && narrow == "bf16" : isWarp);
      if (form().roundings > 0 && isRounded) {
        checkNear(form(), expected, result, narrow, tensor);
        continue;
      }
      for (int64_t i = 0; i < result.count; ++i) {
        const float value = expected.at(i),
                    rounded = result.isNarrow() ? widened(nearest(value, narrow), narrow) : value;
        ASSERT_EQ(std::bit_cast<uint32_t>(result.at(i)), std::bit_cast<uint32_t>(rounded))
            << "result " << tensor << " element " << i << ": expects " << rounded << " for " << value << ", but got "
            << result.at(i);
      }
    }
  }
};

TEST_P(ElementTypes, NarrowResultsAreTheRoundedF32) {
  const KernelLevel &level = std::get<0>(GetParam());
  const CompiledKernel wide(form(), level, "f32");
  for (const char *narrow : {"bf16", "f16"}) {
    SCOPED_TRACE(narrow);
    ASSERT_NO_FATAL_FAILURE(check(wide, narrow));
  }
}

INSTANTIATE_TEST_SUITE_P(All, ElementTypes,
                         testing::Combine(testing::ValuesIn(levelsWithWarps()), testing::ValuesIn(allCases())),
                         [](const auto &info) {
                           const KernelLevel &level = std::get<0>(info.param);
                           return std::get<1>(info.param).name + "_" + level.shapes.substr(level.shapes.rfind('-') + 1);
                         });

std::string productName(const testing::TestParamInfo<std::tuple<KernelLevel, TypedKernel>> &info) {
  return std::get<1>(info.param).name;
}
const auto warps = testing::Values(KernelLevel{"warp", "warp"});
INSTANTIATE_TEST_SUITE_P(ConvProducts, ElementTypes, testing::Combine(warps, testing::ValuesIn(convProductCases())),
                         productName);
INSTANTIATE_TEST_SUITE_P(AttentionProducts, ElementTypes,
                         testing::Combine(warps, testing::ValuesIn(attentionProductCases())), productName);
INSTANTIATE_TEST_SUITE_P(SharedProducts, ElementTypes, testing::Combine(warps, testing::ValuesIn(sharedProductCases())),
                         productName);
INSTANTIATE_TEST_SUITE_P(FarProducts, ElementTypes, testing::Combine(warps, testing::ValuesIn(farProductCases())),
                         productName);

class FactorsOfAttention : public testing::TestWithParam<TypedKernel> {};

/// A CPU that multiplies pairs of bf16 takes the same ones in the same order as a CPU that does not.
TEST_P(FactorsOfAttention, LevelsAddAlike) {
  const std::vector<KernelLevel> levels = kernelLevels(/*withDotProducts=*/true);
  if (levels.empty())
    GTEST_SKIP() << "no level of kernels runs on this machine";
  const std::vector<Memory> wide = CompiledKernel(GetParam(), levels.front(), "f32").run("bf16");
  int64_t lanes = 0;
  std::vector<Memory> before;
  for (const KernelLevel &level : levels) {
    SCOPED_TRACE(level.shapes);
    std::vector<Memory> found = CompiledKernel(GetParam(), level, "bf16").run("bf16");
    ASSERT_EQ(found.size(), wide.size());
    // Gradients that all queries share are added up vector by vector.
    const int64_t width = VectorTarget::find(level.shapes)->vectorWidth;
    const bool areSame = std::exchange(lanes, width) == width;
    for (size_t tensor = 0; tensor < found.size(); ++tensor) {
      checkNear(GetParam(), wide[tensor], found[tensor], "bf16", tensor);
      if (areSame) {
        EXPECT_EQ(found[tensor].bytes, before[tensor].bytes) << "result " << tensor;
      }
    }
    before = std::move(found);
  }
}

std::vector<TypedKernel> attentionFactorCases() {
  std::vector<TypedKernel> cases = farProductCases();
  for (auto family : {attentionProductCases, sharedProductCases})
    for (TypedKernel &kernel : family())
      cases.push_back(kernel);
  return cases;
}
INSTANTIATE_TEST_SUITE_P(All, FactorsOfAttention, testing::ValuesIn(attentionFactorCases()),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace bifocal::test
