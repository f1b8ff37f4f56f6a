// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Every op of the dialect: the machine code of the whole compiler against LibTorch in f64, its gradient function
// against LibTorch's own derivative, and that against finite differences. The tables are in OpTestCases.cpp and
// OpTestSequenceCases.cpp.

#include "dialect/bifocal/BifocalOps.h"
#include "test/Numerics/OpTestRunner.h"

#include <gtest/gtest.h>

#include <cfloat>

using namespace bifocal;
using namespace bifocal::test;
using torch::Tensor;

static double largest(const Tensor &tensor) { return tensor.numel() ? tensor.abs().max().item<double>() : 0; }

namespace {
class OpTest : public testing::TestWithParam<OpCase> {
protected:
  /// |found - expected| <= bound, element by element, where the bound is relative to the largest element, at least 1:
  /// what cancels in an element was as large as its neighbours. Keeps the worst share of the bound for the report.
  void expectNear(const std::string &name, const Tensor &found, const Tensor &expected, double relative) {
    ASSERT_EQ(found.sizes(), expected.sizes()) << name;
    if (!expected.is_floating_point()) {
      EXPECT_TRUE(torch::equal(found, expected)) << name << "\nfound " << found << "\nexpected " << expected;
      return;
    }
    double bound = relative * std::max(1.0, largest(expected));
    double error = largest(found - expected);
    EXPECT_TRUE(error <= bound) << name << " differs by " << error << " of at most " << bound << " at shape "
                                << expected.sizes();
    if (error / bound > worst)
      worst = error / bound, worstError = error, worstBound = bound;
  }

  /// f32 rounds by half an epsilon. 32 of them cover exp and the arguments in front of it, the rest is the sum.
  static double roundings(const std::string &terms, const Sizes &sizes) {
    return FLT_EPSILON * (32 + static_cast<double>(evaluateSize(terms, sizes)));
  }

  void TearDown() override {
    char line[96];
    std::snprintf(line, sizeof(line), "error %.2e of at most %.2e", worstError, worstBound);
    RecordProperty("worst", line);
    if (std::getenv("BIFOCAL_TEST_BOUNDS"))
      std::printf("    %-32s %s\n", GetParam().name.c_str(), line);
  }

  OpModules &modules() { return OpModules::of(GetParam()); }
  std::vector<Sizes> runs() { return runSizes(GetParam(), modules().statics); }
  std::mt19937_64 generator = generatorOf(GetParam().name + " values");
  torch::NoGradGuard noGradient;

private:
  double worst = -1, worstError = 0, worstBound = 0;
};

class OpGradientTest : public OpTest {
protected:
  struct Problem {
    Tensors inputs;    ///< with `<result>_grad`
    Tensors gradients; ///< LibTorch's, as `<argument>_grad`
    Tensors values;    ///< of the results
  };

  Problem draw(const Sizes &sizes) {
    const OpCase &op = GetParam();
    Problem problem{drawTensors(op.arguments, sizes, 0, generator), {}, {}};
    Reference reference(*modules().source);
    torch::AutoGradMode enabled(true);
    Tensors leaves = problem.inputs;
    std::vector<Tensor> wanted, outputs, weights;
    for (auto &[name, tensor] : leaves)
      if (tensor.is_floating_point())
        wanted.push_back(tensor = tensor.clone().requires_grad_());
    problem.values = evaluateByName(reference, *modules().source, "diff", leaves);
    for (auto &[name, value] : problem.values) {
      Declared gradient{name, {}, "f32", ""};
      for (int64_t extent : value.sizes())
        gradient.dims.push_back(std::to_string(extent));
      weights.push_back(problem.inputs[name + "_grad"] = drawTensor(gradient, {}, 0, generator));
      outputs.push_back(value);
      value = value.detach();
    }
    std::vector<Tensor> gradients = torch::autograd::grad(outputs, wanted, weights);
    size_t next = 0;
    for (const auto &[name, tensor] : leaves)
      if (tensor.is_floating_point())
        problem.gradients[name + "_grad"] = gradients[next++];
    return problem;
  }

  /// The sum of all results, weighted with their gradients, for `inputs` moved by `step` along `direction`.
  double weightedSum(const Problem &problem, const Tensors &direction, double step, double *magnitude = nullptr) {
    Tensors moved = problem.inputs;
    for (const auto &[name, way] : direction)
      moved[name] = moved[name] + way * step;
    Reference reference(*modules().source);
    double sum = 0;
    for (const auto &[name, value] : evaluateByName(reference, *modules().source, "diff", moved)) {
      Tensor terms = value * problem.inputs.at(name + "_grad");
      sum += terms.sum().item<double>();
      if (magnitude)
        *magnitude += terms.abs().sum().item<double>();
    }
    return sum;
  }

  void expectSlope(const Problem &problem, const Tensors &gradients, const Tensors &direction);
};

// A central difference misses h^2/6 of the third derivative: what it moves by from h to 2 h is three times that.
// Rounding adds an ulp of the terms, divided by the step.
void OpGradientTest::expectSlope(const Problem &problem, const Tensors &gradients, const Tensors &direction) {
  const double step = 1e-5;
  double expected = 0, magnitude = 1;
  for (const auto &[name, way] : direction)
    expected += (gradients.at(name + "_grad") * way).sum().item<double>();
  auto slope = [&](double h) {
    return (weightedSum(problem, direction, h) - weightedSum(problem, direction, -h)) / (2 * h);
  };
  weightedSum(problem, direction, 0, &magnitude);
  double near = slope(step), bound = std::abs(slope(2 * step) - near) + 8 * DBL_EPSILON * magnitude / step;
  EXPECT_LT(bound, 1e-4 * (1 + std::abs(expected))) << "the step does not resolve this function";
  std::string along;
  for (const auto &[name, way] : direction)
    along += " " + name;
  EXPECT_NEAR(near, expected, bound) << "along" << along;
}
} // namespace

TEST_P(OpTest, machine_code_computes_the_op) {
  const OpCase &op = GetParam();
  for (const Sizes &sizes : runs()) {
    Reference reference(*modules().source);
    golden::CompiledModule &code = modules().compiled();
    for (const Declared &param : parseDeclared(op.params)) {
      reference.parameters[param.name] = drawTensor(param, sizes, 0, generator);
      modules().setParameter(param.name, reference.parameters[param.name]);
      for (std::span<float> slab :
           {code.session().gradients(), code.session().firstMoments(), code.session().secondMoments()})
        std::fill(slab.begin(), slab.end(), 0.0f);
    }
    for (const Declared &state : parseDeclared(op.states))
      reference.states[state.name] = torch::full(state.shape(sizes), NAN, torch::kFloat64);
    std::map<std::string, int64_t> symbols;
    for (auto [letter, size] : sizes)
      symbols[std::string(1, letter)] = size;
    ASSERT_TRUE(op.states.empty() || code.session().sizeStates(symbols).ok());
    if (!op.setup.empty()) {
      Tensors inputs = drawTensors(op.setupArguments, sizes, 0, generator);
      evaluateByName(reference, *modules().source, "setup", inputs);
      modules().run("setup", inputs, {});
    }
    for (int call = 0; call < op.calls; ++call) {
      Tensors inputs = drawTensors(op.arguments, sizes, call, generator);
      Tensors expected = evaluateByName(reference, *modules().source, "op", inputs);
      for (const auto &[name, found] : modules().run("op", inputs, expected))
        expectNear(name, found, expected[name], roundings(op.terms, sizes));
      for (auto &[name, moment] : reference.firstMoments) {
        double relative = roundings(op.terms, sizes);
        expectNear(name, modules().piece(code.session().parameters(), name), reference.parameters[name], relative);
        expectNear(name + " gradient", modules().piece(code.session().gradients(), name), reference.gradients[name],
                   relative);
        expectNear(name + " first moment", modules().piece(code.session().firstMoments(), name), moment, relative);
        if (!code.session().secondMoments().empty())
          expectNear(name + " second moment", modules().piece(code.session().secondMoments(), name),
                     reference.secondMoments[name], relative);
      }
    }
  }
}

TEST_P(OpGradientTest, machine_code_computes_the_gradient) {
  for (const Sizes &sizes : runs()) {
    Problem problem = draw(sizes);
    Tensors expected = problem.gradients;
    for (const auto &[name, value] : problem.values)
      expected[name] = value;
    for (const auto &[name, found] : modules().run("diff_gradient", problem.inputs, expected))
      expectNear(name, found, expected[name], roundings(GetParam().gradientTerms, sizes));
  }
}

// In f64 what differs is a mistake of a pass, not rounding.
TEST_P(OpGradientTest, phases_keep_the_gradient) {
  for (const Sizes &sizes : runs()) {
    Problem problem = draw(sizes);
    for (mlir::ModuleOp module : {*modules().differentiated, *modules().optimized}) {
      Reference reference(module);
      Tensors found = evaluateByName(reference, module, "diff_gradient", problem.inputs);
      for (const auto &[name, gradient] : problem.gradients)
        expectNear(name, found.at(name), gradient, 1e-11);
      for (const auto &[name, value] : problem.values)
        expectNear(name, found.at(name), value, 1e-11);
    }
  }
}

TEST_P(OpGradientTest, finite_differences_agree) {
  for (const Sizes &sizes : runs()) {
    Problem problem = draw(sizes);
    Reference reference(*modules().differentiated);
    Tensors gradients = evaluateByName(reference, *modules().differentiated, "diff_gradient", problem.inputs), all;
    for (const Declared &declared : parseDeclared(GetParam().arguments)) {
      if (declared.element() != "f32")
        continue;
      Tensor way = drawTensor(declared, sizes, 0, generator);
      if (declared.kind == "table") // the gradient is no derivative there, by definition
        way[1].zero_();
      all[declared.name] = way;
      expectSlope(problem, gradients, {{declared.name, way}});
    }
    expectSlope(problem, gradients, all);
  }
}

// An op without a case would be trusted without a reason.
TEST(OpTestTable, every_op_of_the_dialect_becomes_machine_code_in_some_case) {
  // What needs no number of its own: there is none today. State the reason with the name.
  const std::map<std::string, std::string> exempt = {};
  std::set<std::string> covered;
  for (const OpCase &op : allCases())
    covered.merge(OpModules::of(op).ops());
  mlir::MLIRContext *context = OpModules::of(allCases().front()).source->getContext();
  size_t registered = 0;
  for (mlir::RegisteredOperationName name : context->getRegisteredOperations()) {
    if (name.getDialectNamespace() != BifocalDialect::getDialectNamespace())
      continue;
    std::string text = name.getStringRef().str();
    ++registered;
    EXPECT_NE(covered.count(text), exempt.count(text))
        << text << (exempt.count(text) ? " is exempt, but has a case" : " has no case");
  }
  EXPECT_GT(registered, 30u) << "the dialect must be loaded";
}

TEST(OpTestTable, names_are_unique) {
  std::set<std::string> names;
  for (const OpCase &op : allCases())
    EXPECT_TRUE(names.insert(op.name).second) << op.name;
}

static std::vector<OpCase> differentiableCases() {
  std::vector<OpCase> cases;
  for (const OpCase &op : allCases())
    if (!op.gradients.empty())
      cases.push_back(op);
  return cases;
}

static std::string nameOf(const testing::TestParamInfo<OpCase> &info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(All, OpTest, testing::ValuesIn(allCases()), nameOf);
INSTANTIATE_TEST_SUITE_P(All, OpGradientTest, testing::ValuesIn(differentiableCases()), nameOf);
