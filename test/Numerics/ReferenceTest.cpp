// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The f64 evaluation of imported models against tensors that published code computed: proves what the frontend builds,
// and the reference that every other numeric test trusts. No kernel runs here.

#include "test/Numerics/Reference.h"
#include "dialect/bifocal/BifocalOps.h"
#include "frontend/Import.h"
#include "frontend/Parameters.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "tools/bifocal-golden/ModelSpec.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>

using namespace bifocal;
using namespace bifocal::test;
using golden::GoldenFile;
using golden::GoldenTensor;
using llvm::ArrayRef;
using torch::Tensor;

// Golden files hold f32 roundings of f64 results: half an ulp of f32, and a position table that was built in f32.
static constexpr double tolerance = 3e-6;

static Tensor tensorOf(const GoldenTensor &tensor) {
  if (tensor.values.empty())
    return torch::tensor(tensor.integers, torch::kInt64).reshape(tensor.shape);
  return torch::tensor(tensor.values, torch::kFloat32).to(torch::kFloat64).reshape(tensor.shape);
}

/// A file of the small set in the tree, or of the whole set where that is on this machine; empty when in neither.
static std::string goldenPath(const std::string &name) {
  const char *shared = std::getenv("BIFOCAL_SHARED");
  for (std::string folder : {std::string("test/Golden"), std::string(shared ? shared : "../shared") + "/golden"})
    if (std::filesystem::exists(folder + "/" + name))
      return folder + "/" + name;
  return {};
}

/// Row p = [sin(p f_0).., cos(p f_0)..]; row `pad` is zero.
static Tensor sinusoids(int64_t rows, int64_t dim) {
  int64_t half = dim / 2;
  Tensor frequency =
      torch::exp(torch::arange(half, torch::kFloat64) * (-std::log(10000.0) / static_cast<double>(half - 1)));
  Tensor angle = torch::arange(rows, torch::kFloat64).unsqueeze(1) * frequency.unsqueeze(0);
  Tensor table = torch::cat({torch::sin(angle), torch::cos(angle)}, 1);
  table[padId].zero_();
  return table;
}

namespace {
/// A golden model imported from its hyper-parameters, with its parameters in f64.
class GoldenModel : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    std::string path = goldenPath(std::string("model/") + GetParam() + ".safetensors");
    if (path.empty())
      GTEST_SKIP() << "the golden file is not on this machine";
    Result<GoldenFile> read = golden::readGoldenFile(path);
    ASSERT_TRUE(read.ok()) << read.status().message();
    file = read.take();
    Result<Spec> spec = parseSpec(golden::specOfModel(file, {}), "golden.toml");
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    context.disableMultithreading();
    module = importSpec(*spec, context);
    reference.emplace(*module);
    for (const ParameterSpec &parameter : listParameters(*spec)) {
      Tensor &value = reference->parameters[parameter.name];
      value = parameter.constant ? sinusoids(parameter.shape[0], parameter.shape[1])
                                 : tensorOf(file["param." + parameter.name]);
      if (!parameter.constant)
        value.requires_grad_();
    }
    source = tensorOf(file["input.src_tokens"]);
    previous = tensorOf(file["input.prev_output_tokens"]);
    target = tensorOf(file["input.target"]);
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<Reference> reference;
  GoldenFile file;
  Tensor source, previous, target;
};
} // namespace

TEST_P(GoldenModel, forward_gives_the_published_logits) {
  Tensor logits = reference->run("forward", {source, previous})[0];
  // The published self-attention of a decoder also hides padded steps from each other; nobody reads those rows.
  Tensor difference = (logits - tensorOf(file["output.logits"])).abs().amax(-1) * previous.ne(padId);
  EXPECT_LT(difference.max().item<double>(), tolerance);
}

TEST_P(GoldenModel, loss_and_gradients_are_the_published_ones) {
  auto results = reference->run("loss", {source, previous, target, torch::zeros({2}, torch::kInt64)});
  EXPECT_NEAR(results[0].item<double>(), file.hparams.value("loss", 0.0), tolerance * 100);
  EXPECT_NEAR(results[1].item<double>(), file.hparams.value("nll_loss", 0.0), tolerance * 100);
  EXPECT_EQ(results[2].item<double>(), static_cast<double>(file.integer("ntokens")));
  results[0].backward();
  for (auto &[name, value] : reference->parameters) {
    if (!value.requires_grad())
      continue;
    EXPECT_LT((value.grad() - tensorOf(file["grad." + name])).abs().max().item<double>(), tolerance * 10) << name;
  }
}

TEST_P(GoldenModel, decoding_step_by_step_equals_teacher_forcing) {
  torch::NoGradGuard noGradient;
  Tensor expected = torch::log_softmax(reference->run("forward", {source, previous})[0], -1);
  reference->run("encode", {source});
  int64_t rows = previous.size(0), steps = previous.size(1);
  module->walk([&](StateOp state) {
    auto shape = mlir::cast<mlir::RankedTensorType>(state.getType()).getShape();
    std::string name = state.getSymName().str();
    if (reference->states.contains(name))
      return;
    reference->states[name] = torch::zeros({shape[0] < 0 ? steps : shape[0], rows, shape[2]}, torch::kFloat64);
  });
  Tensor row = torch::arange(rows);
  for (int64_t step = 0; step < steps; ++step) {
    Tensor positions = torch::full({rows}, padId + 1 + step, torch::kInt64);
    Tensor found =
        reference->run("decode_step", {previous.select(1, step).contiguous(), positions, row,
                                       row.unsqueeze(1).expand({rows, steps}).contiguous(), torch::tensor(step)})[0];
    // Behind the end of a sentence teacher forcing has other positions.
    Tensor real = previous.select(1, step).ne(padId);
    Tensor difference = (found - expected.select(1, step)).abs().amax(-1);
    EXPECT_LT((difference * real).max().item<double>(), 1e-9) << "step " << step;
  }
}

/// Ten training steps of the differentiated module against the published trajectory, after each phase.
static void trainTenUpdates(Reference &reference, const GoldenFile &file, const std::vector<Tensor> &batch,
                            double bound) {
  std::vector<double> rates = file.hparams["lrs"], losses = file.hparams["losses"], norms = file.hparams["grad_norms"];
  for (size_t update = 0; update < rates.size(); ++update) {
    double correction = std::sqrt(1 - std::pow(0.98, update + 1)) / (1 - std::pow(0.9, update + 1));
    std::vector<Tensor> arguments = batch;
    arguments.push_back(torch::zeros({2}, torch::kInt64));
    arguments.push_back(torch::tensor({rates[update], rates[update] * correction, file.hparams.value("clip", 0.0), 0.0},
                                      torch::kFloat64));
    auto results = reference.run("train_step", arguments);
    EXPECT_NEAR(results[0].item<double>(), losses[update], bound * losses[update]) << "update " << update;
    EXPECT_NEAR(results[3].item<double>(), norms[update], bound * norms[update]) << "update " << update;
  }
}

class TrainedModel : public GoldenModel {
protected:
  void lower(ArrayRef<Phase> phases) {
    registerPipelines();
    mlir::PassManager manager(&context);
    for (Phase phase : phases)
      ASSERT_TRUE(mlir::succeeded(addPhase(manager, phase, {}, llvm::errs())));
    ASSERT_TRUE(mlir::succeeded(manager.run(*module)));
  }
  void compare() {
    std::string path = goldenPath(std::string("model/") + GetParam() + ".adam_isqrt.safetensors");
    if (path.empty())
      GTEST_SKIP() << "the golden file is not on this machine";
    Result<GoldenFile> updates = golden::readGoldenFile(path);
    ASSERT_TRUE(updates.ok());
    torch::NoGradGuard noGradient;
    // A position table in f32, and Adam's betas in f32: measured 2e-7.
    trainTenUpdates(*reference, *updates, {source, previous, target}, 2e-6);
  }
};

TEST_P(TrainedModel, differentiated_module_follows_the_published_losses) {
  lower({Phase::Differentiate});
  compare();
}

TEST_P(TrainedModel, optimized_module_follows_the_published_losses) {
  lower({Phase::Differentiate, Phase::Optimize});
  compare();
}

TEST_P(TrainedModel, accumulated_gradients_give_the_same_update) {
  lower({Phase::Differentiate, Phase::Optimize});
  torch::NoGradGuard noGradient;
  Tensor rng = torch::zeros({2}, torch::kInt64), hyper = torch::tensor({1e-3, 1e-4, 0.1, 0.0}, torch::kFloat64);
  auto start = reference->parameters;
  reference->run("train_step", {source, previous, target, rng, hyper});
  auto expected = reference->parameters;
  reference->parameters = start;
  for (auto *slab : {&reference->gradients, &reference->firstMoments, &reference->secondMoments})
    slab->clear();
  Tensor count = torch::zeros({}, torch::kFloat64);
  for (int64_t row = 0; row < source.size(0); ++row) {
    auto part = [&](const Tensor &x) { return x.narrow(0, row, 1).contiguous(); };
    count = count + reference->run("accumulate_gradients", {part(source), part(previous), part(target), rng})[2];
  }
  reference->run("apply_gradients", {count, hyper});
  for (auto &[name, value] : expected) {
    EXPECT_LT((value - reference->parameters[name]).abs().max().item<double>(),
              name.ends_with("k_proj.bias") ? 1e-3 : 1e-7)
        << name;
    if (reference->gradients.contains(name)) {
      EXPECT_EQ(reference->gradients[name].abs().max().item<double>(), 0) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Published, TrainedModel,
                         testing::Values("light_post_glu", "light_pre_noglu_shareall", "dynamic_post_noglu_sharedec",
                                         "dynamic_pre_glu_shareall", "transformer_post", "transformer_pre_shareall"));

INSTANTIATE_TEST_SUITE_P(Published, GoldenModel,
                         testing::Values("light_post_glu", "light_pre_noglu_shareall", "dynamic_post_noglu_sharedec",
                                         "dynamic_pre_glu_shareall", "dynamic_longkernel_canonical", "transformer_post",
                                         "transformer_pre_shareall"));
