// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Convolutions and attention over whole sequences, the same step by step, and what an update does with gradients.

#include "test/Numerics/OpTestCase.h"

using namespace bifocal;
using test::OpCase;

/// Operands after the taps and attributes of a convolution; `padding` is an expression over k.
static OpCase light(const std::string &name, const std::string &options, const std::string &padding,
                    const std::string &sizes) {
  OpCase op{.name = "light_conv_" + name,
            .arguments = "x[B,T,h*d] taps[h,1,k]",
            .body = "y[B,T,h*d] = light_conv %x, %taps" + options,
            .results = "y",
            .gradients = "y",
            .terms = "k",
            .gradientTerms = "B*T*d+k",
            .sizes = sizes};
  if (options.find("%bias") != std::string::npos)
    op.arguments += " bias[h*d]";
  bool dropped = options.find("%rng") != std::string::npos;
  if (dropped)
    op.arguments += " rng[2]:rng";
  op.body += " {left_padding = <" + padding + "> : i64" + (dropped ? ", drop_rate = 0.25 : f32, site = 3 : i32}" : "}");
  return op;
}

static OpCase dynamic(const std::string &name, const std::string &options, const std::string &padding,
                      const std::string &sizes) {
  OpCase op{.name = "dynamic_conv_" + name,
            .arguments = "x[B,T,h*d] taps[B,T,h*k]",
            .body = "y[B,T,h*d] = dynamic_conv %x, %taps" + options,
            .results = "y",
            .gradients = "y",
            .terms = "k",
            .gradientTerms = "B*T+d+k",
            .sizes = sizes};
  if (options.find("%bias") != std::string::npos)
    op.arguments += " bias[h*d]";
  bool dropped = options.find("%rng") != std::string::npos;
  if (dropped)
    op.arguments += " rng[2]:rng";
  op.body += " {heads = <h> : i64, left_padding = <" + padding + "> : i64" +
             (dropped ? ", drop_rate = 0.25 : f32, site = 3 : i32}" : "}");
  return op;
}

std::vector<OpCase> test::convCases() {
  return {
      light("causal", " bias %bias", "k-1", "h=3 d=5 k=7"),
      light("centred", " normalized", "k/2", "h=1 d=9 k=5"),
      light("ahead", " bias %bias normalized", "0", "h=5 d=1 k=4"),
      light("dropped", " bias %bias rng %rng normalized", "k-1", "h=3 d=7 k=3"),
      light("dropped_raw", " rng %rng", "k/2", ""),
      light("single_tap", " normalized", "0", "k=1"),
      light("drawn", "", "k-1", ""),
      light("long", " normalized", "k-1", "h=2 d=37 k=31"),
      light("wide_heads", "", "k/2", "h=2 d=64 k=15"),
      dynamic("raw", " bias %bias", "k-1", "h=3 d=5 k=7"),
      dynamic("centred", " normalized", "k/2", "h=1 d=9 k=5"),
      dynamic("ahead", " bias %bias normalized", "0", "h=5 d=1 k=4"),
      dynamic("dropped", " bias %bias rng %rng normalized", "k-1", "h=3 d=7 k=3"),
      dynamic("dropped_raw", " rng %rng", "k/2", ""),
      dynamic("renormalized", " normalized renormalized", "k/2", "h=3 d=5 k=7"),
      dynamic("renormalized_causal", " bias %bias rng %rng normalized renormalized", "k-1", ""),
      dynamic("compat", " normalized compat", "k-1", "h=3 d=5 k=7"),
      dynamic("compat_dropped", " rng %rng normalized compat", "k-1", "h=2 k=6"),
      dynamic("compat_centred", " normalized compat", "k/2", "k=7"),
      dynamic("single_tap", " normalized", "0", "k=1"),
      dynamic("drawn", "", "k-1", ""),
      dynamic("long", " normalized", "k-1", "h=2 d=37 k=31"),
      dynamic("wide_heads", " normalized", "k/2", "h=2 d=64 k=15"),
  };
}

/// Attention of T queries to the keys of axis `keys`.
static OpCase attention(const std::string &name, const std::string &keys, const std::string &options,
                        const std::string &mask, const std::string &sizes) {
  std::string axes = "[B," + keys + ",h*d]";
  OpCase op{.name = "attention_" + name,
            .arguments = "q[B,T,h*d] k" + axes + " v" + axes,
            .body = "",
            .results = "y",
            .gradients = "y",
            .terms = keys + "+d",
            .gradientTerms = "T+" + keys + "+d",
            .sizes = sizes,
            .manyQueries = true};
  if (!mask.empty())
    op.arguments += " mask[B," + keys + "]:" + mask;
  bool dropped = options.find("%rng") != std::string::npos;
  if (dropped)
    op.arguments += " rng[2]:rng";
  // Away from 1 / sqrt(D), so that the scale is seen.
  op.body = "y[B,T,h*d] lse[B,h,T] = attention %q, %k, %v" + options + " {heads = <h> : i64, scale = 0.4375 : f32" +
            (dropped ? ", drop_rate = 0.2 : f32, site = 6 : i32}" : "}");
  // The normaliser of a query that sees nothing is nobody's business.
  if (mask != "i1")
    op.results += " lse";
  return op;
}

std::vector<OpCase> test::attentionCases() {
  return {
      attention("plain", "S", "", "", "h=3 d=5"),
      attention("masked", "S", " mask %mask", "i1", "h=2 d=8"),
      attention("seen", "S", " mask %mask", "real", "h=5 d=3"),
      attention("causal", "T", " causal", "", "h=1 d=7"),
      attention("causal_masked", "T", " mask %mask causal", "i1", "h=3 d=4"),
      attention("dropped", "S", " rng %rng", "", ""),
      attention("dropped_masked_causal", "T", " mask %mask rng %rng causal", "i1", "h=3 d=5"),
      attention("single_channel", "T", " mask %mask", "i1", "h=5 d=1"),
      attention("wide_heads", "S", " mask %mask", "i1", "h=2 d=64"),
      attention("drawn", "S", "", "", ""),
  };
}

static OpCase convStep(const std::string &name, const std::string &taps, const std::string &options,
                       const std::string &sizes) {
  bool light = taps == "taps[h,1,k]";
  OpCase op{.name = (light ? "light_conv_step_" : "dynamic_conv_step_") + name,
            .arguments = "x[N,h*d] " + taps + " bias[h*d] ancestors[N,P]:i32<N> step[]:step",
            .body = "",
            .results = "y",
            .terms = "k",
            .sizes = sizes,
            .states = "cache[k,R,h*d]",
            .calls = 10};
  op.body = std::string("y[N,h*d] = ") + (light ? "light" : "dynamic") +
            "_conv_step %x, %taps bias %bias cache @cache ancestors %ancestors step %step" + options +
            (light ? "" : " {heads = <h> : i64}");
  return op;
}

static OpCase update(const std::string &name, const std::string &op, const std::string &settings,
                     const std::string &store = "", const std::string &clear = "") {
  return {.name = name,
          .arguments = "dw[o,i] db[o] count[]:positive hyper[4]:hyper",
          .body = "store_gradient %dw into @w" + store + "\nstore_gradient %db into @b" + store +
                  "\nnorm[] = global_norm %count of [@w, @b]\nfactor[] = clip %norm, %count, %hyper\n" + op +
                  " %factor, %hyper of [@w, @b]" + clear + " {" + settings + ", weight_decay = 1.0e-2 : f32}",
          .results = "norm factor",
          .terms = "o*i+o",
          .params = "w[o,i] b[o]",
          .calls = 4};
}

static std::vector<OpCase> updateCases() {
  const std::string adam = "beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32";
  const std::string adagrad = "epsilon = 1.0e-10 : f32, clip = ", momentum = "momentum = 0.9 : f32";
  // Narrower than the first values of most elements.
  const std::string bounds = ", bounds = array<f32: -0.25, 0.5>";
  return {
      update("adam", "adam", adam),
      update("adam_clears", "adam", adam, " accumulate", " clear_gradients"),
      update("adagrad", "adagrad", adagrad + "0.0 : f32"),
      update("adagrad_clips", "adagrad", adagrad + "1.0e-3 : f32"),
      update("adagrad_clears", "adagrad", adagrad + "1.0e-3 : f32", " accumulate", " clear_gradients"),
      update("nag", "nag", momentum),
      update("nag_clears", "nag", momentum, " accumulate", " clear_gradients"),
      update("sgd", "sgd", momentum),
      update("sgd_clears", "sgd", momentum, " accumulate", " clear_gradients"),
      update("adam_bounded", "adam", adam + bounds),
      update("adagrad_bounded", "adagrad", adagrad + "1.0e-3 : f32" + bounds),
      update("nag_bounded", "nag", momentum + bounds),
      update("sgd_bounded", "sgd", momentum + bounds),
  };
}

std::vector<OpCase> test::stepCases() {
  std::string row = "k[N,h*d] v[N,h*d] ";
  std::vector<OpCase> cases = {
      convStep("normalized", "taps[h,1,k]", " normalized", "h=3 d=5 k=7"),
      convStep("raw", "taps[h,1,k]", "", ""),
      convStep("normalized", "taps[N,h*k]", " normalized", "h=3 d=5 k=7"),
      convStep("raw", "taps[N,h*k]", "", ""),
      convStep("renormalized", "taps[N,h*k]", " normalized renormalized", "h=3 d=3 k=4"),
      convStep("compat", "taps[N,h*k]", " normalized compat", "h=1 d=17 k=5"),
      {.name = "attention_step",
       .arguments = "q[N,h*d] " + row + "ancestors[N,P]:i32<N> step[]:step",
       .body = "y[N,h*d] = attention_step %q, %k, %v caches @keys, @values ancestors %ancestors step %step "
               "{heads = <h> : i64, scale = 0.375 : f32}",
       .results = "y",
       .terms = "P+d",
       .sizes = "h=3 d=5",
       .states = "keys[P,R,h*d] values[P,R,h*d]",
       .calls = 10},
      {.name = "attention_step_shared",
       .arguments = "q[N,g*r*d] k[N,g*d] v[N,g*e] ancestors[N,P]:i32<N> step[]:step",
       .body = "y[N,g*r*e] = attention_step %q, %k, %v caches @keys, @values ancestors %ancestors step %step "
               "{heads = <g*r> : i64, kv_heads = <g> : i64, scale = 0.375 : f32}",
       .results = "y",
       .terms = "P+d",
       .sizes = "g=2 r=3 d=5 e=9",
       .states = "keys[P,R,g*d] values[P,R,g*e]",
       .calls = 10},
      {.name = "diff_attention_step",
       .arguments = "q[N,g*r*d*2] k[N,g*d*2] v[N,g*e] lambda[] ancestors[N,P]:i32<N> step[]:step",
       .body = "y[N,g*r*e] = diff_attention_step %q, %k, %v lambda %lambda caches @keys, @values ancestors %ancestors "
               "step %step {heads = <g*r> : i64, kv_heads = <g> : i64, scale = 0.375 : f32}",
       .results = "y",
       .terms = "P+d",
       .sizes = "g=2 r=2 d=5 e=70",
       .states = "keys[P,R,g*d*2] values[P,R,g*e]",
       .calls = 10},
      {.name = "cross_attention_step",
       .arguments = "q[N,h*d] rows[N]:i32<B>",
       .body = "y[N,h*d] = cross_attention_step %q sentences %rows states @keys, @values, @seen "
               "{heads = <h> : i64, scale = 0.375 : f32}",
       .results = "y",
       .terms = "S+d",
       .sizes = "h=3 d=5",
       .states = "keys[B,S,h*d] values[B,S,h*d] seen[B,S]:i1",
       .setupArguments = "k[B,S,h*d] v[B,S,h*d] m[B,S]:i1",
       .setup = "state_write %k into @keys\nstate_write %v into @values\nstate_write %m into @seen",
       .calls = 2},
  };
  for (OpCase &each : updateCases())
    cases.push_back(std::move(each));
  // Decoding with a bound that many scores come near to.
  for (size_t i = 0, count = cases.size(); i < count; ++i)
    if (cases[i].body.find("attention_step") != std::string::npos) {
      OpCase &capped = cases.emplace_back(cases[i]);
      capped.name += "_capped";
      capped.body.replace(capped.body.find("scale ="), 0, "soft_cap = 0.75 : f32, ");
    }
  return cases;
}

std::vector<OpCase> test::convChainCases() {
  return {
      {.name = "chain_light_conv",
       .arguments = "x[B,T,h*d] w[h*d*2,h*d] taps[h,1,k] u[h*d,h*d] m[B,T]:i1",
       .body = R"(
         f[B,T,h*d*2] = linear %x, %w
         g[B,T,h*d] = glu %f
         z[B,T,h*d] = mask_padding %g, %m
         s[h,1,k] = softmax %taps {group = <k> : i64}
         c[B,T,h*d] = light_conv %z, %s {left_padding = <k/2> : i64}
         y[B,T,h*d] = linear %c, %u)",
       .results = "y",
       .gradients = "y",
       .terms = "h*d*2+k",
       .gradientTerms = "B*T+h*d*2+k",
       .sizes = "h=3 d=5 k=5"},
      {.name = "chain_dynamic_conv",
       .arguments = "x[B,T,h*d] w[h*k,h*d] rng[2]:rng",
       .body = R"(
         f[B,T,h*k] = linear %x, %w
         s[B,T,h*k] = softmax %f {group = <k> : i64}
         q[B,T,h*k] = dropout %s, %rng {rate = 0.2 : f32, site = 5 : i32}
         y[B,T,h*d] = dynamic_conv %x, %q {heads = <h> : i64, left_padding = <k-1> : i64})",
       .results = "y",
       .gradients = "y",
       .terms = "h*d+k",
       .gradientTerms = "B*T+d+k+h",
       .sizes = "h=3 d=7 k=7"},
  };
}

const std::vector<OpCase> &test::allCases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> cases;
    for (auto family :
         {linearCases,         productCases,   elementCases, softmaxCases,   normCases,          tokenCases,
          adaptiveCases,       lossCases,      convCases,    attentionCases, diffAttentionCases, diffChainCases,
          rmsNormCases,        gateCases,      rotaryCases,  stepCases,      chainCases,         adaptiveChainCases,
          embeddingChainCases, convChainCases, channelCases, branchCases,    recurrentCases,     relativeAttentionCases,
          recurrentChainCases}) {
      std::vector<OpCase> some = family();
      cases.insert(cases.end(), some.begin(), some.end());
    }
    return cases;
  }();
  return all;
}
