// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Language models, compiled and run: a step at a time gives what one pass gives, and what a row begins with counts
// whether it is scored or not.

#include "codegen/Compiler.h"
#include "dialect/bifocal/BifocalOps.h"
#include "frontend/Import.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/bifocal-golden/CompiledModule.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace bifocal;
using golden::CompiledModule;
using golden::HostTensor;

namespace {
struct Variant {
  std::string name, mixer, norm, stack;
};

void PrintTo(const Variant &variant, std::ostream *out) { *out << variant.name; }

constexpr int64_t vocabulary = 23, rows = 3, steps = 11, longest = 16;

class LanguageModel : public testing::TestWithParam<Variant> {
protected:
  /// The model with `forward` returning logarithms of probabilities, as `decode_step` does.
  void SetUp() override {
    const Variant &variant = GetParam();
    const std::string text =
        fmt::format("[model]\nkind = \"language_model\"\ndim = 32\nvocabulary = {}\nmax_positions = {}\n{}"
                    "[decoder]\nlayers = 2\nheads = 4\nffn_dim = 48\n"
                    "mixer = \"{}\"\n{}[training]\ntokens_per_sample = {}\n",
                    vocabulary, longest, variant.norm, variant.mixer, variant.stack, longest);
    Result<Spec> spec = parseSpec(text, "m.toml");
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    mlir::MLIRContext context;
    prepareContext(context);
    mlir::OwningOpRef<mlir::ModuleOp> module = importSpec(*spec, context);
    auto function = module->lookupSymbol<mlir::func::FuncOp>("forward");
    mlir::Operation *terminator = function.front().getTerminator();
    mlir::OpBuilder builder(terminator);
    mlir::Value logits = terminator->getOperand(0);
    if (!logits.getDefiningOp<JoinClustersOp>())
      terminator->setOperand(0, builder.create<LogSoftmaxOp>(function.getLoc(), logits.getType(), logits));
    auto compiled = CompiledModule::ofText(printModule(*module));
    ASSERT_TRUE(compiled.ok()) << compiled.status().message();
    model = compiled.take();
    model->session().initialize(5);
    for (int64_t i = 0; i < rows * steps; ++i)
      tokens.push_back(i % steps == 0 ? 2 : 4 + (i * i * 7 + i) % (vocabulary - 4));
    HostTensor previous = HostTensor::ofInts({rows, steps}, tokens);
    scores = HostTensor::zeros({rows, steps, vocabulary});
    ASSERT_EQ(model->run("forward", {{"previous", &previous}, {"logits", &scores}}).message(), "");
  }

  float score(int64_t row, int64_t step, int64_t token) const {
    return scores.floats()[static_cast<size_t>((row * steps + step) * vocabulary + token)];
  }

  std::unique_ptr<CompiledModule> model;
  std::vector<int64_t> tokens;
  HostTensor scores; ///< of one pass
};
} // namespace

// Bit by bit, but for attention: a step sums over its past in another order than the tiles of a pass do.
TEST_P(LanguageModel, steps_equal_one_pass) {
  const double bound = GetParam().mixer.ends_with("attention") ? 1e-5 : 0;
  ASSERT_EQ(model->session().sizeStates({{"R", rows}, {"P", steps}}).message(), "");
  std::vector<int64_t> ancestors(rows * steps);
  for (int64_t row = 0; row < rows; ++row)
    std::fill_n(ancestors.begin() + row * steps, steps, row);
  HostTensor history = HostTensor::ofInts({rows, steps}, ancestors);
  for (int64_t step = 0; step < steps; ++step) {
    std::vector<int64_t> column, number{step}, places(rows, 2 + step);
    for (int64_t row = 0; row < rows; ++row)
      column.push_back(tokens[static_cast<size_t>(row * steps + step)]);
    HostTensor token = HostTensor::ofInts({rows}, column), position = HostTensor::ofInts({rows}, places);
    HostTensor at = HostTensor::ofInts({}, number), found = HostTensor::zeros({rows, vocabulary});
    ASSERT_EQ(model
                  ->run("decode_step", {{"tokens", &token},
                                        {"positions", &position},
                                        {"ancestors", &history},
                                        {"step", &at},
                                        {"log_probabilities", &found}})
                  .message(),
              "");
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t word = 0; word < vocabulary; ++word)
        ASSERT_NEAR(found.floats()[static_cast<size_t>(row * vocabulary + word)], score(row, step, word), bound)
            << "row " << row << " step " << step << " word " << word;
  }
}

// The first steps of a row are read but not scored: the others must see them as they are.
TEST_P(LanguageModel, context_is_read_and_not_scored) {
  constexpr int64_t context = 5;
  std::vector<int64_t> target(rows * steps, 1);
  double expected = 0;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t step = context; step < steps - row; ++step) {
      const int64_t word = 4 + (row + 3 * step) % (vocabulary - 4);
      target[static_cast<size_t>(row * steps + step)] = word;
      expected -= score(row, step, word);
    }
  HostTensor previous = HostTensor::ofInts({rows, steps}, tokens), wanted = HostTensor::ofInts({rows, steps}, target);
  HostTensor loss = HostTensor::zeros({}), nll = loss, count = loss;
  ASSERT_EQ(model
                ->run("evaluate",
                      {{"previous", &previous}, {"target", &wanted}, {"loss", &loss}, {"nll", &nll}, {"count", &count}})
                .message(),
            "");
  EXPECT_EQ(count.floats()[0], rows * (steps - context) - 3);
  // Sums of some 20 terms in f32.
  EXPECT_NEAR(nll.floats()[0], expected, 1e-5 * expected);
  EXPECT_EQ(loss.floats()[0], nll.floats()[0]) << "labels are not smoothed";
}

static const std::string rotary = "norm = \"pre\"\nnorm_kind = \"rms_norm\"\npositions = \"rotary\"\nbias = false\n"
                                  "scale_embeddings = false\nshare_embeddings = \"decoder_in_out\"\n";

static std::string nameOf(const testing::TestParamInfo<Variant> &info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Variants, LanguageModel,
    testing::Values(
        Variant{"light", "light_conv", "norm = \"pre\"\nfinal_norm = false\n", "kernel_sizes = [3, 15]\n"},
        Variant{"dynamic", "dynamic_conv", "norm = \"pre\"\n", "kernel_sizes = [4, 7]\nglu = false\n"},
        Variant{"attention", "attention", "norm = \"pre\"\nshare_embeddings = \"decoder_in_out\"\n", ""},
        Variant{"adaptive", "dynamic_conv", "adaptive_softmax = { cutoffs = [9, 14], factor = 2 }\n",
                "kernel_sizes = [4, 7]\n"},
        Variant{"tied", "attention",
                "norm = \"pre\"\nadaptive_input = { cutoffs = [9], factor = 4 }\n"
                "adaptive_softmax = { cutoffs = [9], factor = 4, tie_weights = true, tie_projections = true }\n",
                ""},
        Variant{"learned_post", "attention", "positions = \"learned\"\n", ""},
        Variant{"rotary_grouped", "attention", rotary, "kv_heads = 2\nhead_dim = 12\nffn_activation = \"swiglu\"\n"},
        Variant{"rotary_capped", "attention", rotary + "attention_soft_cap = 0.5\n", "kv_heads = 2\n"},
        Variant{"diff_v1_capped", "diff_attention", rotary + "attention_soft_cap = 0.5\n", ""},
        Variant{"diff_v1", "diff_attention", rotary, "ffn_activation = \"swiglu\"\n"},
        Variant{"diff_v1_grouped", "diff_attention", rotary, "kv_heads = 2\nffn_activation = \"swiglu\"\n"},
        Variant{"diff_v2_grouped", "diff_attention", rotary,
                "kv_heads = 2\nhead_dim = 6\ndiff_variant = \"v2\"\nffn_activation = \"swiglu\"\n"},
        Variant{"diff_learned_post", "diff_attention", "positions = \"learned\"\n", "kv_heads = 1\n"}),
    nameOf);
