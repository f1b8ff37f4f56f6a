// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_RELATIVEATTENTIONOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_RELATIVEATTENTIONOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_Span : ConfinedType<RankedTensorOf<[F32]>, [HasRankGreaterOrEqualPred<1>],
                                "ranked tensor of f32 with one element per head">;

def Bifocal_RelativeAttentionOp : Bifocal_PureOp<"relative_attention", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "multi-head attention that scores how far away a key is, with memory and with a learned span";
  let description = [{
    Heads as those of `bifocal.attention`: H = `heads` with D channels of a query, G = `kv_heads` (0, the default: H) of
    keys and of values with E channels, g(h) = floor(h G / H). The keys are those of M = S - T steps before the queries
    (a memory) and those of the queries, so query t and key s are d = M + t - s steps apart, and see each other where
    d >= `nearest` and, with `window` W > 0, d < `nearest` + W. Over them:

        x[b, h, t, s]     = <query[b, t, h], key[b, s, g(h)]> + <position_query[b, t, h], positions[d - nearest, h]>
        score[b, h, t, s] = cap(scale * x[b, h, t, s])
        e[b, h, t, s]     = exp(score[b, h, t, s]) * ramp(d, h)
        lse[b, h, t]      = log(sum over s of e[b, h, t, s])
        output[b, t, h]   = sum over s of drop(e[b, h, t, s] / exp(lse[b, h, t])) * value[b, s, g(h)]

    with cap as in `bifocal.attention`. Without `span`, ramp is 1. With it, z = span[h] * `span_unit`, ramp(d, h) =
    min(1, max(0, (z + 1 - d) / `ramp` + 1)), and keys where it is 0 are not read: a head costs as much as its span is
    long. A query that sees no key gets zeros.

    | Name             | Shape                   | Element    | Meaning                                               |
    |------------------|-------------------------|------------|-------------------------------------------------------|
    | `query`          | `[B, T, C]`             | any float  | with Transformer-XL's bias of contents (r_w_bias)     |
    | `position_query` | `[B, T, C]`             | any float  | with its bias of positions (r_r_bias), or `query`     |
    | `key`            | `[B, S, GD]`            | any float  | of memory and segment, S >= T                         |
    | `value`          | `[B, S, GE]`            | any float  |                                                       |
    | `positions`      | `[L, HD]` or `[L, D]`   | any float  | a row for each distance from `nearest` on, by head or one for all heads |
    | `span`           | H elements              | f32        | optional; the spans as parts of `span_unit`           |
    | `rng`            | `[2]`                   | i64        | seed and draw counter of the weights                  |
    | `output`         | `[B, T, HE]`            | as `query` |                                                       |
    | `lse`            | `[B, H, T]`             | f32        | kept for the backward pass                            |

    Keys farther away than `positions` has rows are not seen. With `drop_rate` > 0 weights are dropped as by
    `bifocal.dropout` on `[B, H, T, S]` at `site`. Scores, the softmax and all sums are taken in f32; neither scores nor
    shifted scores lie in memory: the shift is one of indices. Sources: Dai et al., Transformer-XL (2019), section 3.3
    and appendix B; Sukhbaatar et al., Adaptive Attention Span (2019), section 3, with the sum of the masked weights
    as divisor.

    Constraints:
    - (C1) `heads` >= 1 divides C, which is static; `kv_heads` divides `heads`.
    - (C2) `key` has the batch of `query` and GD channels; `value` has the batch and the steps of `key`, and G divides its
      channels, which are static; `position_query` has the shape of `query`.
    - (C3) `positions` has C or D channels.
    - (C4) `nearest` and `window` are >= 0; with `span`, which has H elements, `span_unit` and `ramp` are >= 1.
    - (C5) `drop_rate` is in [0, 1); above 0 it needs `rng`.
    - (C6) `output` has the batch and the steps of `query` and HE channels.
    - (C7) `lse` has the shape `[B, H, T]`.
    - (C8) `soft_cap` is 0 or a normal number above it.

    Example:

    ```mlir
    %y, %lse = bifocal.relative_attention %q, %pq, %k, %v, %positions {heads = 8 : i64, scale = 0.125 : f32}
        : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>)
        -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$query, Bifocal_Sequence:$position_query, Bifocal_Sequence:$key, Bifocal_Sequence:$value,
    Bifocal_Matrix:$positions, Optional<Bifocal_Span>:$span, Optional<Bifocal_Rng>:$rng, I64Attr:$heads, F32Attr:$scale,
    DefaultValuedAttr<F32Attr, "0.0f">:$soft_cap,
    DefaultValuedAttr<I64Attr, "0">:$nearest, DefaultValuedAttr<I64Attr, "0">:$window,
    DefaultValuedAttr<I64Attr, "0">:$span_unit, DefaultValuedAttr<I64Attr, "0">:$ramp,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site,
    DefaultValuedAttr<I64Attr, "0">:$kv_heads);
  let results = (outs Bifocal_Sequence:$output, 3DTensorOf<[F32]>:$lse);
  let assemblyFormat = [{ $query `,` $position_query `,` $key `,` $value `,` $positions (`span` $span^)? (`rng` $rng^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Bifocal_RelativeAttentionGradOp : Bifocal_PureOp<"relative_attention_grad", [AttrSizedOperandSegments]> {
  let summary = "gradients of relative_attention for its queries, keys, values, positions and spans";
  let description = [{
    With the weights p = exp(score - lse) of `bifocal.relative_attention` without their ramp r, computed again, m their
    drop factors, g the key and value head of h, c[b, h, t] = <output_grad[b, t, h], output[b, t, h]>, and the slope y =
    1 - (score / M)^2 of a `soft_cap` M > 0 (1 without it):

        w[h, t, s]                   = m <output_grad[b, t, h], value[b, s, g]> - c[b, h, t]
        value_grad[b, s, g]          = sum over the heads h of g and t of m r p[h, t, s] * output_grad[b, t, h]
        z[h, t, s]                   = scale * y r p[h, t, s] * w[h, t, s]
        query_grad[b, t, h]          = sum over s of z[h, t, s] * key[b, s, g]
        position_query_grad[b, t, h] = sum over s of z[h, t, s] * positions[d - nearest, h]
        key_grad[b, s, g]            = sum over the heads h of g and t of z[h, t, s] * query[b, t, h]
        positions_grad[i, h]         = sum over b, t and s with d - nearest = i of z[h, t, s] * position_query[b, t, h]
        span_grad[h]                 = span_unit / ramp * sum over b, t and s on the ramp, ends included, of p[h, t, s] * w[h, t, s]

    One row of `positions` for all heads gets the sum over the heads.

    | Name                                                          | Shape          | Element   | Meaning             |
    |---------------------------------------------------------------|----------------|-----------|---------------------|
    | `output_grad`                                                 | as `output`    | any float |                     |
    | `query`, `position_query`, `key`, `value`, `positions`        | as forward     | any float |                     |
    | `output`, `lse`                                               | as forward     |           | of the forward pass |
    | `span`, `rng`                                                 | as forward     |           | optional            |
    | every gradient                                                | as its operand | any float; of `span` f32 |      |

    Sums are taken in f32, in an order that the shape and the spans alone fix.

    Constraints: (C1) to (C5) and (C8) as for `bifocal.relative_attention`.
    - (C6) `output_grad` and `output` have the batch and the steps of `query` and HE channels, `lse` is `[B, H, T]`.
    - (C7) Every gradient has the shape of its operand; there is one of `span` where there is a `span`.

    Example:

    ```mlir
    %dq, %dpq, %dk, %dv, %dp = bifocal.relative_attention_grad %g, %q, %pq, %k, %v, %positions, %y, %lse
        {heads = 8 : i64, scale = 0.125 : f32}
        : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>,
           tensor<?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>)
        -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$output_grad, Bifocal_Sequence:$query, Bifocal_Sequence:$position_query,
    Bifocal_Sequence:$key, Bifocal_Sequence:$value, Bifocal_Matrix:$positions, Bifocal_Sequence:$output,
    3DTensorOf<[F32]>:$lse, Optional<Bifocal_Span>:$span, Optional<Bifocal_Rng>:$rng, I64Attr:$heads, F32Attr:$scale,
    DefaultValuedAttr<F32Attr, "0.0f">:$soft_cap,
    DefaultValuedAttr<I64Attr, "0">:$nearest, DefaultValuedAttr<I64Attr, "0">:$window,
    DefaultValuedAttr<I64Attr, "0">:$span_unit, DefaultValuedAttr<I64Attr, "0">:$ramp,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site,
    DefaultValuedAttr<I64Attr, "0">:$kv_heads);
  let results = (outs Bifocal_Sequence:$query_grad, Bifocal_Sequence:$position_query_grad, Bifocal_Sequence:$key_grad,
    Bifocal_Sequence:$value_grad, Bifocal_Matrix:$positions_grad, Optional<Bifocal_Span>:$span_grad);
  let assemblyFormat = [{ $output_grad `,` $query `,` $position_query `,` $key `,` $value `,` $positions `,` $output `,` $lse (`span` $span^)? (`rng` $rng^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Bifocal_RelativeAttentionStepOp : Bifocal_Op<"relative_attention_step", [
    DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "relative attention of the newest step over cached keys and values";
  let description = [{
    One decoding step of a `bifocal.relative_attention`, with its H, G, D, E and L and its `soft_cap`. The caches keep
    the last P steps, step p in slot p mod P. With t the value of `step` it first writes `key[n]` and `value[n]` to row
    n of step t, then attends from `query[n]` to the steps t - P < p <= t that are t - p away, whose row is
    `ancestors[n, p mod P]` for p < t and n for p = t. Steps before the first one count if t begins at P or above: their
    keys are what the caches began with.

    | Name                      | Shape                 | Element    | Meaning                                             |
    |---------------------------|-----------------------|------------|-----------------------------------------------------|
    | `query`, `position_query` | `[N, C]`              | any float  | the newest step of N hypotheses                     |
    | `key`                     | `[N, GD]`             | as `query` |                                                     |
    | `value`                   | `[N, GE]`             | as `query` |                                                     |
    | `positions`               | `[L, HD]` or `[L, D]` | any float  | a row for each distance from `nearest` on           |
    | `span`                    | H elements            | f32        | optional; the spans as parts of `span_unit`         |
    | `ancestors`               | `[N, P]`              | i32        | the physical row of hypothesis n's history, by slot |
    | `step`                    | scalar                | i32        | number of steps before this one                     |
    | `key_cache`               | `[P, R, GD]`          | as `query` | state, slots first                                  |
    | `value_cache`             | `[P, R, GE]`          | as `query` | state, slots first                                  |
    | `output`                  | `[N, HE]`             | as `query` |                                                     |

    Reads and writes the states, so it is neither moved nor merged. Sums are taken in f32.

    Constraints:
    - (C1) `heads` >= 1 divides C, which is static; `kv_heads` divides `heads`.
    - (C2) `key` has the rows of `query` and GD channels, `value` the rows of `query` and channels that G divides, `output`
      the rows of `query` and HE channels; `position_query` has the shape of `query`.
    - (C3) `ancestors` has N rows.
    - (C4) `key_cache` and `value_cache` name states `[P, R, ...]` of the element type of `query` with the channels of `key`
      and of `value`.
    - (C5) `positions`, `span` and their attributes as for `bifocal.relative_attention`, (C3) and (C4).
    - (C6) `soft_cap` is 0 or a normal number above it.

    Example:

    ```mlir
    %y = bifocal.relative_attention_step %q, %pq, %k, %v, %positions caches @self.key, @self.value ancestors %ancestors
        step %step {heads = 8 : i64, scale = 0.125 : f32}
        : (tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x?xi32>,
           tensor<i32>) -> tensor<?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Matrix:$query, Bifocal_Matrix:$position_query, Bifocal_Matrix:$key, Bifocal_Matrix:$value,
    Bifocal_Matrix:$positions, Optional<Bifocal_Span>:$span, 2DTensorOf<[I32]>:$ancestors, 0DTensorOf<[I32]>:$step,
    FlatSymbolRefAttr:$key_cache, FlatSymbolRefAttr:$value_cache, I64Attr:$heads, F32Attr:$scale,
    DefaultValuedAttr<F32Attr, "0.0f">:$soft_cap,
    DefaultValuedAttr<I64Attr, "0">:$nearest, DefaultValuedAttr<I64Attr, "0">:$window,
    DefaultValuedAttr<I64Attr, "0">:$span_unit, DefaultValuedAttr<I64Attr, "0">:$ramp,
    DefaultValuedAttr<I64Attr, "0">:$kv_heads);
  let results = (outs Bifocal_Matrix:$output);
  let assemblyFormat = [{ $query `,` $position_query `,` $key `,` $value `,` $positions (`span` $span^)? `caches` $key_cache `,` $value_cache `ancestors` $ancestors `step` $step attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}
#endif
