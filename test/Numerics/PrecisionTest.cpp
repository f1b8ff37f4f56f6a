// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Whole models compiled in bf16, with all dropouts on, against the same model in f64 without any rounding: losses and
// gradients stay within what their roundings may add up to. And decoding equals teacher forcing, bit by bit.

#include "codegen/Compiler.h"
#include "dialect/bifocal/BifocalOps.h"
#include "frontend/Import.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "test/Numerics/Reference.h"
#include "tools/bifocal-golden/CompiledModule.h"

#include <gtest/gtest.h>

using namespace bifocal;
using namespace bifocal::test;
using golden::CompiledModule;
using golden::HostTensor;
using torch::Tensor;

namespace {
struct Variant {
  std::string name, mixer, norm, stack;
};

void PrintTo(const Variant &variant, std::ostream *out) { *out << variant.name; }

constexpr int64_t vocabulary = 23, sentences = 3, sourceSteps = 7, steps = 6, padded = 2;

/// The relative size of one rounding at most: half a step of the 8 bits of a bf16.
constexpr double rounding = 0x1p-8;

class Precision : public testing::TestWithParam<Variant> {
protected:
  void SetUp() override {
    // The first sentence is shorter than the longest filter, and padded.
    torch::manual_seed(11);
    source = torch::randint(4, vocabulary, {sentences, sourceSteps}, torch::kInt64);
    target = torch::randint(4, vocabulary, {sentences, steps}, torch::kInt64);
    source.slice(1, sourceSteps - padded).select(0, 0).fill_(1);
    previous = torch::cat({torch::full({sentences, 1}, 2, torch::kInt64), target.slice(1, 0, steps - 1)}, 1);
  }

  static std::string specText(const std::string &precision) {
    const Variant &variant = GetParam();
    const std::string mixer = variant.mixer.starts_with("[") ? variant.mixer : "\"" + variant.mixer + "\"";
    const std::string stack = "layers = 2\nheads = 4\nffn_dim = 48\nmixer = " + mixer + "\n" + variant.stack;
    return "[model]\ndim = 32\nvocabulary = 23\nmax_positions = 40\nnorm = \"" + variant.norm +
           "\"\nshare_embeddings = \"all\"\npositions = \"learned\"\ndropout = 0.3\nattention_dropout = 0.2\n"
           "relu_dropout = 0.1\ninput_dropout = 0.25\nweight_dropout = 0.15\n[encoder]\n" +
           stack + "[decoder]\n" + stack + "[training]\nprecision = \"" + precision + "\"\n";
  }

  mlir::OwningOpRef<mlir::ModuleOp> import(const std::string &precision) {
    Result<Spec> spec = parseSpec(specText(precision), "precision.toml");
    EXPECT_TRUE(spec.ok()) << spec.status().message();
    prepareContext(context);
    return importSpec(*spec, context);
  }

  /// With the parameters that a training begins with.
  static std::unique_ptr<CompiledModule> compile(mlir::ModuleOp module, bool training) {
    auto compiled = CompiledModule::ofText(printModule(module), training);
    EXPECT_TRUE(compiled.ok()) << compiled.status().message();
    return compiled.ok() ? compiled.take() : nullptr;
  }

  static HostTensor ids(const Tensor &tensor) {
    const Tensor dense = tensor.contiguous();
    return HostTensor::ofInts(dense.sizes().vec(), std::span(dense.data_ptr<int64_t>(), dense.numel()));
  }

  mlir::MLIRContext context;
  Tensor source, previous, target;
};

/// How far off a loss is, and the gradients, relative to the exact ones.
struct Errors {
  double loss = 0, all = 0, worst = 0;
};

class PrecisionGradients : public Precision {
protected:
  static constexpr int64_t seed[2] = {0x123456789, 42};

  void computeExpected(mlir::ModuleOp module, CompiledModule &compiled) {
    Reference reference(module);
    for (auto parameter : module.getOps<ParamOp>()) {
      const std::string name = parameter.getSymName().str();
      const auto shape = mlir::cast<mlir::ShapedType>(parameter.getType()).getShape();
      std::span<float> values = compiled.parameter(name);
      reference.parameters[name] = torch::from_blob(values.data(), {shape.data(), shape.size()}, torch::kFloat32)
                                       .to(torch::kFloat64)
                                       .requires_grad_();
    }
    auto results = reference.run("loss", {source, previous, target, torch::tensor({seed[0], seed[1]})});
    results[0].backward();
    loss = results[0].item<double>();
    for (auto &[name, parameter] : reference.parameters)
      gradients[name] = parameter.grad().defined() ? parameter.grad() : torch::zeros_like(parameter);
  }

  Errors measure(CompiledModule &compiled) {
    HostTensor sourceIds = ids(source), previousIds = ids(previous), targetIds = ids(target);
    HostTensor rng = HostTensor::ofLongs({2}, seed), found = HostTensor::zeros({}), nll = found, count = found;
    EXPECT_EQ(compiled
                  .run("accumulate_gradients", {{"source", &sourceIds},
                                                {"previous", &previousIds},
                                                {"target", &targetIds},
                                                {"rng", &rng},
                                                {"loss", &found},
                                                {"nll", &nll},
                                                {"count", &count}})
                  .message(),
              "");
    EXPECT_EQ(count.floats()[0], static_cast<float>(sentences * steps));
    double squares = 0, errorSquares = 0, elements = 0;
    std::map<std::string, double> distances;
    for (auto &[name, expected] : gradients) {
      std::span<float> piece = compiled.gradient(name);
      EXPECT_EQ(static_cast<int64_t>(piece.size()), expected.numel()) << name;
      const Tensor values = torch::from_blob(piece.data(), expected.sizes(), torch::kFloat32).to(torch::kFloat64);
      distances[name] = (values - expected).norm().item<double>();
      errorSquares += distances[name] * distances[name];
      squares += std::pow(expected.norm().item<double>(), 2);
      elements += static_cast<double>(expected.numel());
    }
    Errors errors{std::abs(found.floats()[0] - loss) / loss, std::sqrt(errorSquares / squares), 0};
    for (auto &[name, expected] : gradients) {
      // What cancels (the bias of a key does, exactly) was as large as its neighbours before.
      const double size = std::max(expected.norm().item<double>(),
                                   std::sqrt(squares / elements * static_cast<double>(expected.numel())));
      if (std::getenv("BIFOCAL_TEST_BOUNDS"))
        std::printf("    %-50s %.2e\n", name.c_str(), distances[name] / size);
      errors.worst = std::max(errors.worst, distances[name] / size);
    }
    if (std::getenv("BIFOCAL_TEST_BOUNDS"))
      std::printf("  loss %.2e, all gradients %.2e, worst %.2e\n", errors.loss, errors.all, errors.worst);
    return errors;
  }

  double loss = 0;
  std::map<std::string, Tensor> gradients;
};
} // namespace

TEST_P(PrecisionGradients, stay_within_what_roundings_add_up_to) {
  auto wideModule = import("f32"), narrowModule = import("bf16");
  auto wide = compile(*wideModule, /*training=*/true), narrow = compile(*narrowModule, /*training=*/true);
  ASSERT_TRUE(wide && narrow);
  computeExpected(*wideModule, *wide);
  const Errors inF32 = measure(*wide), inBf16 = measure(*narrow);
  // Between a token and the gradient of the first layer lie, both ways, about 8 tensors in memory per layer of each
  // stack, and a product rounds two factors and its result. Each rounding is at most 2^-8 of an element and they point
  // anywhere, so n of them add up to sqrt(n) of that in the norm. A relu within a rounding of zero may go the other
  // way: a share of 2^-8 of them, which is the root of that in the norm of all gradients. What one parameter gets from
  // a few hundred relus depends on each: those of the last layer are as close to zero as all roundings before them
  // add up to.
  const double roundings = 2 * 2 * 2 * 8 * 3, smooth = std::sqrt(roundings) * rounding;
  EXPECT_LT(inBf16.loss, rounding / 4) << "a loss is a mean over many elements";
  EXPECT_LT(inBf16.all, smooth + std::sqrt(rounding));
  EXPECT_LT(inBf16.worst, smooth + std::sqrt(smooth));
  // f32 has 16 bits more, so what the two are compared with is right; and bf16 is really there. A loss in f32 is
  // rounded three times at its end: each sentence's sum, the sum of all, the mean.
  EXPECT_LT(inF32.loss, 3 * rounding * 0x1p-16);
  EXPECT_LT(inF32.worst, smooth * 0x1p-16);
  EXPECT_GT(inBf16.all, rounding / 4);
}

/// What `function` returns becomes its logarithms of probabilities, as @decode_step has them.
static void normalizeLogits(mlir::ModuleOp module) {
  auto function = module.lookupSymbol<mlir::func::FuncOp>("forward");
  mlir::Operation *terminator = function.front().getTerminator();
  mlir::OpBuilder builder(terminator);
  mlir::Value logits = terminator->getOperand(0);
  terminator->setOperand(0, builder.create<LogSoftmaxOp>(function.getLoc(), logits.getType(), logits));
}

TEST_P(Precision, decoding_equals_teacher_forcing_bit_by_bit) {
  auto module = import("bf16");
  normalizeLogits(*module);
  auto compiled = compile(*module, /*training=*/false);
  ASSERT_TRUE(compiled);
  HostTensor sourceIds = ids(source), previousIds = ids(previous);
  HostTensor forced = HostTensor::zeros({sentences, steps, vocabulary});
  ASSERT_EQ(
      compiled->run("forward", {{"source", &sourceIds}, {"previous", &previousIds}, {"logits", &forced}}).message(),
      "");
  ASSERT_EQ(
      compiled->session().sizeStates({{"B", sentences}, {"S", sourceSteps}, {"R", sentences}, {"P", steps}}).message(),
      "");
  HostTensor encoded = HostTensor::zeros({sentences, sourceSteps, 32});
  ASSERT_EQ(compiled->run("encode", {{"source", &sourceIds}, {"encoder_output", &encoded}}).message(), "");
  const Tensor rows = torch::arange(sentences);
  HostTensor rowIds = ids(rows), ancestors = ids(rows.unsqueeze(1).expand({sentences, steps}));
  for (int64_t step = 0; step < steps; ++step) {
    HostTensor tokens = ids(previous.select(1, step)),
               positions = ids(torch::full({sentences}, 2 + step, torch::kInt64));
    HostTensor number = ids(torch::tensor(step)), found = HostTensor::zeros({sentences, vocabulary});
    ASSERT_EQ(compiled
                  ->run("decode_step", {{"tokens", &tokens},
                                        {"positions", &positions},
                                        {"sentences", &rowIds},
                                        {"ancestors", &ancestors},
                                        {"step", &number},
                                        {"log_probabilities", &found}})
                  .message(),
              "");
    for (int64_t row = 0; row < sentences; ++row)
      for (int64_t word = 0; word < vocabulary; ++word)
        ASSERT_EQ(found.floats()[row * vocabulary + word], forced.floats()[(row * steps + step) * vocabulary + word])
            << "row " << row << " step " << step << " word " << word;
  }
}

static std::vector<Variant> variants() {
  const std::string conv = "kernel_sizes = [3, 9]\n";
  return {{"light_post", "light_conv", "post", conv + "glu = true\n"},
          {"light_pre_bias", "light_conv", "pre", conv + "glu = false\nconv_bias = true\n"},
          {"light_raw_taps", "light_conv", "post", conv + "weight_softmax = false\n"},
          {"dynamic_post", "dynamic_conv", "post", conv + "glu = false\n"},
          {"dynamic_pre", "dynamic_conv", "pre", conv},
          {"attention_post", "attention", "post", ""},
          {"attention_pre", "attention", "pre", ""},
          {"branches_light",
           "[{ kind = \"attention\", dim = 16, heads = 4 }, { kind = \"light_conv\", dim = 16, heads = 4 }]", "post",
           conv},
          {"branches_dynamic",
           "[{ kind = \"dynamic_conv\", dim = 20, glu = true }, { kind = \"attention\", dim = 12 }]", "pre", conv}};
}

static std::string nameOf(const testing::TestParamInfo<Variant> &info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Variants, Precision, testing::ValuesIn(variants()), nameOf);
INSTANTIATE_TEST_SUITE_P(Variants, PrecisionGradients, testing::ValuesIn(variants()), nameOf);
