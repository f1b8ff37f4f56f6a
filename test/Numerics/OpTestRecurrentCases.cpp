// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Numerics/OpTestCase.h"

using namespace bifocal;
using test::OpCase;

static std::vector<OpCase> memoryCases() {
  const std::string price = "{factor = 0.25 : f32, span_unit = 6 : i64}";
  return {
      // An entry's axes are sizes or symbols, so memory and segment are read by an op that gives those of the segment.
      {.name = "append_steps",
       .arguments = "m[B,S,h*d] x[B,T,h*d] r[L,d]",
       .body = R"(
         s[B,S+T,h*d] = append_steps %m, %x
         y[B,T,h*d] lse[B,h,T] = relative_attention %x, %x, %s, %s, %r {heads = <h> : i64, scale = 0.25 : f32})",
       .results = "y",
       .terms = "S+T+d+d",
       .sizes = "h=2 d=5"},
      {.name = "append_steps_grad",
       .arguments = "m[B,S,c] x[B,T,c]",
       .body = R"(
         s[B,S+T,c] = append_steps %m, %x
         d[B,T,c] = append_steps_grad %m, %s)",
       .results = "d",
       .sizes = "c=37"},
      {.name = "state_read",
       .arguments = "x[P,d]",
       .body = "r[P,d] = state_read @kept\ny[P,d] = add %x, %r",
       .results = "y",
       .terms = "2",
       .sizes = "d=5",
       .states = "kept[P,d]",
       .setupArguments = "k[P,d]",
       .setup = "state_write %k into @kept",
       .calls = 2},
      {.name = "distances",
       .arguments = "x[B,T,c]",
       .body = "d[T]:i32 = distances %x {most = 5 : i32}",
       .results = "d"},
      {.name = "span_penalty",
       .arguments = "s[h] n[]",
       .body = "p[] z[h] = span_penalty %s, %n " + price,
       .results = "p z",
       .terms = "h+2",
       .sizes = "h=5"},
      {.name = "span_penalty_of_published_shape",
       .arguments = "s[h,1,1] n[]",
       .body = "p[] z[h] = span_penalty %s, %n " + price,
       .results = "p z",
       .terms = "h+2",
       .sizes = "h=3"},
      {.name = "span_penalty_grad_of_the_loss",
       .arguments = "n[]",
       .body = "d[h] = span_penalty_grad %n " + price,
       .results = "d",
       .terms = "3",
       .sizes = "h=4"},
      {.name = "span_penalty_grad",
       .arguments = "g[] n[]",
       .body = "d[h,1,1] = span_penalty_grad %n penalty_grad %g " + price,
       .results = "d",
       .terms = "3",
       .sizes = "h=3"},
  };
}

/// Weights in parts, and clusters in the other order.
static std::vector<OpCase> partCases() {
  return {
      {.name = "split_rows",
       .arguments = "x[r+s,c]",
       .body = "a[r,c] b[s,c] = split_rows %x",
       .results = "a b",
       .gradients = "a b",
       .sizes = "r=5 s=3 c=17"},
      {.name = "concat_rows_of_biases",
       .arguments = "a[r] b[s]",
       .body = "y[r+s] = concat_rows %a, %b",
       .results = "y",
       .gradients = "y",
       .sizes = "r=5 s=3"},
      {.name = "cluster_ids_reversed",
       .arguments = "t[B,T]:tokens<v>",
       .body = "a[B,T]:i32 = cluster_ids %t {cutoffs = array<i32: 4, 5, 9>, reversed}",
       .results = "a",
       .sizes = "v=13"},
      {.name = "join_clusters_reversed",
       .arguments = "h[B,T,a+2] x[B,T,b] y[B,T,c]",
       .body = "z[B,T,a+b+c] = join_clusters %h, %x, %y {reversed}",
       .results = "z",
       .terms = "1",
       .sizes = "a=12 b=31 c=5"},
  };
}

std::vector<OpCase> test::recurrentCases() {
  std::vector<OpCase> cases = memoryCases(), parts = partCases();
  cases.insert(cases.end(), parts.begin(), parts.end());
  return cases;
}

std::vector<OpCase> test::recurrentChainCases() {
  return {
      // Keys and values come from a memory and from the segment, whose own weight is a part of a larger one.
      {.name = "projected_memory",
       .arguments = "m[B,S,i] x[B,T,i] q[B,T,o] w[o+o,i] r[L,o]",
       .body = R"(
         y[B,S+T,i] = append_steps %m, %x
         a[o,i] b[o,i] = split_rows %w
         u[B,S+T,o] = linear %y, %a
         v[B,S+T,o] = linear %y, %b
         z[B,T,o] lse[B,h,T] = relative_attention %q, %q, %u, %v, %r {heads = <h> : i64, scale = 0.25 : f32})",
       .results = "z",
       .terms = "i+S+T+o",
       .sizes = "h=1 i=17 o=9"},
  };
}
