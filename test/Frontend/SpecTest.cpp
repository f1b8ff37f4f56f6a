// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Spec.h"
#include "frontend/Parameters.h"
#include "frontend/Presets.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>

using namespace bifocal;

static std::string errorsOf(std::string_view text) {
  Result<Spec> spec = parseSpec(text, "m.toml");
  return spec.ok() ? "" : spec.status().message();
}

static int64_t trained(std::string_view text) {
  Result<Spec> spec = parseSpec(text, "m.toml");
  if (!spec.ok()) {
    ADD_FAILURE() << spec.status().message();
    return 0;
  }
  return countTrained(listParameters(*spec));
}

/// The published counts are given in units of 10,000 parameters.
static std::string millions(int64_t count) { return fmt::format("{:.2f}M", static_cast<double>(count) / 1e6); }

TEST(Spec, presets_have_the_published_sizes) {
  EXPECT_EQ(millions(trained("preset = \"lightconv_wmt_en_de_big\"")), "208.87M");
  EXPECT_EQ(millions(trained("preset = \"dynamicconv_wmt_en_de_big\"")), "213.24M");
  EXPECT_EQ(millions(trained("preset = \"lightconv_wmt_en_de\"")), "60.66M");
  EXPECT_EQ(millions(trained("preset = \"dynamicconv_wmt_en_de\"")), "61.75M");
  EXPECT_EQ(millions(trained("preset = \"lightconv_iwslt_de_en\"")), "38.14M");
  EXPECT_EQ(millions(trained("preset = \"dynamicconv_iwslt_de_en\"")), "38.69M");
}

TEST(Spec, lite_transformers_have_the_published_sizes) {
  // Parameters of the published code, tables of words included.
  for (const auto &[preset, count] : {std::pair<std::string_view, int64_t>{"iwslt_de_en_160", 5251504},
                                      {"iwslt_de_en_240", 9143984},
                                      {"iwslt_de_en_320", 13881264},
                                      {"wmt_en_de_200", 9438000},
                                      {"wmt_en_de_408", 25109136},
                                      {"wmt_en_de_496", 33536544},
                                      {"wmt_en_fr_200", 11786800},
                                      {"wmt_en_fr_408", 29900688},
                                      {"wmt_en_fr_496", 39361568}})
    EXPECT_EQ(trained(fmt::format("preset = \"lite_transformer_{}\"", preset)), count) << preset;
}

TEST(Spec, models_with_a_memory_have_the_published_sizes) {
  // 41M, 151M and 38.5M (at 208 words) are published; bytes are a few words more.
  EXPECT_EQ(trained("preset = \"transformer_xl_enwik8\""), 41084164);
  EXPECT_EQ(trained("preset = \"transformer_xl_wt103\""), 151107538);
  EXPECT_EQ(trained("preset = \"adaptive_span_enwik8\"\n[model]\nvocabulary = 208\n"), 38541616);
  EXPECT_EQ(trained("preset = \"adaptive_span_enwik8_256\""), 6508836);
  EXPECT_EQ(trained("preset = \"transformer_xl_enwik8_small\""), 5192964);
  EXPECT_EQ(trained("preset = \"adaptive_span_enwik8_small\""), 4931356);
}

TEST(Spec, memories_are_those_of_training_unless_evaluation_has_its_own) {
  const std::string text = "[model]\nkind = \"language_model\"\ndim = 8\nvocabulary = 30\n[decoder]\nlayers = 1\n"
                           "heads = 2\nmixer = \"relative_attention\"\nmemory = 5\nclamp_length = 4\n";
  for (const char *own : {"", "evaluation = { memory = 7, same_length = true }\n"}) {
    Result<Spec> spec = parseSpec(text + own, "m.toml");
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    const RecurrentSpec &recurrent = spec->decoder.recurrent;
    EXPECT_EQ(recurrent.training, (MemorySpec{5, 4, false}));
    EXPECT_EQ(recurrent.evaluation, (*own ? MemorySpec{7, 4, true} : recurrent.training));
    Result<Spec> again = parseSpec(printSpec(*spec), "m.toml");
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(printSpec(*again), printSpec(*spec));
    EXPECT_EQ(again->decoder.recurrent, recurrent);
  }
}

// What a preset of other models says is no error; what the user says is (test/Tools/bad-input).
TEST(Spec, models_with_a_memory_overrule_presets_of_others) {
  constexpr std::string_view xl = "[decoder]\nmixer = \"relative_attention\"\n[training]\ntokens_per_sample = 512\n";
  constexpr std::string_view span = "[model]\nnorm = \"post\"\nshare_embeddings = \"none\"\n"
                                    "[decoder]\nmixer = \"span_attention\"\n";
  for (const auto &[preset, text] :
       {std::pair{"rotary_lm_small", xl}, {"rotary_lm_small", span}, {"lite_transformer_lm", xl}}) {
    Result<Spec> spec = parseSpec(fmt::format("preset = \"{}\"\n{}", preset, text), "m.toml");
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    EXPECT_EQ(spec->model.normKind, NormKind::layer);
    EXPECT_EQ(spec->model.positions, PositionKind::sinusoidal);
    EXPECT_EQ(spec->model.scaleEmbeddings, text == xl);
    EXPECT_TRUE(spec->model.bias);
    EXPECT_FALSE(spec->model.finalNorm);
    EXPECT_EQ(spec->model.weightDropout + spec->model.adaptiveSoftmax.dropout, 0);
    EXPECT_EQ(spec->decoder.ffnActivation, FfnActivation::relu);
    Result<Spec> again = parseSpec(printSpec(*spec), "m.toml");
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(printSpec(*again), printSpec(*spec));
  }
}

TEST(Spec, models_with_a_memory_have_the_published_names) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const char *preset : {"transformer_xl_wt103", "adaptive_span_enwik8"}) {
    Result<Spec> spec = parseSpec(fmt::format("preset = \"{}\"", preset), "m.toml");
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    for (const ParameterSpec &parameter : listParameters(*spec)) {
      shapes[parameter.name] = parameter.shape;
      for (const std::string &alias : parameter.aliases)
        shapes[alias] = parameter.shape;
    }
  }
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(shapes["word_emb.emb_layers.0.weight"], (Shape{267735, 410}));
  EXPECT_EQ(shapes["crit.out_layers.0.weight"], (Shape{267735, 410}));
  EXPECT_EQ(shapes["crit.out_layers.0.bias"], (Shape{267735}));
  EXPECT_EQ(shapes["crit.cluster_weight"], (Shape{3, 410}));
  EXPECT_EQ(shapes["layers.15.dec_attn.qkv_net.weight"], (Shape{1230, 410}));
  EXPECT_EQ(shapes["layers.15.pos_ff.CoreNet.3.weight"], (Shape{410, 2100}));
  EXPECT_EQ(shapes["layers.11.attn.proj_val.weight"], (Shape{512, 512}));
  EXPECT_EQ(shapes["layers.11.attn.attn.adaptive_span._mask.current_val"], (Shape{8, 1, 1}));
  EXPECT_EQ(shapes["key_pe"], (Shape{8192, 64}));
}

TEST(Spec, branches_have_their_own_sizes_and_names) {
  Result<Spec> spec = parseSpec(R"([model]
dim = 24
vocabulary = 41
[encoder]
layers = 2
heads = 4
mixer = [{ kind = "attention", dim = 8 },
         { kind = "dynamic_conv", dim = 12, heads = 3, glu = true },
         { kind = "light_conv", dim = 4, heads = 2, kernel_size = 9 }]
kernel_sizes = [3, 5]
mask_before_linear = true
[decoder]
layers = 1
heads = 4
mixer = [{ kind = "attention", dim = 8 }, { kind = "light_conv", dim = 16, kernel_size = 7 }]
)",
                                "m.toml");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const ParameterSpec &parameter : listParameters(*spec))
    shapes[parameter.name] = parameter.shape;
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(shapes["encoder.layers.1.self_attn.branches.0.q_proj.weight"], (Shape{8, 8}));
  EXPECT_EQ(shapes["encoder.layers.1.self_attn.branches.1.linear1.weight"], (Shape{24, 12}));
  EXPECT_EQ(shapes["encoder.layers.1.self_attn.branches.1.weight_linear.weight"], (Shape{15, 12}));
  EXPECT_EQ(shapes["encoder.layers.1.self_attn.branches.2.weight"], (Shape{2, 1, 9}));
  EXPECT_EQ(shapes["encoder.layers.0.self_attn_layer_norm.weight"], (Shape{24}));
  EXPECT_EQ(shapes["encoder.layers.0.final_layer_norm.weight"], (Shape{24}));
  EXPECT_EQ(shapes["decoder.layers.0.self_attn.branches.1.weight"], (Shape{4, 1, 7}));
  EXPECT_EQ(shapes["decoder.layers.0.encoder_attn.q_proj.weight"], (Shape{24, 24}));
  EXPECT_EQ(shapes["decoder.embed_out"], (Shape{41, 24}));
  const std::string printed = printSpec(*spec);
  Result<Spec> again = parseSpec(printed, "m.toml");
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(printSpec(*again), printed);
  EXPECT_TRUE(again->encoder.maskBeforeLinear);
  EXPECT_TRUE(spec->decoder.kernelSizes.empty());
}

TEST(Spec, feed_forward_layers_may_start_from_their_inputs_alone) {
  Result<Spec> spec = parseSpec("preset = \"lite_transformer_iwslt_de_en_160\"", "m.toml");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  for (const ParameterSpec &parameter : listParameters(*spec))
    if (parameter.name.ends_with("fc1.weight")) {
      EXPECT_EQ(parameter.init.kind, "uniform");
      EXPECT_DOUBLE_EQ(parameter.init.value, std::sqrt(2.0 / 160));
    }
}

TEST(Spec, gates_off_give_the_published_sizes) {
  constexpr std::string_view noGlu = "[encoder]\nglu = false\n[decoder]\nglu = false\n";
  EXPECT_EQ(millions(trained(fmt::format("preset = \"lightconv_wmt_en_de_big\"\n{}", noGlu))), "195.22M");
  EXPECT_EQ(millions(trained(fmt::format("preset = \"dynamicconv_wmt_en_de_big\"\n{}", noGlu))), "199.59M");
  EXPECT_EQ(millions(trained(fmt::format("preset = \"lightconv_wmt_en_de\"\n{}", noGlu))), "57.24M");
  EXPECT_EQ(millions(trained(fmt::format("preset = \"dynamicconv_wmt_en_de\"\n{}", noGlu))), "58.33M");
}

TEST(Spec, larger_vocabulary_gives_the_published_size) {
  EXPECT_EQ(millions(trained("preset = \"lightconv_wmt_en_de_big\"\n[model]\nvocabulary = 44512\n")), "220.89M");
}

// A layer has linear1 with its gate, linear2, fc1 and fc2 with biases, heads x kernel taps, and two norms; the table is
// tied; no norm ends the published convolutional models.
TEST(Spec, language_models_have_the_parameters_of_their_layers) {
  constexpr int64_t dim = 512, ffn = 2048, heads = 8, taps = 3 + 7 + 15 + 31 + 31 + 31, norm = 2 * dim;
  constexpr int64_t feedForward = 2 * dim * ffn + dim + ffn, square = dim * dim + dim;
  constexpr int64_t light = 6 * (2 * square + square + feedForward + 2 * norm) + heads * taps;
  EXPECT_EQ(trained("preset = \"lightconv_lm\""), light + 32768 * dim);
  EXPECT_EQ(trained("preset = \"lightconv_lm\"\n[model]\nfinal_norm = true\n"), light + 32768 * dim + norm);
  EXPECT_EQ(trained("preset = \"transformer_lm\""), 6 * (4 * square + feedForward + 2 * norm) + norm + 32768 * dim);
}

// Sizes of published and compared programs. Tables of words are tied. A plain layer has 4 E^2 + 3 E F and two norms, a
// differential one four vectors of a head and a norm over two heads as well.
TEST(Spec, rotary_language_models_have_the_parameters_of_their_layers) {
  auto layer = [](int64_t dim, int64_t ffn) { return 4 * dim * dim + 3 * dim * ffn + 2 * dim; };
  constexpr int64_t vectors = 4 * 32 + 64;
  EXPECT_EQ(trained("preset = \"diff_lm_small\""), 8000 * 512 + 8 * (layer(512, 1792) + vectors) + 512);
  EXPECT_EQ(trained("preset = \"rotary_lm_small\""), 8000 * 512 + 8 * layer(512, 1792) + 512);
  EXPECT_EQ(trained("preset = \"attention_lm_small\""),
            8000 * 512 + 8 * (4 * (512 * 512 + 512) + 2 * 512 * 2048 + 512 + 2048 + 4 * 512) + 2 * 512);
  // 12 L E^2 + V E of the paper's table of sizes, and a twenty-thousandth more for norms and lambdas.
  const int64_t published = int64_t{12} * 28 * 3072 * 3072 + int64_t{100288} * 3072;
  EXPECT_EQ(trained("preset = \"diff_lm_3b\""), published + 28 * (2 * 3072 + 6 * 128) + 3072);
  EXPECT_EQ(trained("preset = \"rotary_lm_3b\""), published + 28 * (2 * 3072) + 3072);
  EXPECT_EQ(trained("preset = \"lite_transformer_lm\""), 76751360);
}

// The published modules, E = 1024: version 1 has 6 d more than 16 heads of 64 have; grouped keys and values halve two
// of the four products.
TEST(Spec, differential_attention_has_the_published_parameters) {
  constexpr std::string_view text =
      "preset = \"diff_lm_small\"\n[model]\ndim = 1024\n[decoder]\nlayers = 1\nheads = {}\n"
      "mixer = \"{}\"\n{}";
  auto attention = [&](int heads, std::string_view mixer, std::string_view more) {
    Result<Spec> spec = parseSpec(fmt::format(text, heads, mixer, more), "m.toml");
    EXPECT_TRUE(spec.ok()) << spec.status().message();
    int64_t sum = 0;
    for (const ParameterSpec &parameter : listParameters(*spec))
      if (parameter.name.find("self_attn.") != std::string::npos)
        sum += parameter.elements();
    return sum;
  };
  EXPECT_EQ(attention(8, "diff_attention", ""), 4194688);
  EXPECT_EQ(attention(16, "attention", ""), 4194304);
  EXPECT_EQ(attention(8, "diff_attention", "kv_heads = 4\n"), 3146112);
  EXPECT_EQ(attention(16, "attention", "kv_heads = 8\n"), 3145728);
  // Queries twice as wide, a number for every head, and no norm.
  EXPECT_EQ(attention(16, "diff_attention", "diff_variant = \"v2\"\n"), 5 * 1024 * 1024 + 16 * 1024);
}

TEST(Spec, lambdas_begin_by_depth) {
  Result<Spec> spec = parseSpec("preset = \"diff_lm_small\"", "m.toml");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  for (const auto &[depth, value] :
       {std::pair<int64_t, double>{0, 0.2}, {1, 0.35550907}, {2, 0.47071302}, {7, 0.72652614}}) {
    const std::vector<MixerPart> parts = mixerParts(*spec, true, depth);
    ASSERT_EQ(parts.size(), 1u);
    EXPECT_NEAR(parts[0].lambdaInit(), value, 1e-8);
    EXPECT_EQ(parts[0].headDim, 32);
  }
  for (const ParameterSpec &parameter : listParameters(*spec)) {
    if (parameter.name.find("lambda_") == std::string::npos)
      continue;
    EXPECT_EQ(parameter.init.kind, "normal");
    EXPECT_EQ(parameter.init.value, 0.1);
    EXPECT_EQ(parameter.shape, (std::vector<int64_t>{32}));
  }
}

TEST(Spec, printed_specs_read_back_to_themselves) {
  for (const std::string &name : presetNames()) {
    Result<Spec> first = parseSpec(fmt::format("preset = \"{}\"", name), "m.toml");
    ASSERT_TRUE(first.ok()) << name << first.status().message();
    std::string printed = printSpec(*first);
    Result<Spec> second = parseSpec(printed, "m.toml");
    ASSERT_TRUE(second.ok()) << name << second.status().message();
    EXPECT_EQ(printed, printSpec(*second)) << name;
    EXPECT_EQ(countTrained(listParameters(*first)), countTrained(listParameters(*second))) << name;
  }
}

TEST(Spec, problems_come_all_at_once_with_carets) {
  std::string errors = errorsOf("preset = \"lightconv_iwslt_de_en\"\n"
                                "[model]\n"
                                "dropuot = 0.3\n"
                                "dropout = 1.5\n"
                                "[encoder]\n"
                                "  kernel_sizes = [3, 0, 7]\n");
  EXPECT_EQ(errors, "m.toml:3:1: error: unknown key `dropuot` in [model]; did you mean `dropout`?\n"
                    "  dropuot = 0.3\n"
                    "  ^\n"
                    "m.toml:4:11: error: expects dropout in [0, 1), but got 1.5\n"
                    "  dropout = 1.5\n"
                    "            ^\n"
                    "m.toml:6:18: error: `kernel_sizes` expects one size per layer (7) or one for all, but got 3\n"
                    "    kernel_sizes = [3, 0, 7]\n"
                    "                   ^\n"
                    "m.toml:6:22: error: `kernel_sizes` expects elements in [1, 1048576], but got 0\n"
                    "    kernel_sizes = [3, 0, 7]\n"
                    "                       ^\n");
}

TEST(Spec, half_precision_waits_for_loss_scaling) {
  for (const char *precision : {"f32", "bf16"}) {
    Result<Spec> spec = parseSpec(
        fmt::format("preset = \"lightconv_iwslt_de_en\"\n[training]\nprecision = \"{}\"\n", precision), "m.toml");
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    EXPECT_EQ(spec->training.precision, precision);
  }
  Result<Spec> spec = parseSpec("preset = \"lightconv_iwslt_de_en\"\n[training]\nprecision = \"f16\"\n", "m.toml");
  EXPECT_EQ(spec.status().code(), StatusCode::unsupported);
  EXPECT_EQ(spec.status().message(),
            "m.toml:3:13: error: `f16` is not supported yet as `precision`, since its gradients "
            "need loss scaling: allowed are `f32`, `bf16`, `int8` or `int8_weight_only`\n"
            "  precision = \"f16\"\n"
            "              ^\n");
  EXPECT_EQ(checkPrecision("bf16").message(), "");
  EXPECT_EQ(checkPrecision("f16").code(), StatusCode::unsupported);
  EXPECT_EQ(checkPrecision("bf17").message(), "expects `f32`, `bf16`, `int8` or `int8_weight_only`, but got `bf17`");
}

TEST(Spec, another_error_beside_a_later_family_is_an_error) {
  Result<Spec> spec =
      parseSpec("preset = \"lightconv_iwslt_de_en\"\n[encoder]\nmixer = \"transformer_xl\"\nheads = 0\n", "m.toml");
  ASSERT_FALSE(spec.ok());
  EXPECT_EQ(spec.status().code(), StatusCode::diagnostics);
}

TEST(Spec, syntax_errors_have_a_place) {
  EXPECT_NE(errorsOf("[model\ndim = 3\n").find("m.toml:1:"), std::string::npos);
}

TEST(Spec, heads_divide_the_dims) {
  EXPECT_NE(
      errorsOf("preset = \"lightconv_iwslt_de_en\"\n[encoder]\nheads = 7\n")
          .find("m.toml:3:9: error: expects heads to divide conv_dim in [encoder], but got 7 heads and conv_dim 512"),
      std::string::npos);
}

TEST(Spec, one_kernel_size_serves_all_layers) {
  Result<Spec> spec =
      parseSpec("preset = \"lightconv_iwslt_de_en\"\n[encoder]\nlayers = 3\nkernel_sizes = [5]\n", "m.toml");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(spec->encoder.kernelSizes, (std::vector<int64_t>{5, 5, 5}));
}

TEST(Spec, vocabulary_is_demanded_without_a_preset) {
  EXPECT_NE(errorsOf("[encoder]\nkernel_sizes = [3]\n[decoder]\nkernel_sizes = [3]\n")
                .find("expects `source_vocabulary` (or `vocabulary`) in [model], but it is missing"),
            std::string::npos);
}

TEST(Spec, unknown_preset_names_the_nearest) {
  EXPECT_NE(errorsOf("preset = \"lightconv_iwslt_deen\"\n").find("did you mean `lightconv_iwslt_de_en`?"),
            std::string::npos);
}
