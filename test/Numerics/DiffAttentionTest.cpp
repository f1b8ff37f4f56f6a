// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// One pass of differential attention gives what two plain attentions and their difference give, forward and backward.

#include "tools/bifocal-golden/CompiledModule.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace bifocal;
using golden::CompiledModule;
using golden::HostTensor;

namespace {
constexpr int64_t batch = 2, steps = 37, width = 5;
constexpr float lambda = 0.7f;

/// Pairs of heads, and heads of values, each of which a pair of keys belongs to.
struct Heads {
  int64_t pairs, kv;
};

class DiffAttention : public testing::TestWithParam<Heads> {};

using Tensors = std::map<std::string, HostTensor>;
} // namespace

static std::string functionText(const char *op, int64_t heads, int64_t kvHeads, int64_t maps, const char *lambdaText) {
  const std::string query = fmt::format("tensor<?x?x{}xf32>", maps * heads * width);
  const std::string key = fmt::format("tensor<?x?x{}xf32>", maps * kvHeads * width);
  const std::string value = fmt::format("tensor<?x?x{}xf32>", 2 * kvHeads * width);
  const std::string output = fmt::format("tensor<?x?x{}xf32>", 2 * heads * width);
  const std::string dims = R"(bifocal.dims = ["B", "T", ""])";
  const bool paired = maps == 2;
  return fmt::format(
      "func.func @f(%q: {0} {{bifocal.name = \"q\", {4}}}, %k: {1} {{bifocal.name = \"k\", {4}}}, %v: {2} "
      "{{bifocal.name "
      "= \"v\", {4}}}{5}) -> ({3} {{bifocal.name = \"y\"}}) attributes {{bifocal.gradient}} {{\n  %y, %l = bifocal.{6} "
      "%q, %k, %v{7} causal {{heads = {8} : i64, kv_heads = {9} : i64, scale = 0.4 : f32}} : ({0}, {1}, {2}{10}) -> "
      "({3}, "
      "tensor<?x{11}x?xf32>)\n  return %y : {3}\n}}\n",
      query, key, value, output, dims, paired ? ", %w: tensor<f32> {bifocal.name = \"w\", bifocal.dims = []}" : "", op,
      lambdaText, heads, kvHeads, paired ? ", tensor<f32>" : "", maps * heads);
}

/// The output `y` and the gradients of all arguments, for the output's gradient `g`.
static Tensors run(const std::string &text, Tensors inputs, HostTensor gradient) {
  auto module = CompiledModule::ofText(text);
  EXPECT_TRUE(module.ok()) << module.status().message();
  Tensors results{{"y", HostTensor::zeros(gradient.shape)}};
  std::map<std::string, HostTensor *> arguments{{"y_grad", &gradient}};
  for (auto &[name, tensor] : inputs) {
    arguments[name] = &tensor;
    results[name + "_grad"] = HostTensor::zeros(tensor.shape);
  }
  for (auto &[name, tensor] : results)
    arguments[name] = &tensor;
  EXPECT_EQ((*module)->run("f_gradient", arguments).message(), "");
  return results;
}

static HostTensor random(int64_t channels, int seed) {
  std::vector<float> values(static_cast<size_t>(batch * steps * channels));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::sin(static_cast<double>(i * i % 9973) * 0.37 + seed));
  return HostTensor::ofFloats({batch, steps, channels}, values);
}

/// The heads of one map, out of pairs of neighbours.
static HostTensor mapOf(const HostTensor &tensor, int64_t map) {
  const int64_t pairs = tensor.shape.back() / (2 * width);
  std::vector<float> values;
  for (int64_t head = 0; head < batch * steps * pairs; ++head) {
    const auto begin = tensor.floats().begin() + (2 * head + map) * width;
    values.insert(values.end(), begin, begin + width);
  }
  return HostTensor::ofFloats({batch, steps, pairs * width}, values);
}

static void expectNear(const HostTensor &found, const std::vector<float> &expected, const char *name) {
  float largest = 0;
  for (float value : expected)
    largest = std::max(largest, std::fabs(value));
  ASSERT_EQ(found.floats().size(), expected.size()) << name;
  // Sums of some hundred terms in f32, taken in another order.
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(found.floats()[i], expected[i], 2e-6 * std::max(largest, 1.0f)) << name << " " << i;
}

TEST_P(DiffAttention, is_the_difference_of_two) {
  const auto [pairs, kv] = GetParam();
  const HostTensor q = random(2 * pairs * width, 1), k = random(2 * kv * width, 2), v = random(2 * kv * width, 3);
  const HostTensor g = random(2 * pairs * width, 4);
  const float weight[] = {lambda};
  Tensors one = run(functionText("diff_attention", pairs, kv, 2, " lambda %w"),
                    {{"q", q}, {"k", k}, {"v", v}, {"w", HostTensor::ofFloats({}, weight)}}, g);
  std::vector<float> output(g.floats().size()), value(v.floats().size());
  double lambdaGradient = 0;
  for (int64_t map : {0, 1}) {
    const float factor = map == 0 ? 1 : -lambda;
    std::vector<float> own(g.floats().begin(), g.floats().end());
    for (float &element : own)
      element *= factor;
    Tensors two = run(functionText("attention", pairs, kv, 1, ""),
                      {{"q", mapOf(q, map)}, {"k", mapOf(k, map)}, {"v", v}}, HostTensor::ofFloats(g.shape, own));
    for (size_t i = 0; i < output.size(); ++i) {
      output[i] += factor * two["y"].floats()[i];
      lambdaGradient -= map == 1 ? static_cast<double>(g.floats()[i]) * two["y"].floats()[i] : 0;
    }
    for (size_t i = 0; i < value.size(); ++i)
      value[i] += two["v_grad"].floats()[i];
    for (const char *name : {"q_grad", "k_grad"}) {
      const std::span<const float> expected = two[name].floats();
      expectNear(mapOf(one[name], map), {expected.begin(), expected.end()}, name);
    }
  }
  expectNear(one["y"], output, "y");
  expectNear(one["v_grad"], value, "v_grad");
  EXPECT_NEAR(one["w_grad"].floats()[0], lambdaGradient, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Heads, DiffAttention, testing::Values(Heads{1, 1}, Heads{3, 3}, Heads{4, 2}, Heads{3, 1}),
                         [](const auto &info) {
                           return fmt::format("{}_pairs_{}_values", info.param.pairs, info.param.kv);
                         });
