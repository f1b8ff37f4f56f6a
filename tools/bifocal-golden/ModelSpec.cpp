// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/ModelSpec.h"

#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

static std::string stackText(const std::string &side, const json &args, const std::string &kind) {
  auto integer = [&](const char *key) { return args.value(side + key, int64_t(0)); };
  std::string text = fmt::format("[{}]\nlayers = {}\nheads = {}\nffn_dim = {}\n", side, integer("_layers"),
                                 integer("_attention_heads"), integer("_ffn_embed_dim"));
  if (kind == "transformer")
    return text + "mixer = \"attention\"\n";
  return text + fmt::format("mixer = \"{}\"\nkernel_sizes = {}\nconv_dim = {}\nglu = {}\nweight_softmax = {}\n",
                            kind == "light" ? "light_conv" : "dynamic_conv", args[side + "_kernel_size_list"].dump(),
                            integer("_conv_dim"), args.value(side + "_glu", true), args.value("weight_softmax", true));
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
