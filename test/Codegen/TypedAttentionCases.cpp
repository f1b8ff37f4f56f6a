// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention with shared keys, differential attention, and what stands around them in a layer.

#include "test/Codegen/TypedKernel.h"

namespace bifocal::test {

/// Heads of queries share those of keys and values; values are wider or narrower than keys.
static std::vector<TypedKernel> sharedCases() {
  const std::string shape = "{heads = 6 : i64, kv_heads = 2 : i64, scale = 0.3 : f32";
  const std::string dropped = shape + ", drop_rate = 0.2 : f32, site = 3 : i32}";
  return {
      {"attention_shared",
       op("attention", "q:?x?x66xE k:?x?x22xE v:?x?x10xE m:?x?xi1", "%q, %k, %v mask %m causal",
          "y:?x?x30xE l:?x6x?xf32", shape + "}"),
       {2, 39, 2, 39, 2, 39, 2, 39, 2, 39, 2, 39}},
      {"attention_capped",
       op("attention", "q:?x?x66xE k:?x?x66xE v:?x?x30xE", "%q, %k, %v causal", "y:?x?x30xE l:?x6x?xf32",
          "{heads = 6 : i64, scale = 0.3 : f32, soft_cap = 0.5 : f32}"),
       {2, 39, 2, 39, 2, 39, 2, 39, 2, 39}},
      {"attention_shared_dropped",
       op("attention", "q:?x?x48xE k:?x?x16xE v:?x?x34xE r:2xi64", "%q, %k, %v rng %r", "y:?x?x102xE l:?x6x?xf32",
          dropped),
       {2, 5, 2, 71, 2, 71, 2, 5, 2, 5}},
      {"attention_grad_shared",
       op("attention_grad", "g:?x?x30xE q:?x?x66xE k:?x?x22xE v:?x?x10xE y:?x?x30xE l:?x6x?xf32 m:?x?xi1 r:2xi64",
          "%g, %q, %k, %v, %y, %l mask %m rng %r", "dq:?x?x66xE dk:?x?x22xE dv:?x?x10xE",
          "{heads = 6 : i64, kv_heads = 2 : i64, scale = 0.05 : f32, drop_rate = 0.2 : f32, site = 3 : i32}"),
       {2, 19, 2, 19, 2, 70, 2, 70, 2, 19, 2, 19, 2, 70, 2, 19, 2, 70, 2, 70}},
  };
}

static std::vector<TypedKernel> differenceCases() {
  const std::string shape = "{heads = 2 : i64, scale = 0.05 : f32";
  const std::string shared = "{heads = 4 : i64, kv_heads = 2 : i64, scale = 0.05 : f32";
  const std::string drop = ", drop_rate = 0.2 : f32, site = 3 : i32}";
  // Log-sums are drawn, too, so weights are above 1, and the gradient of lambda is a sum of their products with dots.
  constexpr double drawnSums = 64;
  return {
      {"diff_attention",
       op("diff_attention", "q:?x?x44xE k:?x?x44xE v:?x?x42xE w:f32 m:?x?xi1 r:2xi64",
          "%q, %k, %v lambda %w mask %m rng %r causal", "y:?x?x42xE l:?x4x?xf32", shape + drop),
       {2, 71, 2, 71, 2, 71, 2, 71, 2, 71, 2, 71}},
      {"diff_attention_shared",
       op("diff_attention", "q:?x?x64xE k:?x?x32xE v:?x?x32xE w:f32", "%q, %k, %v lambda %w", "y:?x?x64xE l:?x8x?xf32",
          shared + "}"),
       {2, 5, 2, 130, 2, 130, 2, 5, 2, 5},
       3,
       0,
       0.02,
       0,
       false,
       true},
      {"diff_attention_grad",
       op("diff_attention_grad", "g:?x?x42xE q:?x?x44xE k:?x?x44xE v:?x?x42xE w:f32 l:?x4x?xf32 m:?x?xi1 r:2xi64",
          "%g, %q, %k, %v lambda %w lse %l mask %m rng %r", "dq:?x?x44xE dk:?x?x44xE dv:?x?x42xE dw:f32", shape + drop),
       {2, 19, 2, 19, 2, 70, 2, 70, 2, 19, 2, 70, 2, 19, 2, 70, 2, 70},
       3,
       0,
       0,
       0,
       false,
       false,
       drawnSums},
      {"diff_attention_grad_shared",
       op("diff_attention_grad", "g:?x?x64xE q:?x?x64xE k:?x?x32xE v:?x?x32xE w:f32 l:?x8x?xf32",
          "%g, %q, %k, %v lambda %w lse %l causal", "dq:?x?x64xE dk:?x?x32xE dv:?x?x32xE dw:f32", shared + "}"),
       {2, 35, 2, 35, 2, 35, 2, 35, 2, 35, 2, 35, 2, 35, 2, 35},
       3,
       0,
       0.5,
       0,
       false,
       true,
       drawnSums},
      {"diff_lambda", op("diff_lambda", "a:3xE b:3xE c:3xE d:3xE", "", "y:f32", "{initial = 0.2 : f32}"), {}},
      {"diff_lambda_grad", op("diff_lambda_grad", "g:f32 a:3xE b:3xE c:3xE d:3xE", "", "w:3xE x:3xE y:3xE z:3xE"), {}},
      {"head_difference", op("head_difference", "x:?x74xE s:?x1xE", "", "y:?x37xE"), {7, 7, 7}},
      {"head_difference_heads", op("head_difference", "x:?x96xE s:?x3xE", "", "y:?x48xE"), {7, 7, 7}},
      {"head_difference_grad",
       op("head_difference_grad", "g:?x48xE x:?x96xE s:?x3xE", "", "dx:?x96xE ds:?x3xE"),
       {7, 7, 7, 7, 7}},
  };
}

/// Decoding steps; the step number is below the limit of integers.
static std::vector<TypedKernel> stepCases() {
  const std::string states = "bifocal.state @kc : tensor<?x?x24xE> dims [\"P\", \"R\", \"\"]\n"
                             "bifocal.state @vc : tensor<?x?x42xE> dims [\"P\", \"R\", \"\"]\n";
  const std::string rest = "caches @kc, @vc ancestors %h step %s", shape = "{heads = 4 : i64, kv_heads = 2 : i64, ";
  return {
      {"attention_step_shared",
       states + op("attention_step", "q:?x48xE a:?x24xE b:?x42xE h:?x?xi32 s:i32", "%q, %a, %b " + rest, "y:?x84xE",
                   shape + "scale = 0.3 : f32}"),
       {5, 5, 5, 5, 400, 5, 400, 390, 400, 390},
       390},
      {"attention_step_capped",
       states + op("attention_step", "q:?x48xE a:?x24xE b:?x42xE h:?x?xi32 s:i32", "%q, %a, %b " + rest, "y:?x84xE",
                   shape + "scale = 0.3 : f32, soft_cap = 0.5 : f32}"),
       {5, 5, 5, 5, 40, 5, 40, 39, 40, 39},
       39},
      {"diff_attention_step",
       states + op("diff_attention_step", "q:?x48xE a:?x24xE b:?x42xE w:f32 h:?x?xi32 s:i32",
                   "%q, %a, %b lambda %w " + rest, "y:?x84xE", shape + "scale = 0.3 : f32}"),
       {5, 5, 5, 5, 400, 5, 400, 390, 400, 390},
       390},
  };
}

static std::vector<TypedKernel> layerCases() {
  auto rotary = [](const std::string &name, const std::string &rows, int64_t heads, int64_t width, int64_t pairs,
                   const std::string &options, const std::vector<int64_t> &sizes) {
    const std::string x = rows + std::to_string(heads * width) + "xE", table = "9x" + std::to_string(pairs) + "xf32";
    const bool step = options.find("step") != std::string::npos;
    return TypedKernel{"rotary_" + name,
                       op("rotary", "x:" + x + " c:" + table + " s:" + table + (step ? " n:i32" : ""),
                          "%x, %c, %s" + options, "y:" + x, "{heads = " + std::to_string(heads) + " : i64}"),
                       sizes};
  };
  const std::string group = "{group = 37 : i64, factor = 0.8 : f32}", rows = "tensor<?x37xE>";
  auto pointwise = [&](const std::string &name, const std::string &operands) {
    return TypedKernel{
        name,
        kernelSource("%x: " + rows + ", %y: " + rows, "%z = bifocal." + name + operands + " : " + rows, "%z : " + rows),
        {7, 7, 7}};
  };
  return {
      // Steps behind the table's end take its last row.
      rotary("interleaved", "?x?x", 3, 22, 9, "", {2, 11, 2, 11}),
      rotary("wide", "?x?x", 2, 64, 32, " inverse", {2, 3, 2, 3}),
      rotary("halves", "?x?x", 2, 40, 20, " layout halves", {2, 3, 2, 3}),
      rotary("step", "?x", 2, 70, 35, " step %n", {5, 5}),
      {"rms_norm", op("rms_norm", "x:?x37xE s:37xf32", "", "y:?x37xE"), {7, 7}},
      {"rms_norm_heads", op("rms_norm", "x:?x111xE s:37xE", "", "y:?x111xE", group), {7, 7}},
      {"rms_norm_bare", op("rms_norm", "x:?x128xE", "", "y:?x128xE"), {7, 7}},
      {"rms_norm_grad", op("rms_norm_grad", "g:?x37xE x:?x37xE s:37xE", "", "d:?x37xE ds:37xf32"), {40, 40, 40}},
      {"rms_norm_grad_heads",
       op("rms_norm_grad", "g:?x111xE x:?x111xE s:37xE", "", "d:?x111xE ds:37xE", group),
       {40, 40, 40}},
      {"rms_norm_grad_bare", op("rms_norm_grad", "g:?x128xE x:?x128xE", "", "d:?x128xE"), {7, 7, 7}},
      {"glu_silu", op("glu", "x:?x74xE", "%x gate silu", "y:?x37xE"), {7, 7}},
      {"glu_grad_silu", op("glu_grad", "g:?x37xE x:?x74xE", "%g, %x gate silu", "d:?x74xE"), {7, 7, 7}},
      pointwise("mul", " %x, %y"),
      pointwise("silu_grad", " %x, %y"),
      {"silu", kernelSource("%x: " + rows, "%z = bifocal.silu %x : " + rows, "%z : " + rows), {7, 7}},
  };
}

/// Below many of the scores.
static const std::string softCap = ", soft_cap = 0.25 : f32";

std::vector<TypedKernel> layerAttentionCases() {
  std::vector<TypedKernel> cases;
  for (auto family : {sharedCases, differenceCases, stepCases, layerCases})
    for (TypedKernel &kernel : family())
      cases.push_back(kernel);
  return cases;
}

std::vector<TypedKernel> sharedProductCases() {
  std::vector<TypedKernel> cases;
  // Heads of queries and of keys, channels of a key and of a value.
  for (auto [label, heads, kvHeads, keyDim, valueDim, options, queries, keys] :
       {std::tuple{"shared", 4, 2, 32, 32, "mask %m causal", 71, 71}, std::tuple{"one_head", 3, 1, 16, 48, "", 20, 37},
        std::tuple{"wide_values", 2, 2, 16, 112, "mask %m", 17, 33},
        std::tuple{"narrow_values", 2, 1, 80, 16, "mask %m causal", 40, 40},
        std::tuple{"capped", 2, 2, 32, 32, "mask %m causal", 37, 37}}) {
    auto rows = [](int64_t channels) { return ":?x?x" + std::to_string(channels) + "xE"; };
    const std::string q = rows(heads * keyDim), k = rows(kvHeads * keyDim), v = rows(kvHeads * valueDim),
                      y = rows(heads * valueDim), l = "l:?x" + std::to_string(heads) + "x?xf32", text = options;
    const bool masked = text.find("mask") != std::string::npos;
    const std::string more = masked ? " m:?x?xi1" : "";
    const std::string attributes = "{heads = " + std::to_string(heads) +
                                   " : i64, kv_heads = " + std::to_string(kvHeads) + " : i64" +
                                   (label == std::string("capped") ? softCap : "") + ", scale = ";
    auto sizes = [&, masked = masked, queries = queries, keys = keys](const std::string &tensors) {
      std::vector<int64_t> all;
      for (const char tensor : tensors)
        if (tensor != 'm' || masked)
          all.insert(all.end(), {2, tensor == 'q' ? queries : keys});
      return all;
    };
    cases.push_back({std::string("attention_products_") + label,
                     op("attention", "q" + q + " k" + k + " v" + v + more, "%q, %k, %v " + text, "y" + y + " " + l,
                        attributes + "0.1 : f32}"),
                     sizes("qkkmqq"), 3, 0, 0.02});
    cases.push_back({std::string("attention_grad_products_") + label,
                     op("attention_grad", "g" + y + " q" + q + " k" + k + " v" + v + " y" + y + " " + l + more,
                        "%g, %q, %k, %v, %y, %l " + text, "a" + q + " b" + k + " c" + v, attributes + "0.05 : f32}"),
                     sizes("qqkkqqmqkk"), 3, 0, 16});
  }
  return cases;
}

/// The dynamic sizes of tensors in order: [B, T] for q, [B, S] for k, [L] for r.
static std::vector<int64_t> farSizes(const std::string &tensors, int64_t queries, int64_t keys, int64_t distances) {
  std::vector<int64_t> all;
  for (const char tensor : tensors)
    if (tensor == 'r')
      all.push_back(distances);
    else
      all.insert(all.end(), {2, tensor == 'q' ? queries : keys});
  return all;
}

static std::string farRows(int64_t channels) { return ":?x?x" + std::to_string(channels) + "xE"; }
/// Log-sums of gradients are drawn, so weights are far above 1, and the terms of a sum hundreds.
static constexpr double farRoundings = 32, farTerms = 64;

static std::vector<TypedKernel> diffProductCases() {
  std::vector<TypedKernel> cases;
  // Heads of queries and of keys, channels of a key of one map and of a value. The first sentence of `hidden` has
  // nothing but padding.
  for (auto [label, heads, kvHeads, keyDim, valueDim, options, queries, keys] :
       {std::tuple{"pairs", 2, 2, 16, 32, "mask %m causal", 71, 71},
        std::tuple{"shared", 4, 2, 32, 64, "causal", 32, 32}, std::tuple{"dropped", 2, 1, 16, 48, "rng %r", 20, 37},
        std::tuple{"hidden", 1, 1, 64, 16, "mask %m", 17, 33}, std::tuple{"one_step", 2, 2, 16, 16, "", 1, 1},
        std::tuple{"capped", 2, 1, 32, 32, "causal", 37, 37}}) {
    const std::string q = farRows(2 * heads * keyDim), k = farRows(2 * kvHeads * keyDim),
                      v = farRows(kvHeads * valueDim), y = farRows(heads * valueDim),
                      l = "l:?x" + std::to_string(2 * heads) + "x?xf32", text = options;
    const bool masked = text.find("mask") != std::string::npos, drops = text.find("rng") != std::string::npos;
    const std::string more = std::string(masked ? " m:?x?xi1" : "") + (drops ? " r:2xi64" : ""), m = masked ? "k" : "";
    const std::string attributes = "{heads = " + std::to_string(heads) +
                                   " : i64, kv_heads = " + std::to_string(kvHeads) + " : i64, scale = 0.05 : f32" +
                                   (label == std::string("capped") ? softCap : "") +
                                   (drops ? ", drop_rate = 0.2 : f32, site = 3 : i32}" : "}");
    auto sizes = [queries = queries, keys = keys](const std::string &tensors) {
      return farSizes(tensors, queries, keys, 0);
    };
    const int64_t hidden = label == std::string("hidden") ? keys : 0;
    cases.push_back({.name = std::string("diff_attention_products_") + label,
                     .source = op("diff_attention", "q" + q + " k" + k + " v" + v + " w:f32" + more,
                                  "%q, %k, %v lambda %w " + text, "y" + y + " " + l, attributes),
                     .sizes = sizes("qkk" + m + "qq"),
                     .roundings = 0.02,
                     .hidden = hidden});
    cases.push_back(
        {.name = std::string("diff_attention_grad_products_") + label,
         .source = op("diff_attention_grad", "g" + y + " q" + q + " k" + k + " v" + v + " w:f32 " + l + more,
                      "%g, %q, %k, %v lambda %w lse %l " + text, "a" + q + " b" + k + " c" + v + " d:f32", attributes),
         .sizes = sizes("qqkkq" + m + "qkk"),
         .roundings = farRoundings,
         .hidden = hidden,
         .terms = farTerms});
  }
  return cases;
}

/// What relative attention is asked for: its rows of positions are of `rows`, for each head or for all, and its values
/// may have another width than its keys.
struct RelativeForm {
  std::string label;
  int64_t heads, kvHeads, keyDim, valueDim;
  bool perHead;
  std::string rows, options, attributes;
  int64_t queries, keys, distances;
};

static std::vector<TypedKernel> relativeProductCases() {
  const std::string drop = ", drop_rate = 0.2 : f32, site = 3 : i32";
  const std::string span = ", nearest = 1 : i64, window = 40 : i64, span_unit = 40 : i64, ramp = 8 : i64";
  std::vector<TypedKernel> cases;
  for (const RelativeForm &form :
       {RelativeForm{"memory", 2, 2, 16, 16, true, "E", "", "", 37, 60, 60},
        RelativeForm{"no_memory", 3, 1, 32, 16, false, "E", "", ", nearest = 1 : i64", 40, 40, 40},
        RelativeForm{"window", 2, 1, 48, 48, true, "E", "rng %n", ", window = 11 : i64" + drop, 20, 51, 40},
        RelativeForm{"few_rows", 1, 1, 64, 64, true, "f32", "", ", nearest = 2 : i64", 32, 64, 21},
        RelativeForm{"one_step", 2, 2, 16, 32, true, "E", "", "", 1, 17, 17},
        RelativeForm{"span", 4, 4, 16, 16, false, "f32", "span %z", span, 37, 77, 40},
        RelativeForm{"span_capped", 2, 2, 32, 32, true, "E", "span %z", span + softCap, 37, 77, 40},
        // Of the queries that go over the keys together, the last ones have no row for any of the first block.
        RelativeForm{"far_queries", 1, 1, 16, 16, true, "E", "", "", 64, 128, 40},
        // Pairs of channels, but no whole vectors of them.
        RelativeForm{"odd_pairs", 2, 1, 10, 6, true, "E", "", "", 21, 33, 33},
        // The first draws of a tile of distances are those of keys before the first one.
        RelativeForm{"span_dropped", 2, 2, 32, 32, false, "f32", "span %z rng %n",
                     ", span_unit = 60 : i64, ramp = 5 : i64" + drop, 18, 26, 64}}) {
    const std::string q = farRows(form.heads * form.keyDim), k = farRows(form.kvHeads * form.keyDim),
                      v = farRows(form.kvHeads * form.valueDim), y = farRows(form.heads * form.valueDim),
                      r = ":?x" + std::to_string(form.keyDim * (form.perHead ? form.heads : 1)) + "x" + form.rows,
                      l = "l:?x" + std::to_string(form.heads) + "x?xf32", z = ":" + std::to_string(form.heads) + "xf32";
    const bool spans = form.options.find("span") != std::string::npos;
    const std::string more =
        (spans ? " z" + z : "") + (form.options.find("rng") != std::string::npos ? " n:2xi64" : "");
    const std::string all = "{heads = " + std::to_string(form.heads) +
                            " : i64, kv_heads = " + std::to_string(form.kvHeads) + " : i64, scale = 0.05 : f32" +
                            form.attributes + "}";
    auto sizes = [&](const std::string &tensors) { return farSizes(tensors, form.queries, form.keys, form.distances); };
    const bool isWhole = form.rows == "f32";
    cases.push_back({.name = "relative_attention_products_" + form.label,
                     .source = op("relative_attention", "q" + q + " p" + q + " k" + k + " v" + v + " r" + r + more,
                                  "%q, %p, %k, %v, %r " + form.options, "y" + y + " " + l, all),
                     .sizes = sizes("qqkkrqq"),
                     .roundings = 0.02,
                     .spans = spans ? 5 : -1,
                     .whole = isWhole ? 4 : -1});
    cases.push_back(
        {.name = "relative_attention_grad_products_" + form.label,
         .source = op("relative_attention_grad",
                      "g" + y + " q" + q + " p" + q + " k" + k + " v" + v + " r" + r + " y" + y + " " + l + more,
                      "%g, %q, %p, %k, %v, %r, %y, %l " + form.options,
                      "a" + q + " b" + q + " c" + k + " d" + v + " e" + r + (spans ? " f" + z : ""), all),
         .sizes = sizes("qqqkkrqqqqkkr"),
         .roundings = farRoundings,
         .terms = farTerms,
         .spans = spans ? 8 : -1,
         .whole = isWhole ? 5 : -1});
  }
  return cases;
}

std::vector<TypedKernel> farProductCases() {
  std::vector<TypedKernel> cases = diffProductCases();
  for (TypedKernel &kernel : relativeProductCases())
    cases.push_back(kernel);
  return cases;
}

} // namespace bifocal::test
