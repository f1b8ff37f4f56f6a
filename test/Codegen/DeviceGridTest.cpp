// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every kernel in every element type over a grid of shapes, on warps beside the CPU: the same inputs, the same draws,
// and what the emulator finds fails a run. Both are compared with definitions elsewhere; here are the corners: filters
// that are longer than their sequence, one step, one head and sixteen, ends within a tile, sentences of padding alone.

#include "test/Codegen/ConvTestData.h"
#include "test/Codegen/TypedKernel.h"

namespace bifocal::test {
namespace {

class DeviceGrid : public testing::TestWithParam<std::tuple<std::string, TypedKernel>> {
protected:
  /// Sums are taken in another order, of terms of up to 4, or what the kernel says, whose sum is of that size as well;
  /// a result of 16 bits may fall to the other side of a rounding; and tensor cores round factors as `roundings` says.
  static double bound(const Memory &result, const TypedKernel &kernel, const std::string &element, double expected) {
    constexpr double f32 = 0x1p-18, rest = 0x1p-16;
    const double unit = element == "bf16" ? 0x1p-8 : 0x1p-11, size = std::max(kernel.terms, std::abs(expected));
    if (element == "f32")
      return f32 * size;
    const double roundings = kernel.roundings * (result.isNarrow() ? unit : rest);
    return roundings + (result.isNarrow() ? 2 * unit * std::abs(expected) + f32 * size : rest * size);
  }
};

TEST_P(DeviceGrid, WarpsComputeWhatTheCpuDoes) {
  const auto &[element, kernel] = GetParam();
  const std::string narrow = element == "f32" ? "bf16" : element;
  if (kernelLevels().empty())
    GTEST_SKIP() << "this machine runs no kernels of CPUs";
  const KernelLevel cpu = kernelLevels().front();
  const std::vector<Memory> expected = CompiledKernel(kernel, cpu, element).run(narrow);
  const std::vector<Memory> found = CompiledKernel(kernel, {"warp", "warp"}, element).run(narrow);
  ASSERT_EQ(expected.size(), found.size());
  ASSERT_FALSE(found.empty());
  for (size_t tensor = 0; tensor < found.size(); ++tensor) {
    const Memory &result = found[tensor], &wanted = expected[tensor];
    ASSERT_EQ(result.count, wanted.count);
    if (!result.isNarrow() && result.element != "f32") {
      EXPECT_EQ(result.bytes, wanted.bytes);
      continue;
    }
    for (int64_t i = 0; i < result.count; ++i) {
      ASSERT_FALSE(std::isnan(wanted.at(i))) << "result " << tensor << " element " << i;
      if (result.at(i) != wanted.at(i)) // infinities have no distance
        ASSERT_NEAR(result.at(i), wanted.at(i), bound(result, kernel, element, wanted.at(i)))
            << "result " << tensor << " element " << i;
    }
  }
}

std::vector<int64_t> repeated(size_t count, int64_t rows, int64_t steps) {
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < count; ++i)
    sizes.insert(sizes.end(), {rows, steps});
  return sizes;
}

std::vector<TypedKernel> convGrid() {
  std::vector<TypedKernel> cases;
  for (auto [form, steps] : {std::pair{ConvForm{1, 8, 1, 0, Taps::Normalized, false, 0}, 1},
                             std::pair{ConvForm{16, 2, 2, 1, Taps::Normalized, true, 0}, 3},
                             std::pair{ConvForm{2, 8, 3, 1, Taps::Raw, true, 0}, 5},
                             std::pair{ConvForm{4, 4, 7, 6, Taps::Normalized, true, 0.25}, 2},
                             std::pair{ConvForm{1, 40, 8, 7, Taps::Renormalized, false, 0}, 17},
                             std::pair{ConvForm{16, 8, 15, 7, Taps::Normalized, false, 0}, 9},
                             std::pair{ConvForm{8, 8, 31, 30, Taps::Normalized, true, 0.1}, 33},
                             std::pair{ConvForm{4, 16, 31, 15, Taps::Compat, true, 0}, 1},
                             std::pair{ConvForm{2, 16, 63, 62, Taps::Normalized, false, 0}, 20},
                             std::pair{ConvForm{3, 5, 64, 0, Taps::Normalized, false, 0.5}, 7},
                             std::pair{ConvForm{1, 24, 127, 63, Taps::Normalized, true, 0}, 65},
                             // More than one tile of steps.
                             std::pair{ConvForm{2, 9, 3, 1, Taps::Normalized, true, 0}, 130},
                             std::pair{ConvForm{1, 40, 31, 30, Taps::Normalized, true, 0}, 131}}) {
    const ConvSource light{form, false}, dynamic{form, true};
    const std::string name =
        "H" + std::to_string(form.heads) + "K" + std::to_string(form.kernelSize) + "T" + std::to_string(steps);
    auto typed = [](const std::string &source) { return withElement(source, "xf32>", "xE>"); };
    cases.push_back({"light_conv_" + name, typed(light.forward()), repeated(2, 2, steps), 3, 0, 0.02});
    cases.push_back({"light_conv_grad_" + name, typed(light.gradient()), repeated(3, 2, steps), 3, 0, 2});
    cases.push_back({"dynamic_conv_" + name, typed(dynamic.forward()), repeated(3, 2, steps), 3, 0, 0.02});
    cases.push_back({"dynamic_conv_grad_" + name, typed(dynamic.gradient()), repeated(5, 2, steps), 3, 0, 0.1});
  }
  return cases;
}

struct AttentionForm {
  std::string name, options;
  int64_t heads, channels, queries, keys, hidden;
};

std::vector<TypedKernel> attentionGrid() {
  std::vector<TypedKernel> cases;
  for (const AttentionForm &form :
       {AttentionForm{"one", "", 1, 8, 1, 1, 0}, AttentionForm{"heads", "mask %m causal", 16, 128, 5, 5, 0},
        AttentionForm{"padding", "mask %m", 2, 64, 3, 33, 33},
        AttentionForm{"narrow", "mask %m causal", 2, 22, 40, 40, 0}, AttentionForm{"wide", "", 1, 128, 17, 65, 0},
        AttentionForm{"long", "causal", 4, 64, 66, 66, 0}}) {
    const std::string rows = ":?x?x" + std::to_string(form.channels) + "xE";
    const std::string sums = "l:?x" + std::to_string(form.heads) + "x?xf32";
    const bool masked = form.options.find("mask") != std::string::npos;
    const std::string mask = masked ? " m:?x?xi1" : "";
    const std::string attributes = "{heads = " + std::to_string(form.heads) + " : i64, scale = ";
    auto sizes = [&](const std::string &tensors) {
      std::vector<int64_t> all;
      for (const char tensor : tensors)
        if (tensor != 'm' || masked)
          all.insert(all.end(), {2, tensor == 'q' ? form.queries : form.keys});
      return all;
    };
    cases.push_back({"attention_" + form.name,
                     op("attention", "q" + rows + " k" + rows + " v" + rows + mask, "%q, %k, %v " + form.options,
                        "y" + rows + " " + sums, attributes + "0.1 : f32}"),
                     sizes("qkkmqq"), 3, 0, 0.02, form.hidden});
    cases.push_back(
        {"attention_grad_" + form.name,
         op("attention_grad", "g" + rows + " q" + rows + " k" + rows + " v" + rows + " y" + rows + " " + sums + mask,
            "%g, %q, %k, %v, %y, %l " + form.options, "a" + rows + " b" + rows + " c" + rows,
            attributes + "0.05 : f32}"),
         sizes("qqkkqqmqkk"), 3, 0, 8, form.hidden});
  }
  return cases;
}

/// Rows of one element, of a part of a vector, of a whole one and of more, and of four neighbours for each thread; and
/// sums of more shares than are added up at once.
std::vector<TypedKernel> rowGrid() {
  std::vector<TypedKernel> cases;
  for (auto [width, rows] :
       {std::pair{1, 1}, std::pair{31, 3}, std::pair{32, 5}, std::pair{100, 2}, std::pair{128, 3}}) {
    const std::string w = std::to_string(width), row = "?x" + w + "xE", name = "_" + w;
    const int64_t count = rows;
    const std::string group = "{group = " + w + " : i64}";
    const std::string smoothed = "{smoothing = 0.1 : f32, ignore_index = 0 : i32}";
    auto times = [&](size_t tensors) { return std::vector<int64_t>(tensors, count); };
    cases.push_back({"layer_norm" + name,
                     op("layer_norm", "x:" + row + " s:" + w + "xE b:" + w + "xE", "", "y:" + row + " m:?xf32 r:?xf32"),
                     times(4)});
    cases.push_back({"layer_norm_grad" + name,
                     op("layer_norm_grad", "g:" + row + " x:" + row + " s:" + w + "xE m:?xf32 r:?xf32", "",
                        "d:" + row + " ds:" + w + "xE db:" + w + "xE"),
                     times(5), 3, 0, 0.1});
    cases.push_back({"glu" + name, op("glu", "x:?x" + std::to_string(2 * width) + "xE", "", "y:" + row), times(2)});
    cases.push_back({"softmax" + name, op("softmax", "x:" + row, "", "y:" + row, group), times(2)});
    cases.push_back(
        {"softmax_grad" + name, op("softmax_grad", "g:" + row + " y:" + row, "", "x:" + row, group), times(3)});
    const std::string type = "tensor<" + row + ">";
    cases.push_back({"log_softmax" + name,
                     kernelSource("%x: " + type, "%y = bifocal.log_softmax %x : " + type, "%y : " + type), times(2)});
    const std::string best = "?x" + std::to_string(std::min(width, 9)) + "x";
    cases.push_back({"top_k" + name,
                     op("top_k", "x:" + row, "", "v:" + best + "E i:" + best + "i32",
                        "{k = " + std::to_string(std::min(width, 9)) + " : i64}"),
                     times(3)});
    cases.push_back({"dropout" + name,
                     op("dropout", "x:" + row + " r:2xi64", "", "y:" + row, "{rate = 0.3 : f32, site = 2 : i32}"),
                     times(2)});
    cases.push_back({"column_sum" + name, op("column_sum", "x:" + row, "", "y:" + w + "xE"), times(1)});
    if (width == 1)
      continue;
    cases.push_back({"cross_entropy" + name,
                     op("cross_entropy", "x:" + row + " t:?xi32", "", "l:f32 n:f32 c:f32", smoothed), times(2), width});
    cases.push_back({"cross_entropy_grad" + name,
                     op("cross_entropy_grad", "x:" + row + " t:?xi32", "", "d:" + row, smoothed), times(3), width});
  }
  cases.push_back({"column_sum_shares", op("column_sum", "x:?x40xE", "", "y:40xE"), {600}, 3, 0, 0.1});
  return cases;
}

std::string gridName(const testing::TestParamInfo<std::tuple<std::string, TypedKernel>> &info) {
  return std::get<1>(info.param).name + "_" + std::get<0>(info.param);
}
const auto elements = testing::Values("f32", "bf16", "f16");
INSTANTIATE_TEST_SUITE_P(Convolutions, DeviceGrid, testing::Combine(elements, testing::ValuesIn(convGrid())), gridName);
INSTANTIATE_TEST_SUITE_P(Attention, DeviceGrid, testing::Combine(elements, testing::ValuesIn(attentionGrid())),
                         gridName);
INSTANTIATE_TEST_SUITE_P(Rows, DeviceGrid, testing::Combine(elements, testing::ValuesIn(rowGrid())), gridName);
INSTANTIATE_TEST_SUITE_P(Families, DeviceGrid, testing::Combine(elements, testing::ValuesIn(allCases())), gridName);

} // namespace
} // namespace bifocal::test
