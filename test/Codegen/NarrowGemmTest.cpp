// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix products with matrices of bf16 and f16: f32 chains of rounded factors, of bf16 in pairs, rounded once.

#include "test/Codegen/GemmTestData.h"
#include "test/Codegen/KernelLevels.h"
#include "test/Codegen/NarrowFloats.h"

namespace bifocal::test {
namespace {

/// `values` in memory of `element`; the floats become what that holds.
std::vector<uint16_t> narrowed(Guarded &values, std::string_view element) {
  std::vector<uint16_t> bits(values.size());
  for (int64_t i = 0; i < values.size(); ++i) {
    bits[i] = nearest(values[i], element);
    values[i] = widened(bits[i], element);
  }
  return bits;
}

struct NarrowForm {
  std::array<std::string_view, 3> elements;
  std::string_view factor;
};
constexpr NarrowForm narrowForms[] = {
    {{"bf16", "bf16", "bf16"}, "bf16"}, {{"bf16", "f32", "bf16"}, "bf16"}, {{"f32", "f32", "bf16"}, "bf16"},
    {{"f32", "bf16", "f32"}, "bf16"},   {{"f16", "f32", "f32"}, "f16"},
};

/// What the contract says of rounded matrices.
Guarded expectedChains(const NarrowForm &form, const Problem &rounded, bool stepsAreMasked = false,
                       const std::vector<unsigned char> &mask = {}) {
  if (form.factor != "bf16")
    return rounded.chains();
  return rounded.chains(
      pairedSteps(rounded.shape.k, [&](int64_t step) { return !stepsAreMasked || mask[static_cast<size_t>(step)]; }));
}

/// The product of `form` with the sizes of `problem`, whose matrices stay f32 values: C as memory holds it afterwards.
/// Checks that nothing else was written.
Guarded runNarrow(const NarrowForm &form, const GemmKernels &stages, Layout layout, Problem problem, bool packed,
                  const unsigned char *mask = nullptr) {
  std::vector<uint16_t> a, b, c;
  Guarded *const tensors[] = {&problem.a[layout.a], &problem.b[layout.b], &problem.c};
  std::vector<uint16_t> *const bits[] = {&a, &b, &c};
  Guarded workspace(format::gemmWorkspace(problem.shape.n, problem.shape.k));
  GemmArguments arguments = problem.arguments(layout, problem.c, packed ? &workspace : nullptr);
  arguments.mask = mask;
  const void **const places[] = {&arguments.a, &arguments.b, const_cast<const void **>(&arguments.c)};
  constexpr uint16_t untouched = 0x7A7A;
  constexpr size_t fence = 64;
  for (int i = 0; i < 3; ++i)
    if (form.elements[i] != "f32") {
      *bits[i] = narrowed(*tensors[i], form.elements[i]);
      bits[i]->insert(bits[i]->begin(), fence, untouched);
      bits[i]->insert(bits[i]->end(), fence, untouched);
      *places[i] = bits[i]->data() + fence;
    }
  gemm(2, stages, arguments, {});
  EXPECT_TRUE(workspace.intact()) << "writes outside of the workspace";
  EXPECT_TRUE(problem.c.intact()) << "writes outside of C";
  for (size_t i = 0; i < fence && !c.empty(); ++i)
    EXPECT_TRUE(c[i] == untouched && c[c.size() - 1 - i] == untouched) << "writes outside of C";
  for (int64_t i = 0; i < problem.c.size() && !c.empty(); ++i)
    problem.c[i] = widened(c[fence + static_cast<size_t>(i)], form.elements[2]);
  return problem.c;
}

class NarrowProducts : public testing::TestWithParam<KernelLevel> {};

// Factors that are f32 in memory are rounded first, the sums are the f32 chains, also where they are longer than one
// block of the inner axis and wider than one group of columns, and C is rounded once.
TEST_P(NarrowProducts, RoundTheirFactorsAndTheirSums) {
  for (const NarrowForm &form : narrowForms) {
    std::string error;
    auto harness = KernelHarness::products(GetParam().shapes, error, GetParam().instructions, form.elements);
    ASSERT_TRUE(harness) << error;
    for (Shape shape : {Shape{1, 33, 3}, {70, 17, 530}, {150, 530, 521}, {300, 600, 63}, {5, 33, 0}})
      for (bool accumulate : {false, true}) {
        Problem problem(shape, accumulate);
        Problem rounded = problem;
        (void)narrowed(rounded.a[0], form.factor), (void)narrowed(rounded.b[1], form.factor);
        if (form.elements[2] != "f32")
          (void)narrowed(rounded.c, form.elements[2]);
        Guarded expected = expectedChains(form, rounded);
        if (form.elements[2] != "f32")
          (void)narrowed(expected, form.elements[2]);
        for (Layout layout : layouts)
          for (bool packed : {false, true}) {
            SCOPED_TRACE(testing::Message() << form.elements[0] << ' ' << form.elements[1] << ' ' << form.elements[2]
                                            << ' ' << format::gemmKernel(layout.a, layout.b));
            ASSERT_NO_FATAL_FAILURE(
                checkBits(runNarrow(form, stagesOf(*harness, layout), layout, problem, packed), expected, shape.n));
          }
      }
  }
}

/// Of a block of 512 steps an odd number is real, of the next one none, of the last one an odd number again.
std::vector<unsigned char> oddMask(int64_t rows) {
  std::vector<unsigned char> mask(static_cast<size_t>(rows));
  for (int64_t row = 0; row < rows; ++row)
    mask[static_cast<size_t>(row)] = row % 5 != 0 && row / 512 != 1 && row != 1;
  for (int64_t block = 0; block < rows; block += 1024) {
    const auto begin = mask.begin() + block, end = mask.begin() + std::min(rows, block + 512);
    if (std::count(begin, end, 1) % 2 == 0)
      *std::find(begin, end, 1) = 0;
  }
  return mask;
}

// Padding counts as zeros here too, and steps that are padding make no pairs.
TEST_P(NarrowProducts, LeaveOutPadding) {
  const Shape shape{70, 35, 1100};
  for (const NarrowForm &form : {narrowForms[1], narrowForms[3]}) {
    std::string error;
    auto harness = KernelHarness::products(GetParam().shapes, error, GetParam().instructions, form.elements);
    ASSERT_TRUE(harness) << error;
    for (const Layout layout : {layouts[0], layouts[1], layouts[2]})
      for (const bool accumulate : {false, true})
        for (const bool packed : {false, true}) {
          SCOPED_TRACE(testing::Message() << form.elements[2] << ' ' << format::gemmKernel(layout.a, layout.b)
                                          << (accumulate ? " added" : "") << (packed ? ", workspace" : ""));
          Problem problem(shape, accumulate);
          Problem zeros = problem;
          (void)narrowed(zeros.a[0], form.factor), (void)narrowed(zeros.b[1], form.factor);
          if (form.elements[2] != "f32")
            (void)narrowed(zeros.c, form.elements[2]);
          const std::vector<unsigned char> mask = oddMask(layout.a ? shape.k : shape.m);
          for (int64_t i = 0; i < shape.m * shape.k; ++i)
            if (!mask[static_cast<size_t>(layout.a ? i % shape.k : i / shape.k)])
              zeros.a[0][i] = 0;
          Guarded expected = expectedChains(form, zeros, layout.a, mask);
          if (form.elements[2] != "f32")
            (void)narrowed(expected, form.elements[2]);
          ASSERT_NO_FATAL_FAILURE(checkBits(
              runNarrow(form, stagesOf(*harness, layout), layout, problem, packed, mask.data()), expected, shape.n));
        }
  }
}

// As for f32: decoding, which multiplies few rows, equals teacher forcing.
TEST_P(NarrowProducts, RowsDoNotDependOnOtherRows) {
  const NarrowForm &form = narrowForms[1];
  std::string error;
  auto harness = KernelHarness::products(GetParam().shapes, error, GetParam().instructions, form.elements);
  ASSERT_TRUE(harness) << error;
  const int64_t most = 300, n = 600, k = 530;
  const GemmKernels stages = stagesOf(*harness, layouts[1]);
  const Problem whole({most, n, k}, false);
  const Guarded expected = runNarrow(form, stages, layouts[1], whole, true);
  for (const int64_t m : {1, 5, 13, 64, 65, 145, 299}) {
    Guarded rows(m * k);
    for (int64_t i = 0; i < rows.size(); ++i)
      rows[i] = whole.a[0][(most - m) / 2 * k + i];
    for (const bool packed : {false, true})
      ASSERT_NO_FATAL_FAILURE(
          checkBits(runNarrow(form, stages, layouts[1], Problem({m, n, k}, false, rows, whole.b[0]), packed), expected,
                    n, (most - m) / 2 * n));
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, NarrowProducts, testing::ValuesIn(kernelLevels(/*withDotProducts=*/true)), levelName);

} // namespace
} // namespace bifocal::test
