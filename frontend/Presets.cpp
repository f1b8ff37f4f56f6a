// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Presets.h"

#include "frontend/RecurrentPresets.h"
#include "frontend/RotaryPresets.h"

#include <fmt/format.h>

using namespace bifocal;

namespace {
/// What differs between the published configurations; everything else is common.
struct Shape {
  std::string_view recipe;
  int dim, ffnDim, heads;
  bool glu;
  std::string_view sharing;
  int sourceVocabulary, targetVocabulary;
  double dropout, attentionDropout, weightDropout, inputDropout;
};
} // namespace

// The recipes' dropout is the one of their training commands.
static constexpr Shape iwslt{"iwslt", 512, 1024, 4, false, "none", 8848, 6632, 0.3, 0.1, 0.1, 0.0};
static constexpr Shape wmt{"wmt", 512, 2048, 8, true, "all", 32768, 32768, 0.1, 0.0, 0.0, 0.1};
static constexpr Shape wmtBig{"wmt", 1024, 4096, 16, true, "all", 32768, 32768, 0.3, 0.1, 0.1, 0.1};

static constexpr std::string_view iwsltTraining = R"(
[training]
criterion = { name = "label_smoothed_cross_entropy", smoothing = 0.1 }
optimizer = { name = "adam", betas = [0.9, 0.98], weight_decay = 1e-4 }
schedule = { name = "inverse_sqrt", lr = 5e-4, warmup_updates = 4000, warmup_init_lr = 1e-7 }
max_tokens = 4000
max_update = 50000
)";
static constexpr std::string_view wmtTraining = R"(
[training]
criterion = { name = "label_smoothed_cross_entropy", smoothing = 0.1 }
optimizer = { name = "adam", betas = [0.9, 0.98], weight_decay = 0.0 }
schedule = { name = "cosine", lr = 1e-3, warmup_updates = 10000, warmup_init_lr = 1e-7, min_lr = 1e-7, )"
                                                R"(period_updates = 20000, shrink = 1.0 }
max_tokens = 3584
update_freq = 16
max_update = 30000
)";

namespace {
/// Lite Transformer (Wu et al. 2020): one half of the channels attends, the other one is convolved, and no layer is
/// wider than the model.
struct LiteShape {
  std::string_view recipe, convolution;
  int dim, crossHeads;
  double dropout, attentionDropout, weightDropout;
};
} // namespace

static constexpr std::string_view litePrefix = "lite_transformer_";
static constexpr std::pair<std::string_view, LiteShape> liteShapes[] = {
    {"iwslt_de_en_160", {"iwslt", "light_conv", 160, 4, 0.2, 0.0, 0.1}},
    {"iwslt_de_en_240", {"iwslt", "light_conv", 240, 4, 0.2, 0.0, 0.1}},
    {"iwslt_de_en_320", {"iwslt", "light_conv", 320, 4, 0.2, 0.0, 0.1}},
    {"wmt_en_de_200", {"wmt_en_de", "dynamic_conv", 200, 8, 0.04, 0.03, 0.03}},
    {"wmt_en_de_408", {"wmt_en_de", "dynamic_conv", 408, 8, 0.08, 0.06, 0.06}},
    {"wmt_en_de_496", {"wmt_en_de", "dynamic_conv", 496, 8, 0.1, 0.08, 0.08}},
    {"wmt_en_fr_200", {"wmt_en_fr", "dynamic_conv", 200, 8, 0.04, 0.03, 0.03}},
    {"wmt_en_fr_408", {"wmt_en_fr", "dynamic_conv", 408, 8, 0.08, 0.07, 0.07}},
    {"wmt_en_fr_496", {"wmt_en_fr", "dynamic_conv", 496, 8, 0.1, 0.08, 0.08}}};

static std::string liteTraining(std::string_view recipe) {
  if (recipe == "iwslt")
    return R"(
[training]
criterion = { name = "label_smoothed_cross_entropy", smoothing = 0.1 }
optimizer = { name = "adam", betas = [0.9, 0.98], weight_decay = 1e-4 }
schedule = { name = "inverse_sqrt", lr = 5e-4, warmup_updates = 4000, warmup_init_lr = 1e-7 }
max_tokens = 4096
max_update = 50000
)";
  const bool french = recipe == "wmt_en_fr";
  return fmt::format(R"(
[training]
criterion = {{ name = "label_smoothed_cross_entropy", smoothing = 0.1 }}
optimizer = {{ name = "adam", betas = [0.9, 0.98], weight_decay = 0.0 }}
schedule = {{ name = "cosine", lr = 1e-3, warmup_updates = {}, warmup_init_lr = 1e-7, min_lr = 1e-7, )"
                     R"(period_updates = {}, shrink = 1.0 }}
max_tokens = 4096
update_freq = 16
max_update = 50000
)",
                     french ? 5000 : 10000, french ? 45000 : 40000);
}

static std::string presetOf(const LiteShape &shape) {
  const bool iwslt = shape.recipe == "iwslt";
  const int target = iwslt ? 6632 : shape.recipe == "wmt_en_fr" ? 44512 : 32768;
  std::string text =
      fmt::format("[model]\nkind = \"translation\"\ndim = {}\nnorm = \"post\"\nshare_embeddings = \"{}\"\n"
                  "positions = \"sinusoidal\"\nffn_init = \"{}\"\nmax_positions = 1024\n"
                  "source_vocabulary = {}\ntarget_vocabulary = {}\n"
                  "dropout = {}\nattention_dropout = {}\nweight_dropout = {}\n",
                  shape.dim, iwslt ? "none" : "all", iwslt ? "fan_in" : "xavier", iwslt ? 8848 : target, target,
                  shape.dropout, shape.attentionDropout, shape.weightDropout);
  const std::string gate = iwslt ? "" : ", glu = true";
  for (std::string_view table : {"encoder", "decoder"})
    text += fmt::format("\n[{}]\nlayers = 6\nmixer = [{{ kind = \"attention\", dim = {}, heads = 4 }}, "
                        "{{ kind = \"{}\", dim = {}, heads = 4{} }}]\nkernel_sizes = [3, 7, 15, 31, 31, 31]\n"
                        "heads = {}\nffn_dim = {}\n",
                        table, shape.dim / 2, shape.convolution, shape.dim / 2, gate, shape.crossHeads, shape.dim);
  return text + liteTraining(shape.recipe);
}

/// The language model of WikiText-103, with the published training.
static constexpr std::string_view liteLanguageModel = R"([model]
kind = "language_model"
dim = 896
norm = "pre"
final_norm = false
vocabulary = 267744
max_positions = 3072
adaptive_input = { cutoffs = [20000, 60000], factor = 4 }
adaptive_softmax = { cutoffs = [20000, 60000], factor = 4, dropout = 0.2, tie_weights = true, tie_projections = true }
dropout = 0.21
attention_dropout = 0.14
weight_dropout = 0.14
relu_dropout = 0.1

[decoder]
layers = 12
mixer = [{ kind = "attention", dim = 448, heads = 4 }, { kind = "dynamic_conv", dim = 448, heads = 4, glu = true }]
kernel_sizes = [15, 15, 31, 31, 31, 31, 63, 63, 63, 63, 63, 63]
heads = 4
ffn_dim = 896

[training]
optimizer = { name = "nag", momentum = 0.99 }
schedule = { name = "cosine", lr = 1.0, warmup_updates = 16000, warmup_init_lr = 1e-7, min_lr = 1e-4, )"
                                                      R"(period_updates = 270000, period_mult = 2.0, shrink = 0.75 }
tokens_per_sample = 3072
max_tokens = 3072
update_freq = 3
clip_norm = 0.1
max_update = 286000
)";

static std::string stackText(std::string_view table, const Shape &shape, std::string_view mixer, int layers,
                             std::string_view kernelSizes) {
  std::string text = fmt::format("\n[{}]\nlayers = {}\nmixer = \"{}\"\nheads = {}\nffn_dim = {}\n", table, layers,
                                 mixer, shape.heads, shape.ffnDim);
  if (mixer != "attention")
    text += fmt::format("kernel_sizes = {}\nconv_dim = {}\nglu = {}\nweight_softmax = true\n", kernelSizes, shape.dim,
                        shape.glu);
  return text;
}

static std::string presetOf(const Shape &shape, std::string_view mixer) {
  bool attention = mixer == "attention";
  std::string text =
      fmt::format("[model]\nkind = \"translation\"\ndim = {}\nnorm = \"post\"\nshare_embeddings = \"{}\"\n"
                  "positions = \"sinusoidal\"\nmax_positions = 1024\n"
                  "source_vocabulary = {}\ntarget_vocabulary = {}\n"
                  "dropout = {}\nattention_dropout = {}\nweight_dropout = {}\ninput_dropout = {}\n",
                  shape.dim, shape.sharing, shape.sourceVocabulary, shape.targetVocabulary, shape.dropout,
                  shape.attentionDropout, attention ? 0.0 : shape.weightDropout, attention ? 0.0 : shape.inputDropout);
  text += stackText("encoder", shape, mixer, attention ? 6 : 7, "[3, 7, 15, 31, 31, 31, 31]");
  text += stackText("decoder", shape, mixer, 6, "[3, 7, 15, 31, 31, 31]");
  text += shape.recipe == "iwslt" ? iwsltTraining : wmtTraining;
  // Attention in every layer: its outputs are a tenth of what backward keeps, and take a fiftieth of a step again.
  if (attention)
    text += "recompute = \"attention\"\n";
  return text;
}

namespace {
/// The same for language models.
struct LanguageShape {
  int dim, ffnDim, heads, layers;
  std::string_view kernelSizes;
  int vocabulary, maxPositions;
  double dropout, inputDropout;
  bool finalNorm; ///< of convolutions; Transformers always have it
  std::string_view training;
};
} // namespace

// The published sizes, with the recipe of the published Transformer; there is none for the convolutions.
static constexpr LanguageShape languageModel{512, 2048, 8,     6,  "[3, 7, 15, 31, 31, 31]", 32768, 1024,
                                             0.1, 0.1,  false, R"(
[training]
optimizer = { name = "adam", betas = [0.9, 0.98], weight_decay = 0.01 }
schedule = { name = "inverse_sqrt", lr = 5e-4, warmup_updates = 4000, warmup_init_lr = 1e-7 }
tokens_per_sample = 512
max_tokens = 2048
update_freq = 16
max_update = 50000
)"};
/// Bytes, and little text: for minutes on a CPU.
static constexpr LanguageShape enwik8Small{256, 1024, 4, 6, "[3, 7, 15, 31, 63, 127]", 260, 1024, 0.0, 0.0, true, R"(
[training]
optimizer = { name = "adam", betas = [0.9, 0.98], weight_decay = 0.01 }
schedule = { name = "inverse_sqrt", lr = 1e-3, warmup_updates = 200, warmup_init_lr = 1e-7 }
tokens_per_sample = 256
max_tokens = 2048
clip_norm = 1.0
max_update = 20000
)"};

/// A Transformer as PyTorch users would train it on one GPU, beside `diff_lm_small`.
static constexpr LanguageShape smallTransformer{512, 2048, 8, 8, "", 8000, 512, 0.1, 0.0, true, R"(
[training]
optimizer = { name = "adam", betas = [0.9, 0.98], weight_decay = 1e-4 }
schedule = { name = "inverse_sqrt", lr = 5e-4, warmup_updates = 4000, warmup_init_lr = 1e-7 }
tokens_per_sample = 512
max_tokens = 16384
clip_norm = 1.0
max_update = 50000
)"};

static std::string presetOf(const LanguageShape &shape, std::string_view mixer) {
  const bool attention = mixer == "attention";
  std::string text =
      fmt::format("[model]\nkind = \"language_model\"\ndim = {}\nnorm = \"pre\"\nfinal_norm = {}\n"
                  "share_embeddings = \"decoder_in_out\"\nvocabulary = {}\nmax_positions = {}\n"
                  "dropout = {}\ninput_dropout = {}\n"
                  "\n[decoder]\nlayers = {}\nmixer = \"{}\"\nheads = {}\nffn_dim = {}\n",
                  shape.dim, attention || shape.finalNorm, shape.vocabulary, shape.maxPositions, shape.dropout,
                  attention ? 0.0 : shape.inputDropout, shape.layers, mixer, shape.heads, shape.ffnDim);
  if (!attention)
    text += fmt::format("kernel_sizes = {}\nglu = true\n", shape.kernelSizes);
  text += shape.training;
  if (attention)
    text += "recompute = \"attention\"\n";
  return text;
}

std::vector<std::string> bifocal::presetNames() {
  std::vector<std::string> names = {"lightconv_iwslt_de_en",   "lightconv_wmt_en_de",   "lightconv_wmt_en_de_big",
                                    "dynamicconv_iwslt_de_en", "dynamicconv_wmt_en_de", "dynamicconv_wmt_en_de_big",
                                    "transformer_iwslt_de_en", "transformer_wmt_en_de"};
  for (const auto &[size, shape] : liteShapes)
    names.push_back(fmt::format("{}{}", litePrefix, size));
  for (const char *name :
       {"lightconv_lm", "dynamicconv_lm", "transformer_lm", "lightconv_lm_enwik8_small", "dynamicconv_lm_enwik8_small",
        "transformer_lm_enwik8_small", "attention_lm_small", "lite_transformer_lm"})
    names.emplace_back(name);
  for (std::string &name : rotaryPresetNames())
    names.push_back(std::move(name));
  for (const auto &[name, text] : recurrentPresets)
    names.emplace_back(name);
  return names;
}

std::string bifocal::presetText(std::string_view name) {
  for (const auto &[own, text] : recurrentPresets)
    if (name == own)
      return std::string(text);
  for (const auto &[size, shape] : liteShapes)
    if (name.starts_with(litePrefix) && name.substr(litePrefix.size()) == size)
      return presetOf(shape);
  if (name == "lite_transformer_lm")
    return std::string(liteLanguageModel);
  if (name == "attention_lm_small")
    return presetOf(smallTransformer, "attention");
  if (std::string text = rotaryPresetText(name); !text.empty())
    return text;
  for (auto [prefix, mixer] : {std::pair<std::string_view, std::string_view>{"lightconv_", "light_conv"},
                               {"dynamicconv_", "dynamic_conv"},
                               {"transformer_", "attention"}}) {
    if (!name.starts_with(prefix))
      continue;
    std::string_view size = name.substr(prefix.size());
    if (size == "iwslt_de_en")
      return presetOf(iwslt, mixer);
    if (size == "wmt_en_de")
      return presetOf(wmt, mixer);
    if (size == "wmt_en_de_big" && mixer != "attention")
      return presetOf(wmtBig, mixer);
    if (size == "lm")
      return presetOf(languageModel, mixer);
    if (size == "lm_enwik8_small")
      return presetOf(enwik8Small, mixer);
  }
  return {};
}
