// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/RotaryPresets.h"

#include <fmt/format.h>

using namespace bifocal;

namespace {
/// A differential layer has half as many heads as the plain one beside it, each of two maps (Ye et al. 2024, section
/// 2.1), so that both have the same products.
struct RotaryShape {
  std::string_view name, mixer;
  int dim, layers, heads, ffnDim, vocabulary, maxPositions;
  std::string_view training;
};
} // namespace

// The recipe of the published scaling runs: 40,000 updates of 250,000 tokens, linear decay.
static constexpr std::string_view scalingTraining = R"(
[training]
optimizer = { name = "adam", betas = [0.9, 0.98], weight_decay = 0.05 }
schedule = { name = "polynomial", lr = 1.5e-3, warmup_updates = 375, end_lr = 0.0, total_updates = 40000 }
tokens_per_sample = 512
max_tokens = 16384
update_freq = 15
clip_norm = 1.0
max_update = 40000
)";
// That of the 3B model: 250,000 updates of 4M tokens.
static constexpr std::string_view largeTraining = R"(
[training]
optimizer = { name = "adam", betas = [0.9, 0.95], weight_decay = 0.1 }
schedule = { name = "polynomial", lr = 3.2e-4, warmup_updates = 1000, end_lr = 1.28e-5, total_updates = 250000 }
tokens_per_sample = 4096
max_tokens = 4096
update_freq = 1024
max_update = 250000
precision = "bf16"
)";
/// Bytes, and little text: for minutes on a CPU.
static constexpr std::string_view byteTraining = R"(
[training]
optimizer = { name = "adam", betas = [0.9, 0.98], weight_decay = 0.01 }
schedule = { name = "inverse_sqrt", lr = 1e-3, warmup_updates = 200, warmup_init_lr = 1e-7 }
tokens_per_sample = 256
max_tokens = 2048
clip_norm = 1.0
max_update = 20000
)";

static constexpr RotaryShape shapes[] = {
    {"diff_lm_small", "diff_attention", 512, 8, 8, 1792, 8000, 1024, scalingTraining},
    {"rotary_lm_small", "attention", 512, 8, 16, 1792, 8000, 1024, scalingTraining},
    {"diff_lm_3b", "diff_attention", 3072, 28, 12, 8192, 100288, 4096, largeTraining},
    {"rotary_lm_3b", "attention", 3072, 28, 24, 8192, 100288, 4096, largeTraining},
    {"diff_lm_enwik8_small", "diff_attention", 256, 6, 2, 688, 260, 1024, byteTraining},
    {"rotary_lm_enwik8_small", "attention", 256, 6, 4, 688, 260, 1024, byteTraining}};

std::vector<std::string> bifocal::rotaryPresetNames() {
  std::vector<std::string> names;
  for (const RotaryShape &shape : shapes)
    names.emplace_back(shape.name);
  return names;
}

std::string bifocal::rotaryPresetText(std::string_view name) {
  for (const RotaryShape &shape : shapes) {
    if (shape.name != name)
      continue;
    std::string text = fmt::format(
        "[model]\nkind = \"language_model\"\ndim = {}\nnorm = \"pre\"\nnorm_kind = \"rms_norm\"\nfinal_norm = true\n"
        "bias = false\nshare_embeddings = \"decoder_in_out\"\nscale_embeddings = false\npositions = \"rotary\"\n"
        "rotary_base = 10000.0\nvocabulary = {}\nmax_positions = {}\ndropout = 0.0\n"
        "\n[decoder]\nlayers = {}\nmixer = \"{}\"\nheads = {}\nffn_dim = {}\nffn_activation = \"swiglu\"\n",
        shape.dim, shape.vocabulary, shape.maxPositions, shape.layers, shape.mixer, shape.heads, shape.ffnDim);
    text += shape.training;
    // The outputs of plain attention are a tenth of what backward keeps; differential attention does without them.
    return shape.mixer == "attention" ? text + "recompute = \"attention\"\n" : text;
  }
  return {};
}
