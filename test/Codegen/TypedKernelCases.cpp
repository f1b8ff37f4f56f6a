// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Codegen/ConvTestData.h"
#include "test/Codegen/TypedKernel.h"

namespace bifocal::test {

static std::string conv(const std::string &source) { return withElement(source, "xf32>", "xE>"); }

static std::vector<TypedKernel> convCases() {
  std::vector<TypedKernel> cases;
  auto sizes = [](int64_t count, int64_t steps) {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < count; ++i)
      all.insert(all.end(), {2, steps});
    return all;
  };
  // A short filter, one that is taken block by block, and heads that are taken slice by slice.
  for (auto [label, form, steps] : {std::tuple{"short", ConvForm{3, 9, 7, 6, Taps::Normalized, true, 0.25}, 21},
                                    std::tuple{"chunks", ConvForm{2, 9, 3, 1, Taps::Normalized, true, 0}, 130},
                                    std::tuple{"long", ConvForm{2, 11, 600, 599, Taps::Normalized, true, 0}, 70},
                                    std::tuple{"wide", ConvForm{1, 150, 5, 2, Taps::Raw, false, 0}, 10}}) {
    const ConvSource light{form, false}, dynamic{form, true};
    cases.push_back({std::string("light_conv_") + label, conv(light.forward()), sizes(2, steps)});
    // Few taps of f32 are summed up in rows (ShortConvTile.h), those of narrow tensors in slabs.
    cases.push_back({std::string("light_conv_grad_") + label, conv(light.gradient()), sizes(3, steps), 3, 0, 0.1, 0,
                     /*reordered=*/true});
    cases.push_back({std::string("dynamic_conv_") + label, conv(dynamic.forward()), sizes(3, steps)});
    cases.push_back({std::string("dynamic_conv_grad_") + label, conv(dynamic.gradient()), sizes(5, steps)});
    if (form.padding != form.kernelSize - 1)
      continue;
    // Rows, (rows,) rows and capacity, rows, rows of the cache; the step number is below the limit of integers.
    cases.push_back({std::string("light_conv_step_") + label, conv(light.step()), {4, 4, 9, 4, 5}, 5});
    cases.push_back({std::string("dynamic_conv_step_") + label, conv(dynamic.step()), {4, 4, 4, 9, 4, 5}, 5});
  }
  return cases;
}

/// Filters that end inside of a step of 16, that fill one, and that are too long for the registers; heads of a part of
/// a slice and of several.
std::vector<TypedKernel> convProductCases() {
  std::vector<TypedKernel> cases;
  for (auto [label, form, steps] :
       {std::tuple{"preset", ConvForm{2, 64, 31, 30, Taps::Normalized, true, 0.25}, 150},
        std::tuple{"short", ConvForm{3, 8, 8, 0, Taps::Normalized, false, 0}, 5},
        std::tuple{"slices", ConvForm{1, 88, 17, 8, Taps::Raw, true, 0}, 131},
        std::tuple{"longest", ConvForm{2, 24, 113, 100, Taps::Normalized, false, 0}, 140},
        std::tuple{"cut", ConvForm{2, 16, 12, 11, Taps::Compat, true, 0}, 7},
        std::tuple{"renormalized", ConvForm{1, 40, 31, 15, Taps::Renormalized, false, 0.1}, 40},
        std::tuple{"looped", ConvForm{1, 32, 200, 199, Taps::Normalized, true, 0}, 130}}) {
    const ConvSource source{form, false}, dynamic{form, true};
    const std::string name = std::string("products_") + label;
    cases.push_back({"light_conv_" + name, conv(source.forward()), {2, steps, 2, steps}, 3, 0, 0.02});
    cases.push_back({"dynamic_conv_" + name, conv(dynamic.forward()), {2, steps, 2, steps, 2, steps}, 3, 0, 0.02});
    // As models have them: only activations are narrow.
    cases.push_back({"light_conv_wide_taps_" + name,
                     withElement(source.forward(), source.sequence(), withElement(source.sequence(), "xf32>", "xE>")),
                     {2, steps, 2, steps},
                     3,
                     0,
                     0.02});
    // Tap gradients are sums over steps and channels of products of up to 4.
    cases.push_back({"light_conv_grad_" + name, conv(source.gradient()), {2, steps, 2, steps, 2, steps}, 3, 0, 2});
    cases.push_back({"dynamic_conv_grad_" + name,
                     conv(dynamic.gradient()),
                     {2, steps, 2, steps, 2, steps, 2, steps, 2, steps},
                     3,
                     0,
                     0.1});
  }
  return cases;
}

/// Both directions of attention of two heads in two sentences.
std::vector<TypedKernel> attentionProductCases() {
  std::vector<TypedKernel> cases;
  for (auto [label, channels, options, drop, queries, keys] :
       {std::tuple{"cross", 128, "mask %m", 0.0, 37, 70},
        std::tuple{"causal", 32, "mask %m rng %r causal", 0.25, 71, 71},
        std::tuple{"late", 128, "mask %m rng %r causal", 0.25, 71, 71},
        std::tuple{"hidden", 64, "mask %m", 0.0, 20, 70}, std::tuple{"wide", 256, "rng %r", 0.125, 33, 5},
        std::tuple{"uneven", 96, "rng %r", 0.5, 16, 33}}) {
    const std::string rows = ":?x?x" + std::to_string(channels) + "xE", text = options;
    const bool masked = text.find("mask") != std::string::npos, dropped = text.find("rng") != std::string::npos;
    const std::string more = std::string(masked ? " m:?x?xi1" : "") + (dropped ? " r:2xi64" : "");
    const std::string attributes =
        "{heads = 2 : i64, drop_rate = " + std::to_string(drop) + " : f32, site = 3 : i32, scale = ";
    auto sizes = [&, masked = masked, queries = queries, keys = keys](const std::string &tensors) {
      std::vector<int64_t> all;
      for (const char tensor : tensors)
        if (tensor != 'm' || masked)
          all.insert(all.end(), {2, tensor == 'q' ? queries : keys});
      return all;
    };
    // The first sentence of `hidden` has nothing but padding, the second begins with more of it than a block of keys.
    const int64_t hidden = label == std::string("hidden") ? keys + 40 : 0;
    cases.push_back({std::string("attention_products_") + label,
                     op("attention", "q" + rows + " k" + rows + " v" + rows + more, "%q, %k, %v " + text,
                        "y" + rows + " l:?x2x?xf32", attributes + "0.1 : f32}"),
                     sizes("qkkmqq"), 3, 0, 0.02, hidden});
    // Log-sums are drawn, too, so weights are above 1, and the terms of a sum hundreds.
    cases.push_back(
        {std::string("attention_grad_products_") + label,
         op("attention_grad",
            "g" + rows + " q" + rows + " k" + rows + " v" + rows + " y" + rows + " l:?x2x?xf32" + more,
            "%g, %q, %k, %v, %y, %l " + text, "a" + rows + " b" + rows + " c" + rows, attributes + "0.05 : f32}"),
         sizes("qqkkqqmqkk"), 3, 0, 8, hidden});
  }
  return cases;
}

static std::vector<TypedKernel> attentionCases() {
  const std::string state = "bifocal.state @kc : tensor<?x?x22xE> dims [\"P\", \"R\", \"\"]\n"
                            "bifocal.state @vc : tensor<?x?x22xE> dims [\"P\", \"R\", \"\"]\n";
  const std::string shape = "{heads = 2 : i64, scale = 0.3 : f32";
  return {
      {"attention",
       op("attention", "q:?x?x22xE k:?x?x22xE v:?x?x22xE m:?x?xi1 r:2xi64", "%q, %k, %v mask %m rng %r causal",
          "y:?x?x22xE l:?x2x?xf32", shape + ", drop_rate = 0.2 : f32, site = 3 : i32}"),
       {2, 71, 2, 71, 2, 71, 2, 71, 2, 71, 2, 71}},
      {"attention_grad",
       op("attention_grad", "g:?x?x22xE q:?x?x22xE k:?x?x22xE v:?x?x22xE y:?x?x22xE l:?x2x?xf32 m:?x?xi1 r:2xi64",
          "%g, %q, %k, %v, %y, %l mask %m rng %r", "dq:?x?x22xE dk:?x?x22xE dv:?x?x22xE",
          shape + ", drop_rate = 0.2 : f32, site = 3 : i32}"),
       {2, 19, 2, 19, 2, 70, 2, 70, 2, 19, 2, 19, 2, 70, 2, 19, 2, 70, 2, 70}},
      {"attention_step",
       state + op("attention_step", "q:?x22xE a:?x22xE b:?x22xE h:?x?xi32 s:i32",
                  "%q, %a, %b caches @kc, @vc ancestors %h step %s", "y:?x22xE", shape + "}"),
       {5, 5, 5, 5, 400, 5, 400, 390, 400, 390},
       390},
      {"cross_attention_step",
       state + "bifocal.state @mc : tensor<?x?xi1> dims [\"P\", \"R\"]\n" +
           op("cross_attention_step", "q:?x22xE i:?xi32", "%q sentences %i states @kc, @vc, @mc", "y:?x22xE",
              shape + "}"),
       {5, 5, 5, 3, 170, 3, 170, 3, 170}},
  };
}

static std::vector<TypedKernel> rowCases() {
  return {
      {"relu_grad",
       kernelSource("%g: tensor<?x37xE>, %y: tensor<?x37xE>", "%d = bifocal.relu_grad %g, %y : tensor<?x37xE>",
                    "%d : tensor<?x37xE>"),
       {7, 7, 7}},
      {"glu_grad", op("glu_grad", "g:?x37xE x:?x74xE", "", "d:?x74xE"), {7, 7, 7}},
      {"dropout", op("dropout", "x:?x37xE r:2xi64", "", "y:?x37xE", "{rate = 0.3 : f32, site = 2 : i32}"), {7, 7}},
      {"layer_norm", op("layer_norm", "x:?x37xE s:37xf32 b:37xE", "", "y:?x37xE m:?xf32 r:?xf32"), {7, 7, 7, 7}},
      {"layer_norm_grad",
       op("layer_norm_grad", "g:?x37xE x:?x37xE s:37xE m:?xf32 r:?xf32", "", "d:?x37xE ds:37xE db:37xf32"),
       {40, 40, 40, 40, 40}},
      {"map",
       kernelSource("%x: tensor<?x37xE>, %o: tensor<?x37xE>, %r: tensor<2xi64>, %s: tensor<37xf32>, %b: tensor<37xE>",
                    "%q:2 = bifocal.map (%0 = %x : tensor<?x37xE>, %1 = %o : tensor<?x37xE>, %2 = %r : tensor<2xi64>, "
                    "%3 = %s : tensor<37xf32>, %4 = %b : tensor<37xE>) -> (tensor<?x37xE>, tensor<?x37xE>) {\n"
                    "%d = bifocal.dropout %0, %2 {rate = 0.3 : f32, site = 1 : i32} : (tensor<?x37xE>, tensor<2xi64>) "
                    "-> tensor<?x37xE>\n%t = bifocal.add %d, %1 : tensor<?x37xE>\n"
                    "%n, %m, %v = bifocal.layer_norm %t, %3, %4 : (tensor<?x37xE>, tensor<37xf32>, tensor<37xE>) -> "
                    "(tensor<?x37xE>, tensor<?xf32>, tensor<?xf32>)\n"
                    "bifocal.yield %n, %t : tensor<?x37xE>, tensor<?x37xE>\n}",
                    "%q#0, %q#1 : tensor<?x37xE>, tensor<?x37xE>"),
       {7, 7, 7, 7}},
      // As the precision policy leaves it: the body is f32, and what memory holds may be of both types.
      {"map_with_wide_body",
       kernelSource(
           "%x: tensor<?x37xE>, %o: tensor<?x37xf32>, %s: tensor<37xf32>",
           "%q:3 = bifocal.map (%0 = %x : tensor<?x37xE> as tensor<?x37xf32>, %1 = %o : tensor<?x37xf32>, %2 = %s : "
           "tensor<37xf32>) "
           "-> (tensor<?x37xE>, tensor<?x37xf32>, tensor<?xf32>) {\n"
           "%t = bifocal.add %0, %1 : tensor<?x37xf32>\n"
           "%n, %m, %v = bifocal.layer_norm %t, %2, %2 : (tensor<?x37xf32>, tensor<37xf32>, tensor<37xf32>) -> "
           "(tensor<?x37xf32>, tensor<?xf32>, tensor<?xf32>)\n"
           "bifocal.yield %t, %n, %m : tensor<?x37xf32>, tensor<?x37xf32>, tensor<?xf32>\n}",
           "%q#0, %q#1, %q#2 : tensor<?x37xE>, tensor<?x37xf32>, tensor<?xf32>"),
       {7, 7, 7, 7, 7}},
      {"column_sum", op("column_sum", "x:?x37xE", "", "y:37xE"), {40}},
      {"embedding", op("embedding", "t:?xi32 w:9x37xE", "", "y:?x37xE", "{scale = 3.0 : f32}"), {7, 7}, 9},
      {"embedding_grad",
       op("embedding_grad", "t:?xi32 g:?x37xE", "", "w:9x37xf32", "{scale = 3.0 : f32}"),
       {30, 30},
       9},
      {"embedding_grad_wide",
       op("embedding_grad", "t:?xi32 g:?x128xE", "", "w:9x128xf32", "{scale = 3.0 : f32}"),
       {30, 30},
       9},
      {"store_gradient",
       "bifocal.param @w : tensor<5x9xE> init {kind = \"zeros\"}\n" +
           kernelSource("%g: tensor<5x9xE>", "bifocal.store_gradient %g into @w accumulate : tensor<5x9xE>", ""),
       {45},
       3,
       45},
  };
}

static std::vector<TypedKernel> scoreCases() {
  const std::string group = "{group = 11 : i64}", smoothed = "{smoothing = 0.1 : f32, ignore_index = 1 : i32}";
  return {
      {"softmax", op("softmax", "x:?x33xE", "", "y:?x33xE", group), {7, 7}},
      {"softmax_grad", op("softmax_grad", "g:?x33xE y:?x33xE", "", "x:?x33xE", group), {7, 7, 7}},
      {"top_k", op("top_k", "x:?x67xE", "", "v:?x7xE i:?x7xi32", "{k = 7 : i64}"), {5, 5, 5}},
      {"cross_entropy", op("cross_entropy", "x:?x67xE t:?xi32", "", "l:f32 n:f32 c:f32", smoothed), {90, 90}, 67},
      {"cross_entropy_grad", op("cross_entropy_grad", "x:?x67xE t:?xi32", "", "d:?x67xE", smoothed), {9, 9, 9}, 67},
      {"cross_entropy_grad_two_classes",
       op("cross_entropy_grad", "x:?x2xE t:?xi32", "", "d:?x2xE", "{ignore_index = -1 : i32}"),
       {99, 99, 99},
       2},
  };
}

static std::vector<TypedKernel> adaptiveCases() {
  return {
      {"band_ids",
       op("band_ids", "t:?xi32", "", "y:?xi32", "{low = 3 : i32, high = 7 : i32, otherwise = -1 : i32}"),
       {70, 70},
       9},
      {"cluster_ids", op("cluster_ids", "t:?xi32", "", "y:?xi32", "{cutoffs = array<i32: 3, 7>}"), {70, 70}, 9},
      {"join_clusters", op("join_clusters", "h:?x35xE a:?x31xE b:?x64xE", "", "y:?x128xE"), {5, 5, 5, 5}},
      {"add_scalars", op("add_scalars", "a:f32 b:f32 c:f32", "", "y:f32"), {}},
      {"concat_rows", op("concat_rows", "a:19x37xf32 b:2x37xf32", "", "y:21x37xf32"), {}},
      {"slice_rows", op("slice_rows", "x:9x37xf32", "", "y:4x37xf32", "{first = 3 : i64}"), {}},
      {"transpose", op("transpose", "x:9x37xf32", "", "y:37x9xf32"), {}},
  };
}

static std::vector<TypedKernel> recurrentCases() {
  const std::string price = "{factor = 0.25 : f32, span_unit = 6 : i64}";
  return {
      {"append_steps", op("append_steps", "m:?x?x37xE x:?x?x37xE", "", "y:?x?x37xE"), {2, 5, 2, 3, 2, 8}},
      {"append_steps_of_no_memory", op("append_steps", "m:?x?x37xE x:?x?x37xE", "", "y:?x?x37xE"), {2, 0, 2, 3, 2, 3}},
      {"append_steps_grad", op("append_steps_grad", "m:?x?x37xE g:?x?x37xE", "", "d:?x?x37xE"), {2, 5, 2, 8, 2, 3}},
      {"distances", op("distances", "x:?x?x4xE", "", "d:?xi32", "{most = 50 : i32}"), {2, 70, 70}, 9},
      {"span_penalty", op("span_penalty", "s:5x1x1xf32 n:f32", "", "p:f32 z:5xf32", price), {}},
      {"span_penalty_grad", op("span_penalty_grad", "n:f32", "", "d:5x1x1xf32", price), {}},
      {"split_rows", op("split_rows", "x:21x37xf32", "", "a:19x37xf32 b:2x37xf32"), {}},
      {"cluster_ids_reversed",
       op("cluster_ids", "t:?xi32", "", "y:?xi32", "{cutoffs = array<i32: 3, 7>, reversed}"),
       {70, 70},
       9},
      {"join_clusters_reversed",
       op("join_clusters", "h:?x35xE a:?x31xE b:?x64xE", "", "y:?x128xE", "{reversed}"),
       {5, 5, 5, 5}},
  };
}

std::vector<TypedKernel> allCases() {
  std::vector<TypedKernel> cases;
  for (auto family :
       {convCases, attentionCases, layerAttentionCases, rowCases, scoreCases, adaptiveCases, recurrentCases})
    for (TypedKernel &kernel : family())
      cases.push_back(kernel);
  return cases;
}

} // namespace bifocal::test
