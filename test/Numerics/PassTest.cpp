// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Differentiation and fusion with all dropouts on, against LibTorch's derivative of the imported loss: the passes must
// keep every mask, site and scale. All in f64, so what differs is a mistake and not rounding.

#include "dialect/bifocal/BifocalOps.h"
#include "frontend/Import.h"
#include "frontend/Parameters.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "test/Numerics/Reference.h"

#include <gtest/gtest.h>

using namespace bifocal;
using namespace bifocal::test;
using llvm::ArrayRef;
using torch::Tensor;

namespace {
struct Variant {
  std::string name, mixer, norm, sharing, stack, model = "positions = \"learned\"\n";
};

class DroppedModel : public testing::TestWithParam<Variant> {
protected:
  void SetUp() override {
    const Variant &variant = GetParam();
    const bool isList = variant.mixer.starts_with("[");
    std::string mixer = isList ? variant.mixer : "\"" + variant.mixer + "\"";
    std::string stack = "layers = 2\nheads = 4\nffn_dim = 24\nmixer = " + mixer + "\n" + variant.stack;
    Result<Spec> spec = parseSpec("[model]\ndim = 16\nvocabulary = 23\nmax_positions = 40\nnorm = \"" + variant.norm +
                                      "\"\nshare_embeddings = \"" + variant.sharing + "\"\n" + variant.model +
                                      "dropout = 0.3\nattention_dropout = 0.2\nrelu_dropout = 0.1\n"
                                      "input_dropout = 0.25\nweight_dropout = 0.15\n[encoder]\n" +
                                      stack + "[decoder]\n" + stack,
                                  "dropped.toml");
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    context.disableMultithreading();
    module = importSpec(*spec, context);
    reference.emplace(*module);
    torch::manual_seed(7);
    for (const ParameterSpec &parameter : listParameters(*spec))
      reference->parameters[parameter.name] =
          (torch::randn(parameter.shape, torch::kFloat64) * 0.4).requires_grad_(!parameter.constant);
    // The first sentence is shorter than K, and padded on the left and on the right.
    source = torch::tensor({1, 5, 9, 2, 1, 4, 6, 8, 10, 2}, torch::kInt64).reshape({2, 5});
    previous = torch::tensor({2, 7, 1, 1, 2, 11, 4, 6}, torch::kInt64).reshape({2, 4});
    target = torch::tensor({7, 2, 1, 1, 11, 4, 6, 2}, torch::kInt64).reshape({2, 4});
    rng = torch::tensor({int64_t(0x123456789), int64_t(42)});
  }

  void lower(ArrayRef<Phase> phases) {
    registerPipelines();
    mlir::PassManager manager(&context);
    for (Phase phase : phases)
      ASSERT_TRUE(mlir::succeeded(addPhase(manager, phase, {}, llvm::errs())));
    ASSERT_TRUE(mlir::succeeded(manager.run(*module)));
  }

  void compareGradients(ArrayRef<Phase> phases) {
    auto results = reference->run("loss", {source, previous, target, rng});
    results[0].backward();
    lower(phases);
    torch::NoGradGuard noGradient;
    auto found = reference->run("accumulate_gradients", {source, previous, target, rng});
    EXPECT_NEAR(found[0].item<double>(), results[0].item<double>(), 1e-10);
    for (auto &[name, parameter] : reference->parameters) {
      if (!parameter.requires_grad())
        continue;
      ASSERT_TRUE(reference->gradients.contains(name)) << name;
      Tensor expected = parameter.grad().defined() ? parameter.grad() : torch::zeros_like(parameter);
      EXPECT_LT((reference->gradients[name] - expected).abs().max().item<double>(), 1e-10) << name;
    }
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<Reference> reference;
  Tensor source, previous, target, rng;
};
} // namespace

TEST_P(DroppedModel, differentiate_keeps_the_derivative) { compareGradients({Phase::Differentiate}); }

TEST_P(DroppedModel, optimize_keeps_the_derivative) { compareGradients({Phase::Differentiate, Phase::Optimize}); }

static std::vector<Variant> variants() {
  std::string conv = "kernel_sizes = [3, 7]\nconv_dim = 8\n";
  std::string modern = "norm_kind = \"rms_norm\"\npositions = \"rotary\"\nbias = false\nscale_embeddings = false\n";
  std::string far = "[{ kind = \"attention\", dim = 8, heads = 2 }, ";
  return {
      {"light_post", "light_conv", "post", "none", conv + "glu = true\n"},
      {"light_pre_bias", "light_conv", "pre", "all", conv + "glu = false\nconv_bias = true\n"},
      {"light_raw_taps", "light_conv", "post", "decoder_in_out", conv + "weight_softmax = false\n"},
      {"dynamic_post", "dynamic_conv", "post", "all", conv + "glu = false\n"},
      {"dynamic_pre_bias", "dynamic_conv", "pre", "none", conv + "conv_bias = true\n"},
      {"dynamic_raw_taps", "dynamic_conv", "pre", "decoder_in_out", conv + "weight_softmax = false\n"},
      {"attention_post", "attention", "post", "decoder_in_out", ""},
      {"attention_pre", "attention", "pre", "all", ""},
      {"branches_post", far + "{ kind = \"dynamic_conv\", dim = 8, heads = 2, glu = true }]", "post", "none",
       "kernel_sizes = [3, 7]\n"},
      {"branches_pre", far + "{ kind = \"light_conv\", dim = 4, heads = 2 }, { kind = \"dynamic_conv\", dim = 4 }]",
       "pre", "all", "kernel_sizes = [3, 7]\n"},
      {"diff_v1", "diff_attention", "pre", "all", "kv_heads = 2\nhead_dim = 2\nffn_activation = \"swiglu\"\n", modern},
      {"diff_v2", "diff_attention", "post", "none", "kv_heads = 2\ndiff_variant = \"v2\"\n", modern},
      {"rotary", "attention", "pre", "decoder_in_out", "kv_heads = 1\nffn_activation = \"swiglu\"\n", modern}};
}

INSTANTIATE_TEST_SUITE_P(Variants, DroppedModel, testing::ValuesIn(variants()),
                         [](const testing::TestParamInfo<Variant> &info) { return info.param.name; });
