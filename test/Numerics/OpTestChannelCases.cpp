// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Parts of tensors: copied where somebody needs them in a place of their own, else views that products and maps read
// and write.

#include "test/Numerics/OpTestCase.h"

using namespace bifocal;

std::vector<test::OpCase> test::channelCases() {
  return {
      {.name = "split",
       .arguments = "x[B,T,i+j]",
       .body = "y[B,T,i] z[B,T,j] = split %x",
       .results = "y z",
       .gradients = "y z"},
      {.name = "concat",
       .arguments = "x[N,i] y[N,j] z[N,k]",
       .body = "a[N,i+j+k] = concat %x, %y, %z",
       .results = "a",
       .gradients = "a"},
      {.name = "split_of_a_split",
       .arguments = "x[N,i+j+k]",
       .body = R"(
         y[N,i+j] z[N,k] = split %x
         a[N,i] b[N,j] = split %y
         s[N,j] = relu %b
         t[N,k] = relu %z)",
       .results = "a s t",
       .gradients = "a s t"},
      {.name = "concat_of_concats",
       .arguments = "x[N,i] y[N,j] w[k,i] b[k]",
       .body = R"(
         u[N,k] = linear %x, %w bias %b
         v[N,j] = relu %y
         a[N,j+k] = concat %v, %u
         r[N,i] = relu %x
         d[N,i+j+k] = concat %r, %a
         e[N,i+j+k] = add %d, %d)",
       .results = "e",
       .gradients = "e",
       .terms = "i",
       .gradientTerms = "N+k"},
      {.name = "concat_of_one_value_twice",
       .arguments = "x[N,i] w[j,i]",
       .body = R"(
         u[N,j] = linear %x, %w
         a[N,j*2] = concat %u, %u
         y[N,j*2] = relu %a)",
       .results = "y",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "N+j"},
      {.name = "split_for_attention",
       .arguments = "x[B,T,h*d*2]",
       .body = R"(
         q[B,T,h*d] k[B,T,h*d] = split %x
         y[B,T,h*d] l[B,h,T] = attention %q, %k, %q {heads = <h> : i64, scale = 0.5 : f32}
         a[B,T,h*d*2] = concat %y, %k)",
       .results = "a",
       .gradients = "a",
       .terms = "T+d",
       .gradientTerms = "T+d",
       .sizes = "h=3 d=5"},
  };
}

std::vector<test::OpCase> test::branchCases() {
  return {
      {.name = "chain_branches",
       .arguments = "x[B,T,i+j] w[i,i] b[i] v[j*2,j] u[j,j] a[j] s[i+j] n[i+j] t[B,T]:tokens<v> rng[2]:rng",
       .body = R"(
         m[B,T]:i1 = padding_mask %t {pad = 1 : i32}
         f[B,T,i] o[B,T,j] = split %x
         p[B,T,i] = linear %f, %w bias %b mask %m
         h[B,T,j*2] = linear %o, %v mask %m
         g[B,T,j] = glu %h
         k[B,T,j] = mask_padding %g, %m
         r[B,T,j] = linear %k, %u bias %a mask %m
         c[B,T,i+j] = concat %p, %r
         d[B,T,i+j] = dropout %c, %rng {rate = 0.25 : f32, site = 3 : i32}
         e[B,T,i+j] = add %x, %d
         y[B,T,i+j] q[B,T] z[B,T] = layer_norm %e, %s, %n)",
       .results = "y",
       .gradients = "y",
       .terms = "i+j+j",
       .gradientTerms = "B*T+i+j",
       .sizes = "i=21 j=35"},
      {.name = "chain_three_branches",
       .arguments = "x[N,i+j+k] w[i,i] v[j,j] a[j]",
       .body = R"(
         p[N,i] q[N,j] r[N,k] = split %x
         f[N,i] = linear %p, %w
         g[N,j] = linear %q, %v bias %a activation relu
         h[N,k] = relu %r
         y[N,i+j+k] = concat %f, %g, %h)",
       .results = "y",
       .gradients = "y",
       .terms = "i+j",
       .gradientTerms = "N+i+j"},
  };
}
