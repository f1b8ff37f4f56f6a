// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Ops on rows, matrix products, tables and losses, and chains of them that the optimize phase joins. Sums over all rows
// are taken for the gradients of what the rows share.

#include "test/Numerics/OpTestCase.h"

using namespace bifocal;

std::vector<test::OpCase> test::linearCases() {
  return {
      {.name = "linear",
       .arguments = "x[B,T,i] w[o,i]",
       .body = "y[B,T,o] = linear %x, %w",
       .results = "y",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "B*T+o"},
      {.name = "linear_bias",
       .arguments = "x[N,i] w[o,i] b[o]",
       .body = "y[N,o] = linear %x, %w bias %b",
       .results = "y",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "N+o",
       .sizes = "i=37 o=19"},
      {.name = "linear_one_channel",
       .arguments = "x[B,T,i] w[o,i] b[o]",
       .body = "y[B,T,o] = linear %x, %w bias %b",
       .results = "y",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "B*T+o",
       .sizes = "i=1 o=1"},
      {.name = "linear_relu",
       .arguments = "x[B,T,i] w[o,i] b[o]",
       .body = "y[B,T,o] = linear %x, %w bias %b activation relu",
       .results = "y",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "B*T+o"},
      {.name = "linear_glu",
       .arguments = "x[B,T,i] w[c*2,i] b[c*2]",
       .body = "y[B,T,c] pre[B,T,c*2] = linear %x, %w bias %b activation glu",
       .results = "y pre",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "B*T+c",
       .sizes = "c=13"},
      {.name = "linear_masked",
       .arguments = "x[B,T,i] w[c*2,i] b[c*2] t[B,T]:tokens<v>",
       .body = R"(
         k[B,T]:i1 = padding_mask %t {pad = 1 : i32}
         y[B,T,c] pre[B,T,c*2] = linear %x, %w bias %b mask %k activation glu)",
       .results = "y pre",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "B*T+c",
       .sizes = "v=3"},
      {.name = "linear_glu_alone",
       .arguments = "x[B,T,i] w[c*2,i] b[c*2]",
       .body = "y[B,T,c] = linear %x, %w bias %b activation glu",
       .results = "y",
       .terms = "i"},
  };
}

std::vector<test::OpCase> test::productCases() {
  return {
      {.name = "linear_input_grad",
       .arguments = "g[B,T,o] w[o,i]",
       .body = "dx[B,T,i] = linear_input_grad %g, %w",
       .results = "dx",
       .terms = "o"},
      {.name = "linear_weight_grad",
       .arguments = "g[B,T,o] x[B,T,i]",
       .body = "dw[o,i] = linear_weight_grad %g, %x",
       .results = "dw",
       .terms = "B*T"},
      {.name = "linear_input_grad_masked",
       .arguments = "g[B,T,o] w[o,i] k[B,T]:i1",
       .body = "dx[B,T,i] = linear_input_grad %g, %w mask %k",
       .results = "dx",
       .terms = "o"},
      {.name = "linear_weight_grad_masked",
       .arguments = "g[B,T,o] x[B,T,i] k[B,T]:i1",
       .body = "dw[o,i] = linear_weight_grad %g, %x mask %k",
       .results = "dw",
       .terms = "B*T"},
      {.name = "linear_cross_entropy_masked",
       .arguments = "x[B,T,i] w[v,i] t[B,T]:tokens<v>",
       .body = R"(
         k[B,T]:i1 = padding_mask %t {pad = 1 : i32}
         z[B,T,v] = linear %x, %w mask %k
         loss[] nll[] n[] = cross_entropy %z, %t {smoothing = 0.1 : f32, ignore_index = 1 : i32})",
       .results = "loss nll n",
       .gradients = "loss",
       .terms = "B*T+v+i",
       .gradientTerms = "B*T+v+i",
       .manyRows = true},
      {.name = "column_sum", .arguments = "x[B,T,c]", .body = "y[c] = column_sum %x", .results = "y", .terms = "B*T"},
      {.name = "param_ref",
       .arguments = "x[N,i]",
       .body = "y[N,o] = linear %x, %w bias %b",
       .results = "y",
       .terms = "i",
       .params = "w[o,i] b[o]"},
  };
}

std::vector<test::OpCase> test::elementCases() {
  return {
      {.name = "relu", .arguments = "x[B,T,c]", .body = "y[B,T,c] = relu %x", .results = "y", .gradients = "y"},
      {.name = "relu_grad", .arguments = "g[N,c] y[N,c]", .body = "dx[N,c] = relu_grad %g, %y", .results = "dx"},
      {.name = "glu",
       .arguments = "x[B,T,c*2]",
       .body = "y[B,T,c] = glu %x",
       .results = "y",
       .gradients = "y",
       .sizes = "c=21"},
      {.name = "glu_grad", .arguments = "g[N,c] x[N,c*2]", .body = "dx[N,c*2] = glu_grad %g, %x", .results = "dx"},
      {.name = "add",
       .arguments = "x[B,T,c] r[B,T,c]",
       .body = "y[B,T,c] = add %x, %r",
       .results = "y",
       .gradients = "y"},
      {.name = "add_itself",
       .arguments = "x[B,T,c]",
       .body = "y[B,T,c] = add %x, %x",
       .results = "y",
       .gradients = "y"},
      {.name = "add_bias",
       .arguments = "x[B,T,c] b[c]",
       .body = "y[B,T,c] = add_bias %x, %b",
       .results = "y",
       .gradients = "y",
       .gradientTerms = "B*T"},
      {.name = "add_bias_vector",
       .arguments = "x[c] b[c]",
       .body = "y[c] = add_bias %x, %b",
       .results = "y",
       .gradients = "y"},
      {.name = "dropout",
       .arguments = "x[B,T,c] rng[2]:rng",
       .body = "y[B,T,c] = dropout %x, %rng {rate = 0.3 : f32, site = 4 : i32}",
       .results = "y",
       .gradients = "y",
       .sizes = "c=19"},
      {.name = "dropout_high",
       .arguments = "x[N,c] rng[2]:rng",
       .body = "y[N,c] = dropout %x, %rng {rate = 0.875 : f32, site = 0 : i32}",
       .results = "y",
       .gradients = "y"},
  };
}

std::vector<test::OpCase> test::softmaxCases() {
  return {
      {.name = "softmax",
       .arguments = "x[B,T,h*k]",
       .body = "y[B,T,h*k] = softmax %x {group = <k> : i64}",
       .results = "y",
       .gradients = "y",
       .terms = "k",
       .gradientTerms = "k",
       .sizes = "h=3 k=7"},
      {.name = "softmax_whole_row",
       .arguments = "x[N,v]",
       .body = "y[N,v] = softmax %x {group = <v> : i64}",
       .results = "y",
       .gradients = "y",
       .terms = "v",
       .gradientTerms = "v"},
      {.name = "softmax_single",
       .arguments = "x[B,T,h]",
       .body = "y[B,T,h] = softmax %x {group = 1 : i64}",
       .results = "y",
       .gradients = "y"},
      {.name = "softmax_grad",
       .arguments = "g[B,T,h*k] y[B,T,h*k]",
       .body = "dx[B,T,h*k] = softmax_grad %g, %y {group = <k> : i64}",
       .results = "dx",
       .terms = "k",
       .sizes = "h=5 k=3"},
      {.name = "log_softmax", .arguments = "x[N,v]", .body = "y[N,v] = log_softmax %x", .results = "y", .terms = "v"},
  };
}

std::vector<test::OpCase> test::normCases() {
  return {
      {.name = "layer_norm",
       .arguments = "x[B,T,c] s[c] b[c]",
       .body = "y[B,T,c] m[B,T] r[B,T] = layer_norm %x, %s, %b",
       .results = "y m r",
       .gradients = "y",
       .terms = "c",
       .gradientTerms = "B*T+c",
       .sizes = "c=67"},
      {.name = "layer_norm_narrow",
       .arguments = "x[N,c] s[c] b[c]",
       .body = "y[N,c] m[N] r[N] = layer_norm %x, %s, %b {epsilon = 1.0e-2 : f32}",
       .results = "y m r",
       .gradients = "y",
       .terms = "c",
       .gradientTerms = "N+c",
       .sizes = "c=5"},
      {.name = "layer_norm_grad",
       .arguments = "g[B,T,c] x[B,T,c] s[c] m[B,T] r[B,T]",
       .body = "dx[B,T,c] ds[c] db[c] = layer_norm_grad %g, %x, %s, %m, %r",
       .results = "dx ds db",
       .terms = "B*T+c",
       .sizes = "c=33"},
  };
}

std::vector<test::OpCase> test::tokenCases() {
  return {
      {.name = "mask_padding",
       .arguments = "x[B,T,c] m[B,T]:i1",
       .body = "y[B,T,c] = mask_padding %x, %m",
       .results = "y",
       .gradients = "y"},
      {.name = "padding_mask",
       .arguments = "t[B,T]:tokens<v>",
       .body = "m[B,T]:i1 = padding_mask %t {pad = 1 : i32}",
       .results = "m"},
      {.name = "positions",
       .arguments = "t[B,T]:tokens<v>",
       .body = "p[B,T]:i32 = positions %t {pad = 1 : i32}",
       .results = "p"},
      {.name = "top_k",
       .arguments = "x[N,v]",
       .body = "y[N,k] i[N,k]:i32 = top_k %x {k = <k> : i64}",
       .results = "y i",
       .sizes = "v=70 k=9"},
      {.name = "embedding",
       .arguments = "t[B,T]:tokens<v> w[v,c]:table",
       .body = "y[B,T,c] = embedding %t, %w {scale = 4.0 : f32, pad = 1 : i32}",
       .results = "y",
       .gradients = "y",
       .gradientTerms = "B*T"},
      {.name = "embedding_of_all",
       .arguments = "t[N]:i32<v> w[v,c]",
       .body = "y[N,c] = embedding %t, %w",
       .results = "y",
       .gradients = "y",
       .gradientTerms = "N",
       .sizes = "v=5 c=17"},
      {.name = "embedding_grad",
       .arguments = "t[B,T]:tokens<v> g[B,T,c] other[v,c]",
       .body = "dw[v,c] = embedding_grad %t, %g initial %other {scale = 3.0 : f32, pad = 1 : i32}",
       .results = "dw",
       .terms = "B*T"},
      {.name = "embedding_grad_alone",
       .arguments = "t[B,T]:tokens<v> g[B,T,c]",
       .body = "dw[v,c] = embedding_grad %t, %g",
       .results = "dw",
       .terms = "B*T",
       .sizes = "v=6"},
  };
}

std::vector<test::OpCase> test::lossCases() {
  std::string smoothed = " {smoothing = 0.1 : f32, ignore_index = 1 : i32}";
  return {
      {.name = "cross_entropy",
       .arguments = "x[B,T,v] t[B,T]:tokens<v>",
       .body = "loss[] nll[] n[] = cross_entropy %x, %t" + smoothed,
       .results = "loss nll n",
       .gradients = "loss",
       .terms = "B*T+v",
       .gradientTerms = "v",
       .sizes = "v=67"},
      {.name = "cross_entropy_two_classes",
       .arguments = "x[N,v] t[N]:tokens<v>",
       .body = "loss[] nll[] n[] = cross_entropy %x, %t {ignore_index = 1 : i32}",
       .results = "loss nll n",
       .gradients = "loss",
       .terms = "N+v",
       .gradientTerms = "v",
       .sizes = "v=2"},
      {.name = "cross_entropy_none_ignored",
       .arguments = "x[B,T,v] t[B,T]:tokens<v>",
       .body = "loss[] nll[] n[] = cross_entropy %x, %t {smoothing = 0.3 : f32, ignore_index = -100 : i32}",
       .results = "loss nll n",
       .gradients = "loss",
       .terms = "B*T+v",
       .gradientTerms = "v"},
      {.name = "cross_entropy_grad",
       .arguments = "x[B,T,v] t[B,T]:tokens<v>",
       .body = "dx[B,T,v] = cross_entropy_grad %x, %t" + smoothed,
       .results = "dx",
       .terms = "v"},
      {.name = "projected_cross_entropy",
       .arguments = "x[B,T,i] w[v,i] t[B,T]:tokens<v>",
       .body = "loss[] nll[] n[] dx[B,T,i] dw[v,i] = projected_cross_entropy %x, %w, %t" + smoothed,
       .results = "loss nll n dx dw",
       .terms = "B*T+v+i",
       .sizes = "i=23",
       .manyRows = true},
      {.name = "projected_cross_entropy_loss",
       .arguments = "x[N,i] w[v,i] t[N]:tokens<v>",
       .body = "loss[] nll[] n[] = projected_cross_entropy %x, %w, %t" + smoothed,
       .results = "loss nll n",
       .terms = "N+v+i",
       .manyRows = true},
      {.name = "linear_cross_entropy",
       .arguments = "x[B,T,i] w[v,i] t[B,T]:tokens<v>",
       .body = R"(
         z[B,T,v] = linear %x, %w
         loss[] nll[] n[] = cross_entropy %z, %t)" +
               smoothed,
       .results = "loss nll n",
       .gradients = "loss",
       .terms = "B*T+v+i",
       .gradientTerms = "B*T+v+i"},
  };
}

std::vector<test::OpCase> test::chainCases() {
  return {
      {.name = "chain_post_norm",
       .arguments = "x[B,T,i] w[c,i] b[c] r[B,T,c] s[c] n[c] rng[2]:rng",
       .body = R"(
         h[B,T,c] = linear %x, %w bias %b
         d[B,T,c] = dropout %h, %rng {rate = 0.25 : f32, site = 7 : i32}
         a[B,T,c] = add %d, %r
         y[B,T,c] m[B,T] q[B,T] = layer_norm %a, %s, %n)",
       .results = "y",
       .gradients = "y",
       .terms = "i+c",
       .gradientTerms = "B*T+c+i",
       .sizes = "c=45"},
      {.name = "chain_pre_norm",
       .arguments = "x[B,T,i] s[i] n[i] w[o,i] b[o] u[i,o] rng[2]:rng",
       .body = R"(
         a[B,T,i] m[B,T] q[B,T] = layer_norm %x, %s, %n
         h[B,T,o] = linear %a, %w bias %b
         r[B,T,o] = relu %h
         d[B,T,o] = dropout %r, %rng {rate = 0.1 : f32, site = 1 : i32}
         f[B,T,i] = linear %d, %u
         y[B,T,i] = add %f, %x)",
       .results = "y",
       .gradients = "y",
       .terms = "i+o",
       .gradientTerms = "B*T+i+o",
       .sizes = "i=21 o=35"},
      {.name = "chain_masked_glu",
       .arguments = "x[B,T,i] w[c*2,i] b[c*2] t[B,T]:tokens<v>",
       .body = R"(
         k[B,T]:i1 = padding_mask %t {pad = 1 : i32}
         h[B,T,c*2] = linear %x, %w bias %b
         g[B,T,c] = glu %h
         y[B,T,c] = mask_padding %g, %k)",
       .results = "y",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "B*T+c*2"},
  };
}

std::vector<test::OpCase> test::embeddingChainCases() {
  return {
      {.name = "chain_embedded",
       .arguments = "t[B,T]:tokens<v> w[v,c]:table p[80,c]:table rng[2]:rng",
       .body = R"(
         e[B,T,c] = embedding %t, %w {scale = 5.0 : f32, pad = 1 : i32}
         i[B,T]:i32 = positions %t {pad = 1 : i32}
         q[B,T,c] = embedding %i, %p {pad = 1 : i32}
         a[B,T,c] = add %e, %q
         y[B,T,c] = dropout %a, %rng {rate = 0.2 : f32, site = 2 : i32})",
       .results = "y",
       .gradients = "y",
       .gradientTerms = "B*T"},
      {.name = "chain_tied_table",
       .arguments = "t[B,T]:tokens<v> w[v,c]:table",
       .body = R"(
         e[B,T,c] = embedding %t, %w {pad = 1 : i32}
         y[B,T,v] = linear %e, %w)",
       .results = "y",
       .gradients = "y",
       .terms = "c",
       .gradientTerms = "B*T+v"},
  };
}
