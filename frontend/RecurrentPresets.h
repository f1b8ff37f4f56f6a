// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_RECURRENTPRESETS_H
#define BIFOCAL_FRONTEND_RECURRENTPRESETS_H

#include <string_view>
#include <utility>

namespace bifocal {

/// Names and texts of the presets of models with a memory.
inline constexpr std::pair<std::string_view, std::string_view> recurrentPresets[] = {
    // kimiyoung/transformer-xl, run_enwik8_base.sh; evaluated as there.
    {"transformer_xl_enwik8", R"([model]
kind = "language_model"
dim = 512
norm = "post"
share_embeddings = "decoder_in_out"
vocabulary = 260
max_positions = 2612
dropout = 0.1

[decoder]
layers = 12
mixer = "relative_attention"
heads = 8
ffn_dim = 2048
memory = 512
evaluation = { memory = 2100, clamp_length = 820, same_length = true }

[training]
optimizer = { name = "adam", betas = [0.9, 0.999] }
schedule = { name = "cosine", lr = 2.5e-4, period_updates = 400000 }
tokens_per_sample = 512
max_sentences = 22
max_tokens = 11264
clip_norm = 0.25
max_update = 400000
)"},
    // run_wt103_base.sh
    {"transformer_xl_wt103", R"([model]
kind = "language_model"
dim = 410
norm = "post"
vocabulary = 267735
max_positions = 790
dropout = 0.1
adaptive_input = { cutoffs = [20000, 40000, 200000], factor = 1 }
adaptive_softmax = { cutoffs = [20000, 40000, 200000], factor = 1, tie_weights = true, compat = true }

[decoder]
layers = 16
mixer = "relative_attention"
heads = 10
ffn_dim = 2100
memory = 150
evaluation = { memory = 640, clamp_length = 400, same_length = true }

[training]
optimizer = { name = "adam", betas = [0.9, 0.999] }
schedule = { name = "cosine", lr = 2.5e-4, period_updates = 200000 }
tokens_per_sample = 150
max_sentences = 60
max_tokens = 9000
clip_norm = 0.25
max_update = 200000
)"},
    // facebookresearch/adaptive-span, experiments/enwik8.sh
    {"adaptive_span_enwik8", R"([model]
kind = "language_model"
dim = 512
norm = "post"
vocabulary = 260
max_positions = 8192
dropout = 0.0
attention_dropout = 0.3
relu_dropout = 0.3

[decoder]
layers = 12
mixer = "span_attention"
heads = 8
ffn_dim = 2048
attention_span = 8192
span_ramp = 32
span_init = 0.0
span_loss = 5e-7

[training]
optimizer = { name = "adagrad", clip = 0.03, epsilon = 1e-10 }
schedule = { name = "constant", lr = 0.07, warmup_updates = 32000 }
tokens_per_sample = 512
max_sentences = 64
max_tokens = 32768
max_update = 600000
)"},
    // experiments/enwik8_small.sh: 6.5M parameters
    {"adaptive_span_enwik8_256", R"([model]
kind = "language_model"
dim = 256
norm = "post"
vocabulary = 260
max_positions = 4096
dropout = 0.0

[decoder]
layers = 8
mixer = "span_attention"
heads = 4
ffn_dim = 1024
attention_span = 1024
span_ramp = 32
span_init = 0.0
span_loss = 2e-6

[training]
optimizer = { name = "adagrad", clip = 0.03, epsilon = 1e-10 }
schedule = { name = "constant", lr = 0.07, warmup_updates = 8000 }
tokens_per_sample = 256
max_sentences = 64
max_tokens = 16384
max_update = 150000
)"},
    // Bytes, and little text: for minutes on a CPU.
    {"transformer_xl_enwik8_small", R"([model]
kind = "language_model"
dim = 256
norm = "pre"
share_embeddings = "decoder_in_out"
vocabulary = 260
max_positions = 4096
dropout = 0.0

[decoder]
layers = 6
mixer = "relative_attention"
heads = 4
ffn_dim = 1024
memory = 256
evaluation = { memory = 512, clamp_length = 512 }

[training]
optimizer = { name = "adam", betas = [0.9, 0.98], weight_decay = 0.01 }
schedule = { name = "inverse_sqrt", lr = 1e-3, warmup_updates = 200, warmup_init_lr = 1e-7 }
tokens_per_sample = 256
max_tokens = 2048
clip_norm = 1.0
max_update = 20000
recompute = "attention"
)"},
    {"adaptive_span_enwik8_small", R"([model]
kind = "language_model"
dim = 256
norm = "post"
vocabulary = 260
max_positions = 4096
dropout = 0.0

[decoder]
layers = 6
mixer = "span_attention"
heads = 4
ffn_dim = 1024
attention_span = 1024
span_ramp = 32
span_init = 0.0
span_loss = 2e-6

[training]
optimizer = { name = "adam", betas = [0.9, 0.98] }
schedule = { name = "inverse_sqrt", lr = 1e-3, warmup_updates = 200, warmup_init_lr = 1e-7 }
tokens_per_sample = 256
max_tokens = 2048
clip_norm = 1.0
max_update = 20000
recompute = "attention"
)"}};

} // namespace bifocal
#endif
