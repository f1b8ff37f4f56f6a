// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Attention whose heads share keys and values or have values of another size, differential attention, and what stands
// around both in a layer: norms per head, rotations, gates.

#include "test/Numerics/OpTestCase.h"

using namespace bifocal;
using test::OpCase;

/// `options` as in the op; g heads of keys serve h = r * g heads.
static OpCase shared(const std::string &name, const std::string &keys, const std::string &options,
                     const std::string &mask, const std::string &sizes) {
  OpCase op{.name = "attention_" + name,
            .arguments = "q[B,T,g*r*d] k[B," + keys + ",g*d] v[B," + keys + ",g*e]",
            .body = "",
            .results = "y",
            .gradients = "y",
            .terms = keys + "+d",
            .gradientTerms = "T*r+" + keys + "+d+e",
            .sizes = sizes};
  if (!mask.empty())
    op.arguments += " mask[B," + keys + "]:" + mask;
  bool dropped = options.find("%rng") != std::string::npos;
  if (dropped)
    op.arguments += " rng[2]:rng";
  op.body = "y[B,T,g*r*e] lse[B,g*r,T] = attention %q, %k, %v" + options +
            " {heads = <g*r> : i64, kv_heads = <g> : i64, scale = 0.4375 : f32" +
            (dropped ? ", drop_rate = 0.2 : f32, site = 6 : i32}" : "}");
  return op;
}

/// The same with a bound that many scores come near to.
static OpCase capped(OpCase op) {
  op.name += "_capped";
  op.body.replace(op.body.find("scale ="), 0, "soft_cap = 0.75 : f32, ");
  return op;
}

static OpCase difference(const std::string &name, const std::string &keys, const std::string &options,
                         const std::string &mask, const std::string &sizes) {
  OpCase op = shared(name, keys, options, mask, sizes);
  op.name = "diff_" + op.name;
  op.arguments.replace(0, op.arguments.find(" v["), "q[B,T,g*r*d*2] k[B," + keys + ",g*d*2]");
  op.arguments += " lambda[]";
  // Gradients of lambda are sums over all rows and heads, of terms that nearly cancel.
  op.gradientTerms = "B*T*g*r*4+" + keys + "+d+e";
  op.body.replace(op.body.find(",g*r,T]"), 7, ",g*r*2,T]");
  const std::string plain = "attention %q, %k, %v";
  op.body.replace(op.body.find(plain), plain.size(), "diff_" + plain + " lambda %lambda");
  return op;
}

std::vector<OpCase> test::diffAttentionCases() {
  return {
      shared("shared_keys", "S", "", "", "g=2 r=3 d=5 e=5"),
      shared("one_key_head", "T", " mask %mask causal", "i1", "g=1 r=4 d=8 e=8"),
      shared("wide_values", "S", " mask %mask", "real", "g=3 r=1 d=4 e=9"),
      shared("narrow_values_dropped", "T", " rng %rng causal", "", "g=2 r=2 d=20 e=3"),
      difference("plain", "S", "", "", "g=3 r=1 d=5 e=10"),
      difference("causal", "T", " causal", "", "g=2 r=1 d=8 e=16"),
      difference("shared_keys", "T", " mask %mask causal", "i1", "g=2 r=2 d=4 e=8"),
      difference("padded", "S", " mask %mask", "real", "g=1 r=3 d=6 e=5"),
      difference("dropped", "S", " mask %mask rng %rng", "i1", "g=2 r=1 d=3 e=7"),
      difference("wide_heads", "T", " causal", "", "g=1 r=2 d=64 e=128"),
      capped(shared("shared_keys", "S", " mask %mask", "real", "g=2 r=3 d=5 e=5")),
      capped(shared("wide_heads", "T", " rng %rng causal", "", "g=1 r=2 d=64 e=64")),
      capped(difference("causal", "T", " causal", "", "g=2 r=1 d=8 e=16")),
      capped(difference("dropped", "S", " mask %mask rng %rng", "i1", "g=1 r=2 d=3 e=7")),
      {.name = "diff_lambda",
       .arguments = "a[d] b[d] c[d] e[d]",
       .body = "y[] = diff_lambda %a, %b, %c, %e {initial = 0.3555 : f32}",
       .results = "y",
       .gradients = "y",
       .terms = "d*4",
       .gradientTerms = "d*4",
       .sizes = "d=9"},
      {.name = "diff_lambda_grad",
       .arguments = "g[] a[d] b[d] c[d] e[d]",
       .body = "da[d] db[d] dc[d] de[d] = diff_lambda_grad %g, %a, %b, %c, %e",
       .results = "da db dc de",
       .terms = "d*4",
       .sizes = "d=5"},
      {.name = "head_difference",
       .arguments = "x[B,T,h*d*2] s[B,T,h]",
       .body = "y[B,T,h*d] = head_difference %x, %s",
       .results = "y",
       .gradients = "y",
       .gradientTerms = "d"},
      {.name = "head_difference_step",
       .arguments = "x[N,h*d*2] s[N,h]",
       .body = "y[N,h*d] = head_difference %x, %s",
       .results = "y",
       .gradients = "y",
       .gradientTerms = "d",
       .sizes = "h=1 d=37"},
  };
}

std::vector<OpCase> test::diffChainCases() {
  return {
      // The layer of the second version: heads of queries in pairs, behind them a gate for each head and token.
      {.name = "chain_diff_v2",
       .arguments = "q[B,T,n*d*2] k[B,T,d*2] v[B,T,d*2] s[B,T,n]",
       .body = R"(
    a[B,T,n*d*2] l[B,n*2,T] = attention %q, %k, %v causal {heads = <n*2> : i64, kv_heads = 2 : i64, scale = 0.5 : f32}
         y[B,T,n*d] = head_difference %a, %s)",
       .results = "y",
       .gradients = "y",
       .terms = "T+d",
       .gradientTerms = "T*n*4+d",
       .sizes = "n=4 d=6"},
      // That of the first one: lambda from vectors, a norm per head behind the difference.
      {.name = "chain_diff_v1",
       .arguments = "q[B,T,h*d*2] k[B,T,h*d*2] v[B,T,h*d*2] w[d*2] a[d] b[d] c[d] e[d]",
       .body = R"(
         l[] = diff_lambda %a, %b, %c, %e {initial = 0.2 : f32}
         o[B,T,h*d*2] lse[B,h*2,T] = diff_attention %q, %k, %v lambda %l causal {heads = <h> : i64, scale = 0.5 : f32}
         y[B,T,h*d*2] = rms_norm %o, %w {group = <d*2> : i64, factor = 0.8 : f32, epsilon = 0.5 : f32})",
       .results = "y",
       .gradients = "y",
       .terms = "T*8+d*8",
       .gradientTerms = "B*T*h*16+d*8",
       .sizes = "h=2 d=4"},
  };
}

std::vector<OpCase> test::gateCases() {
  return {
      {.name = "silu", .arguments = "x[B,T,c]", .body = "y[B,T,c] = silu %x", .results = "y", .gradients = "y"},
      {.name = "silu_grad", .arguments = "g[N,c] x[N,c]", .body = "dx[N,c] = silu_grad %g, %x", .results = "dx"},
      {.name = "mul",
       .arguments = "x[B,T,c] r[B,T,c]",
       .body = "y[B,T,c] = mul %x, %r",
       .results = "y",
       .gradients = "y"},
      {.name = "glu_silu",
       .arguments = "x[B,T,c*2]",
       .body = "y[B,T,c] = glu %x gate silu",
       .results = "y",
       .gradients = "y",
       .sizes = "c=21"},
      {.name = "linear_swiglu",
       .arguments = "x[B,T,i] w[c*2,i] b[c*2]",
       .body = "y[B,T,c] pre[B,T,c*2] = linear %x, %w bias %b activation swiglu",
       .results = "y pre",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "B*T+c",
       .sizes = "c=13"},
      {.name = "chain_swiglu",
       .arguments = "x[B,T,i] w[c*2,i]",
       .body = R"(
         h[B,T,c*2] = linear %x, %w
         y[B,T,c] = glu %h gate silu)",
       .results = "y",
       .gradients = "y",
       .terms = "i",
       .gradientTerms = "B*T+c*2"},
  };
}

std::vector<OpCase> test::rmsNormCases() {
  return {
      {.name = "rms_norm",
       .arguments = "x[B,T,c] w[c]",
       .body = "y[B,T,c] = rms_norm %x, %w",
       .results = "y",
       .gradients = "y",
       .terms = "c",
       .gradientTerms = "B*T+c",
       .sizes = "c=67"},
      {.name = "rms_norm_heads",
       .arguments = "x[B,T,h*c] w[c]",
       .body = "y[B,T,h*c] = rms_norm %x, %w {group = <c> : i64, factor = 0.8 : f32, epsilon = 1.0e-2 : f32}",
       .results = "y",
       .gradients = "y",
       .terms = "c",
       .gradientTerms = "B*T*h+c",
       .sizes = "h=3 c=37"},
      {.name = "rms_norm_bare",
       .arguments = "x[N,h*c]",
       .body = "y[N,h*c] = rms_norm %x {group = <c> : i64}",
       .results = "y",
       .gradients = "y",
       .terms = "c",
       .gradientTerms = "c",
       .sizes = "h=2 c=5"},
      {.name = "rms_norm_grad",
       .arguments = "g[B,T,c] x[B,T,c] w[c]",
       .body = "dx[B,T,c] dw[c] = rms_norm_grad %g, %x, %w {factor = 1.5 : f32}",
       .results = "dx dw",
       .terms = "B*T+c",
       .sizes = "c=33"},
      // The sum in front of a norm is kept for the residual.
      {.name = "chain_rms_norm",
       .arguments = "x[B,T,i] w[c,i] r[B,T,c] s[c]",
       .body = R"(
         h[B,T,c] = linear %x, %w
         a[B,T,c] = add %h, %r
         n[B,T,c] = rms_norm %a, %s
         y[B,T,c] = add %n, %a)",
       .results = "y",
       .gradients = "y",
       .terms = "i+c",
       .gradientTerms = "B*T+c+i",
       .sizes = "c=45"},
  };
}

std::vector<OpCase> test::rotaryCases() {
  // The gradient is the op itself, turning back; the tables are parameters, as in a model.
  auto rotary = [](const std::string &name, const std::string &rows, const std::string &options,
                   const std::string &sizes) {
    return OpCase{.name = "rotary_" + name,
                  .arguments = "x[" + rows + ",h*d]" + (options.find("step") == std::string::npos ? "" : " n[]:step"),
                  .body = "y[" + rows + ",h*d] = rotary %x, %cos, %sin" + options + " {heads = <h> : i64}",
                  .results = "y",
                  .sizes = sizes,
                  .params = "cos[40,p] sin[40,p]"};
  };
  return {rotary("interleaved", "B,T", "", "h=3 d=10 p=5"),
          rotary("wide", "B,T", "", "h=2 d=64 p=32"),
          rotary("partial", "B,T", " inverse", "h=2 d=21 p=9"),
          rotary("halves", "B,T", " layout halves", "h=2 d=22 p=11"),
          rotary("halves_partial", "B,T", " layout halves", "h=1 d=40 p=18"),
          rotary("one_step", "N", " step %n", "h=3 d=8 p=4")};
}
