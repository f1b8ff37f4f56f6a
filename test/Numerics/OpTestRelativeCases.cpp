// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Attention that scores distances, with memory, windows and spans.

#include "test/Numerics/OpTestCase.h"

using namespace bifocal;
using test::OpCase;

/// `rows` is the width of a position: h*d, or d where all heads share it.
static OpCase relative(const std::string &name, const std::string &rows, const std::string &span,
                       const std::string &attributes, const std::string &sizes) {
  const bool dropped = attributes.find("drop_rate") != std::string::npos;
  OpCase op{.name = "relative_attention_" + name,
            .arguments = "q[B,T,h*d] p[B,T,h*d] k[B,S,h*d] v[B,S,h*e] r[L," + rows + "]",
            .body = "",
            .results = "y",
            .gradients = "y",
            .terms = "S+d+d",
            .gradientTerms = "B*T*h+S+d+e",
            .sizes = sizes,
            .manyQueries = true};
  op.arguments += span.empty() ? "" : " z[" + span + "]";
  op.arguments += dropped ? " rng[2]:rng" : "";
  op.body = std::string("y[B,T,h*e] lse[B,h,T] = relative_attention %q, %p, %k, %v, %r") +
            (span.empty() ? "" : " span %z") + (dropped ? " rng %rng" : "") +
            " {heads = <h> : i64, scale = 0.4375 : f32" + attributes + "}";
  return op;
}

static OpCase step(const std::string &name, const std::string &rows, const std::string &span,
                   const std::string &attributes, const std::string &sizes) {
  OpCase op = relative(name, rows, span, attributes, sizes);
  op.name = "relative_attention_step_" + name;
  op.arguments = "q[N,h*d] p[N,h*d] k[N,h*d] v[N,h*e] r[L," + rows + "]" + (span.empty() ? "" : " z[" + span + "]") +
                 " ancestors[N,P]:i32<N> step[]:step";
  op.body = std::string("y[N,h*e] = relative_attention_step %q, %p, %k, %v, %r") + (span.empty() ? "" : " span %z") +
            " caches @keys, @values ancestors %ancestors step %step {heads = <h> : i64, scale = 0.4375 : f32" +
            attributes + "}";
  op.gradients = "";
  op.manyQueries = false;
  op.terms = "P+d+d";
  op.states = "keys[P,N,h*d] values[P,N,h*e]";
  op.calls = 4;
  return op;
}

/// A text that goes on behind the steps that its caches have. An input `step` would have to be one of these.
static OpCase forgetting(OpCase op, int cachedSteps, int calls) {
  op.arguments.replace(op.arguments.find("step["), 4, "now");
  op.body.replace(op.body.find("%step"), 5, "%now");
  op.name += "_forgets";
  op.cachedSteps = cachedSteps;
  op.calls = calls;
  return op;
}

std::vector<OpCase> test::relativeAttentionCases() {
  const std::string ramp = ", span_unit = 6 : i64, ramp = 4 : i64";
  OpCase shared = relative("shared_keys", "h*d", "", ", kv_heads = 1 : i64", "h=2 d=4 e=8");
  shared.arguments.replace(shared.arguments.find("k[B,S,h*d] v[B,S,h*e]"), 21, "k[B,S,d] v[B,S,e]");
  return {
      relative("plain", "h*d", "", "", "h=3 d=5 e=5"),
      relative("one_table", "d", "", ", nearest = 1 : i64", "h=2 d=8 e=3"),
      relative("window", "h*d", "", ", window = 5 : i64", "h=2 d=4 e=4"),
      relative("far_window", "d", "", ", nearest = 2 : i64, window = 9 : i64", "h=1 d=20 e=9"),
      relative("dropped", "h*d", "", ", drop_rate = 0.2 : f32, site = 6 : i32", "h=2 d=3 e=7"),
      relative("span", "d", "h", ramp + ", nearest = 1 : i64", "h=3 d=4 e=8"),
      relative("span_dropped", "d", "h,1,1", ramp + ", nearest = 1 : i64, drop_rate = 0.2 : f32, site = 2 : i32",
               "h=2 d=16 e=16"),
      shared,
      relative("capped", "h*d", "", ", soft_cap = 0.75 : f32, window = 9 : i64", "h=2 d=8 e=8"),
      relative("span_capped", "d", "h", ramp + ", nearest = 1 : i64, soft_cap = 0.5 : f32", "h=2 d=4 e=8"),
      step("capped", "d", "h", ", nearest = 1 : i64, span_unit = 4 : i64, ramp = 2 : i64, soft_cap = 0.5 : f32",
           "h=2 d=6 e=5"),
      step("plain", "h*d", "", "", "h=3 d=5 e=6"),
      step("window", "d", "", ", nearest = 1 : i64, window = 2 : i64", "h=2 d=8 e=8"),
      step("span", "d", "h", ", nearest = 1 : i64, span_unit = 4 : i64, ramp = 2 : i64", "h=2 d=4 e=37"),
      forgetting(step("plain", "h*d", "", "", "h=2 d=5 e=4"), 3, 8),
      forgetting(step("window", "d", "", ", nearest = 1 : i64, window = 2 : i64", "h=1 d=8 e=8"), 5, 12),
      forgetting(step("span", "d", "h", ", nearest = 1 : i64, span_unit = 9 : i64, ramp = 2 : i64", "h=2 d=4 e=5"), 4,
                 9),
      // Blocks of keys that begin before the oldest step.
      forgetting(step("blocks", "d", "", "", "h=1 d=4 e=4"), 66, 100),
  };
}
