// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/ModelSpec.h"

#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

static std::string stackText(const std::string &side, const json &args, const std::string &kind) {
  auto integer = [&](const char *key) { return args.value(side + key, int64_t(0)); };
  std::string text = fmt::format("[{}]\nlayers = {}\nheads = {}\nffn_dim = {}\n", side, integer("_layers"),
                                 integer("_attention_heads"), integer("_ffn_embed_dim"));
  if (kind.starts_with("transformer"))
    return text + "mixer = \"attention\"\n";
  return text + fmt::format("mixer = \"{}\"\nkernel_sizes = {}\nconv_dim = {}\nglu = {}\nweight_softmax = {}\n",
                            kind.starts_with("light") ? "light_conv" : "dynamic_conv",
                            args[side + "_kernel_size_list"].dump(), integer("_conv_dim"),
                            args.value(side + "_glu", true), args.value("weight_softmax", true));
}

std::string golden::specOfModel(const GoldenFile &file, const AdamSettings &adam) {
  const json &args = file.hparams["args"];
  std::string kind = file.hparams.value("kind", "");
  const char *sharing = args.value("share_all_embeddings", false)               ? "all"
                        : args.value("share_decoder_input_output_embed", false) ? "decoder_in_out"
                                                                                : "none";
  std::string text =
      fmt::format("[model]\ndim = {}\nnorm = \"{}\"\nshare_embeddings = \"{}\"\nsource_vocabulary = {}\n"
                  "target_vocabulary = {}\ndropout = 0.0\n",
                  args.value("encoder_embed_dim", 0), args.value("encoder_normalize_before", false) ? "pre" : "post",
                  sharing, file.integer("vocab_src"), file.integer("vocab_tgt"));
  text += stackText("encoder", args, kind) + stackText("decoder", args, kind);
  text +=
      fmt::format("[training]\ncriterion = {{ name = \"label_smoothed_cross_entropy\", smoothing = {} }}\n"
                  "optimizer = {{ name = \"adam\", betas = [{}, {}], epsilon = {}, weight_decay = {} }}\n",
                  file.hparams.value("label_smoothing", 0.1), adam.beta1, adam.beta2, adam.epsilon, adam.weightDecay);
  return text;
}

/// The published arguments are text such as "12,25".
static std::string adaptiveText(const json &args) {
  std::string text;
  if (args.value("adaptive_input", false))
    text += fmt::format("adaptive_input = {{ cutoffs = [{}], factor = {} }}\n", args.value("adaptive_input_cutoff", ""),
                        args.value("adaptive_input_factor", int64_t(4)));
  if (args["adaptive_softmax_cutoff"].is_string())
    text += fmt::format("adaptive_softmax = {{ cutoffs = [{}], factor = {}, tie_weights = {}, tie_projections = {}, "
                        "compat = true }}\n",
                        args.value("adaptive_softmax_cutoff", ""), args.value("adaptive_softmax_factor", int64_t(4)),
                        args.value("tie_adaptive_weights", false), args.value("tie_adaptive_proj", false));
  return text;
}

std::string golden::specOfLanguageModel(const GoldenFile &file) {
  const json &args = file.hparams["args"];
  const std::string kind = file.hparams.value("kind", "");
  // The published convolutional language models have no norm after the last layer.
  const bool finalNorm = kind == "transformer_lm" && !args.value("no_decoder_final_norm", false);
  return fmt::format("[model]\nkind = \"language_model\"\ndim = {}\nnorm = \"pre\"\nfinal_norm = {}\n"
                     "share_embeddings = \"{}\"\nvocabulary = {}\nmax_positions = {}\ndropout = 0.0\n{}{}"
                     "[training]\ntokens_per_sample = {}\n",
                     args.value("decoder_embed_dim", 0), finalNorm,
                     args.value("share_decoder_input_output_embed", false) ? "decoder_in_out" : "none",
                     file.integer("vocab"), args.value("max_target_positions", 0), adaptiveText(args),
                     stackText("decoder", args, kind), args.value("tokens_per_sample", 0));
}

/// "attn:1:16:4", with the kernel size of the layer's list where that says "default".
static std::string branchText(const std::string &published, bool glu) {
  std::vector<std::string> parts;
  std::stringstream stream(published);
  for (std::string part; std::getline(stream, part, ':');)
    parts.push_back(part);
  const bool attends = parts[0] == "attn", dynamic = parts[0] == "dynamic";
  std::string text = fmt::format("{{ kind = \"{}\", dim = {}, heads = {}",
                                 attends   ? "attention"
                                 : dynamic ? "dynamic_conv"
                                           : "light_conv",
                                 parts[2], parts[3]);
  if (!attends && parts[1] != "default")
    text += ", kernel_size = " + parts[1];
  // The published module reads the flag only where the convolution is dynamic.
  return text + (dynamic ? fmt::format(", glu = {} }}", glu) : " }");
}

static std::string branchStackText(const std::string &side, const json &args) {
  auto integer = [&](const char *key) { return args.value(side + key, int64_t(0)); };
  std::vector<std::string> branches;
  for (const json &branch : args[side + "_branch_type"])
    branches.push_back(branchText(branch.get<std::string>(), args.value(side + "_glu", false)));
  std::string text =
      fmt::format("[{}]\nlayers = {}\nffn_dim = {}\nmixer = [{}]\nkernel_sizes = {}\n", side, integer("_layers"),
                  integer("_ffn_embed_dim"), fmt::join(branches, ", "), args[side + "_kernel_size_list"].dump());
  if (side == "encoder")
    text += "mask_before_linear = true\n";
  // Language models have none but those of their branches.
  if (const int64_t heads = integer("_attention_heads"); heads > 0)
    text += fmt::format("heads = {}\n", heads);
  return text;
}

std::string golden::specOfBranchModel(const GoldenFile &file) {
  const json &args = file.hparams["args"];
  const json training = file.hparams.value("optimizer", json::object());
  std::string text = fmt::format(
      "[model]\ndim = {}\nshare_embeddings = \"{}\"\nsource_vocabulary = {}\ntarget_vocabulary = {}\ndropout = 0.0\n",
      args.value("encoder_embed_dim", 0), args.value("share_all_embeddings", false) ? "all" : "none",
      file.integer("vocab_src"), file.integer("vocab_tgt"));
  // The published loss spreads the smoothing over all words, ours over all but the target: the same loss, with this.
  const double words = static_cast<double>(file.integer("vocab_tgt"));
  const double smoothing = training.value("label_smoothing", 0.1) * (words - 1) / words;
  text += branchStackText("encoder", args) + branchStackText("decoder", args);
  return text + fmt::format("[training]\ncriterion = {{ name = \"label_smoothed_cross_entropy\", smoothing = {} }}\n"
                            "optimizer = {{ name = \"adam\", betas = [0.9, 0.98], epsilon = {}, weight_decay = {} }}\n",
                            smoothing, training.value("adam_eps", 1e-8), training.value("weight_decay", 0.0));
}

std::string golden::specOfBranchLanguageModel(const GoldenFile &file) {
  const json &args = file.hparams["args"], &training = file.hparams["optimizer"];
  auto bandsOf = [&](const std::string &prefix) {
    return fmt::format("cutoffs = [{}], factor = {}", args.value(prefix + "_cutoff", ""),
                       args.value(prefix + "_factor", int64_t(4)));
  };
  // The published loss leaves out one word of each tail.
  return fmt::format(
      "[model]\nkind = \"language_model\"\ndim = {}\nnorm = \"pre\"\nfinal_norm = false\nvocabulary = {}\n"
      "max_positions = {}\ndropout = 0.0\nadaptive_input = {{ {} }}\n"
      "adaptive_softmax = {{ {}, tie_weights = true, tie_projections = true, compat = true }}\n{}"
      "[training]\ntokens_per_sample = {}\noptimizer = {{ name = \"nag\", momentum = {}, weight_decay = {} "
      "}}\n",
      args.value("decoder_embed_dim", 0), file.integer("vocab"), args.value("tokens_per_sample", 0),
      bandsOf("adaptive_input"), bandsOf("adaptive_softmax"), branchStackText("decoder", args),
      args.value("tokens_per_sample", 0), training.value("momentum", 0.99), training.value("weight_decay", 0.0));
}

std::string golden::specOfDiffModel(const GoldenFile &file) {
  const json &training = file.hparams["optimizer"];
  // PyTorch adds epsilon to the root of the second moment after its correction, ours before it, as fairseq does. What
  // fits the fifth update is near enough for ten.
  const double correction = std::sqrt(1 - std::pow(training["betas"][1].get<double>(), 5));
  return fmt::format(
      "[model]\nkind = \"language_model\"\ndim = {}\nvocabulary = {}\nnorm = \"pre\"\nnorm_kind = \"rms_norm\"\n"
      "positions = \"rotary\"\nrotary_base = {}\nmax_positions = {}\nscale_embeddings = false\nbias = false\n"
      "share_embeddings = \"{}\"\ndropout = 0.0\n[decoder]\nlayers = {}\nmixer = \"diff_attention\"\n"
      "diff_variant = \"{}\"\nheads = {}\nkv_heads = {}\nhead_dim = {}\nffn_dim = {}\nffn_activation = \"swiglu\"\n"
      "[training]\ntokens_per_sample = {}\noptimizer = {{ name = \"adam\", betas = [{}, {}], epsilon = {}, "
      "weight_decay = {} }}\n",
      file.integer("dim"), file.integer("vocab"), file.hparams["rope"].value("base", 1e4), file.integer("T"),
      file.flag("tied") ? "decoder_in_out" : "none", file.integer("layers"), file.hparams.value("attention", ""),
      file.integer("num_heads"), file.integer("num_kv_heads"), file.integer("head_dim"), file.integer("ffn"),
      file.integer("T"), training["betas"][0].get<double>(), training["betas"][1].get<double>(),
      training.value("eps", 1e-8) * correction, training.value("weight_decay", 0.0));
}
