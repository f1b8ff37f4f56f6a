// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Numerics/OpTestCase.h"

using namespace bifocal;

std::vector<test::OpCase> test::adaptiveCases() {
  return {
      {.name = "band_ids",
       .arguments = "t[B,T]:tokens<v>",
       .body = "a[B,T]:i32 = band_ids %t {low = 5 : i32, high = 9 : i32, otherwise = -1 : i32}",
       .results = "a",
       .sizes = "v=13"},
      {.name = "band_ids_first",
       .arguments = "t[N]:i32<v>",
       .body = "a[N]:i32 = band_ids %t {low = 0 : i32, high = 3 : i32, otherwise = 7 : i32}",
       .results = "a",
       .sizes = "v=13"},
      {.name = "cluster_ids",
       .arguments = "t[B,T]:tokens<v>",
       .body = "a[B,T]:i32 = cluster_ids %t {cutoffs = array<i32: 4, 5, 9>}",
       .results = "a",
       .sizes = "v=13"},
      {.name = "join_clusters",
       .arguments = "h[B,T,a+2] x[B,T,b] y[B,T,c]",
       .body = "z[B,T,a+b+c] = join_clusters %h, %x, %y",
       .results = "z",
       .terms = "1",
       .sizes = "a=12 b=31 c=5"},
      {.name = "add_scalars",
       .arguments = "a[] b[] c[]",
       .body = "y[] = add_scalars %a, %b, %c",
       .results = "y",
       .gradients = "y",
       .terms = "2"},
      {.name = "concat_rows",
       .arguments = "a[r,c] b[s,c]",
       .body = "y[r+s,c] = concat_rows %a, %b",
       .results = "y",
       .gradients = "y",
       .sizes = "r=5 s=3 c=17"},
      {.name = "slice_rows",
       .arguments = "x[r,c]",
       .body = "y[r-3,c] = slice_rows %x {first = 2 : i64}",
       .results = "y",
       .sizes = "r=11 c=17"},
      {.name = "transpose",
       .arguments = "x[r,c]",
       .body = "y[c,r] = transpose %x",
       .results = "y",
       .gradients = "y",
       .sizes = "r=9 c=17"},
  };
}

std::vector<test::OpCase> test::adaptiveChainCases() {
  return {
      // A band's words have a table of their own; the others are left out, and row 1 is a word's.
      {.name = "adaptive_input_band",
       .arguments = "t[B,T]:tokens<v> e[4,i] w[o,i]",
       .body = R"(
         a[B,T]:i32 = band_ids %t {low = 5 : i32, high = 9 : i32, otherwise = -1 : i32}
         m[B,T]:i1 = padding_mask %a {pad = -1 : i32}
         x[B,T,i] = embedding %a, %e {scale = 4.0 : f32, pad = -1 : i32}
         y[B,T,o] = linear %x, %w mask %m)",
       .results = "y",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "B*T+o",
       .sizes = "v=13 i=17 o=9"},
      // Words and clusters are two weights, and the projection of a tail is read transposed.
      {.name = "adaptive_loss_tied",
       .arguments = "x[B,T,i] w[5,i] c[1,i] p[i,o] e[8,o] t[B,T]:tokens<v>",
       .body = R"(
         u[6,i] = concat_rows %w, %c
         h[B,T,6] = linear %x, %u
         a[B,T]:i32 = cluster_ids %t {cutoffs = array<i32: 5>}
         l[] n[] k[] = cross_entropy %h, %a {ignore_index = 1 : i32}
         b[B,T]:i32 = band_ids %t {low = 5 : i32, high = 13 : i32, otherwise = -1 : i32}
         m[B,T]:i1 = padding_mask %b {pad = -1 : i32}
         q[o,i] = transpose %p
         y[B,T,o] = linear %x, %q mask %m
         z[B,T,8] = linear %y, %e mask %m
         f[] g[] j[] = cross_entropy %z, %b {ignore_index = -1 : i32}
         loss[] = add_scalars %l, %f)",
       .results = "loss k",
       .gradients = "loss",
       .terms = "B*T+i+14",
       .gradientTerms = "B*T+i+o+14",
       .sizes = "v=13 i=17 o=9"},
  };
}
