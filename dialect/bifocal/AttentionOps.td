// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_ATTENTIONOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_ATTENTIONOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_AttentionOp : Bifocal_PureOp<"attention", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "multi-head scaled dot-product attention";
  let description = [{
    Head h of H = `heads` owns the channels [h D, (h + 1) D) of `query`, D = C / H. There are G = `kv_heads` heads of keys
    and values (0, the default: H), and head h reads number g(h) = floor(h G / H) of them (grouped-query attention, Ainslie
    et al., 2023); a value has E channels, D or any other number. Over the visible keys s of query t (with `causal`
    s <= t, with `mask` only where it is true):

        e[b, h, t, s]   = exp(cap(scale * <query[b, t, h], key[b, s, g(h)]>))
        lse[b, h, t]    = log(sum over s of e[b, h, t, s])
        output[b, t, h] = sum over s of drop(e[b, h, t, s] / exp(lse[b, h, t])) * value[b, s, g(h)]

    A query that sees no key gets zeros. With `soft_cap` M > 0 cap(x) = M tanh(x / M), so no score is beyond M (Gemma 2,
    2024, section 2); without it, cap(x) = x.

    | Name     | Shape        | Element    | Meaning                              |
    |----------|--------------|------------|--------------------------------------|
    | `query`  | `[B, T, C]`  | any float  | batch, time step, channel            |
    | `key`    | `[B, S, GD]` | any float  |                                      |
    | `value`  | `[B, S, GE]` | any float  |                                      |
    | `mask`   | `[B, S]`     | i1         | optional; true at real keys          |
    | `rng`    | `[2]`        | i64        | seed and draw counter of the weights |
    | `output` | `[B, T, HE]` | as `query` |                                      |
    | `lse`    | `[B, H, T]`  | f32        | kept for the backward pass           |

    With `drop_rate` > 0 weights are dropped as by `bifocal.dropout` on `[B, H, T, S]` at `site`. Scores, the softmax and
    all sums are taken in f32; no `[T, S]` tensor lives in memory.

    Constraints:
    - (C1) `heads` >= 1 divides C, which is static; `kv_heads` divides `heads`.
    - (C2) `key` has the batch of `query` and GD channels; `value` has the batch and the steps of `key`, and G divides its
      channels, which are static.
    - (C3) `mask` has the shape `[B, S]`.
    - (C4) `causal` needs T = S.
    - (C5) `drop_rate` is in [0, 1); above 0 it needs `rng`.
    - (C6) `output` has the batch and the steps of `query` and HE channels.
    - (C7) `lse` has the shape `[B, H, T]`.
    - (C8) `soft_cap` is 0 or a normal number above it.

    Example:

    ```mlir
    %y, %lse = bifocal.attention %q, %k, %v mask %mask {heads = 8 : i64, scale = 0.125 : f32}
        : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?xi1>)
        -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$query, Bifocal_Sequence:$key, Bifocal_Sequence:$value, Optional<Bifocal_Mask>:$mask,
    Optional<Bifocal_Rng>:$rng, I64Attr:$heads, F32Attr:$scale, DefaultValuedAttr<F32Attr, "0.0f">:$soft_cap,
    UnitAttr:$causal, DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site,
    DefaultValuedAttr<I64Attr, "0">:$kv_heads);
  let results = (outs Bifocal_Sequence:$output, 3DTensorOf<[F32]>:$lse);
  let assemblyFormat = [{ $query `,` $key `,` $value (`mask` $mask^)? (`rng` $rng^)? (`causal` $causal^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Bifocal_AttentionGradOp : Bifocal_PureOp<"attention_grad", [AttrSizedOperandSegments]> {
  let summary = "gradients of attention for query, key and value";
  let description = [{
    With the weights p = exp(x - lse) of `bifocal.attention` computed again from its scores x = cap(scale <q, k>), m
    their drop factors, g the key and value head of h, d[b, h, t] = <output_grad[b, t, h], output[b, t, h]>, and the
    slope c = 1 - (x / M)^2 of a `soft_cap` M > 0 (1 without it):

        value_grad[b, s, g] = sum over the heads h of g and t of m p[h, t, s] * output_grad[b, t, h]
        z[h, t, s]          = scale * c[h, t, s] * p[h, t, s] * (m <output_grad[b, t, h], value[b, s, g]> - d[b, h, t])
        query_grad[b, t, h] = sum over s of z[h, t, s] * key[b, s, g]
        key_grad[b, s, g]   = sum over the heads h of g and t of z[h, t, s] * query[b, t, h]

    | Name                       | Shape         | Element   | Meaning                 |
    |----------------------------|---------------|-----------|-------------------------|
    | `output_grad`              | as `output`   | any float |                         |
    | `query`, `key`, `value`    | as forward    | any float |                         |
    | `output`, `lse`            | as forward    |           | of the forward pass     |
    | `mask`, `rng`              | as forward    |           | optional                |
    | every gradient             | as its operand | any float |                        |

    Sums are taken in f32, in an order that the shape alone fixes.

    Constraints: (C1) to (C5) and (C8) as for `bifocal.attention`.
    - (C6) `output_grad` and `output` have the batch and the steps of `query` and HE channels, `lse` is `[B, H, T]`.
    - (C7) Every gradient has the shape of its operand.

    Example:

    ```mlir
    %dq, %dk, %dv = bifocal.attention_grad %g, %q, %k, %v, %y, %lse causal {heads = 8 : i64, scale = 0.125 : f32}
        : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>)
        -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$output_grad, Bifocal_Sequence:$query, Bifocal_Sequence:$key, Bifocal_Sequence:$value,
    Bifocal_Sequence:$output, 3DTensorOf<[F32]>:$lse, Optional<Bifocal_Mask>:$mask, Optional<Bifocal_Rng>:$rng,
    I64Attr:$heads, F32Attr:$scale, DefaultValuedAttr<F32Attr, "0.0f">:$soft_cap,
    UnitAttr:$causal, DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site,
    DefaultValuedAttr<I64Attr, "0">:$kv_heads);
  let results = (outs Bifocal_Sequence:$query_grad, Bifocal_Sequence:$key_grad, Bifocal_Sequence:$value_grad);
  let assemblyFormat = [{ $output_grad `,` $query `,` $key `,` $value `,` $output `,` $lse (`mask` $mask^)? (`rng` $rng^)? (`causal` $causal^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Bifocal_AttentionStepOp : Bifocal_Op<"attention_step", [
    DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "attention of the newest step over cached keys and values";
  let description = [{
    One decoding step of a causal `bifocal.attention`, with its H, G, D and E and its `soft_cap`. With t the value of
    `step` it first writes `key[n]` and `value[n]` to row n of step t of the caches, then attends from `query[n]` to the
    steps p <= t, whose row is `ancestors[n, p]` for p < t and n for p = t.

    | Name          | Shape        | Element    | Meaning                                             |
    |---------------|--------------|------------|-----------------------------------------------------|
    | `query`       | `[N, C]`     | any float  | the newest step of N hypotheses                     |
    | `key`         | `[N, GD]`    | as `query` |                                                     |
    | `value`       | `[N, GE]`    | as `query` |                                                     |
    | `ancestors`   | `[N, P]`     | i32        | the physical row of hypothesis n's history, by step |
    | `step`        | scalar       | i32        | number of steps before this one                     |
    | `key_cache`   | `[P, R, GD]` | as `query` | state, time-major                                   |
    | `value_cache` | `[P, R, GE]` | as `query` | state, time-major                                   |
    | `output`      | `[N, HE]`    | as `query` |                                                     |

    Reads and writes the states, so it is neither moved nor merged. Sums are taken in f32.

    Constraints:
    - (C1) `heads` >= 1 divides C, which is static; `kv_heads` divides `heads`.
    - (C2) `key` has the rows of `query` and GD channels, `value` the rows of `query` and channels that G divides, `output`
      the rows of `query` and HE channels.
    - (C3) `ancestors` has N rows.
    - (C4) `key_cache` and `value_cache` name states `[P, R, ...]` of the element type of `query` with the channels of `key`
      and of `value`.
    - (C5) `soft_cap` is 0 or a normal number above it.

    Example:

    ```mlir
    %y = bifocal.attention_step %q, %k, %v caches @self.key, @self.value ancestors %ancestors step %step
        {heads = 8 : i64, scale = 0.125 : f32}
        : (tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Matrix:$query, Bifocal_Matrix:$key, Bifocal_Matrix:$value,
    2DTensorOf<[I32]>:$ancestors, 0DTensorOf<[I32]>:$step, FlatSymbolRefAttr:$key_cache, FlatSymbolRefAttr:$value_cache,
    I64Attr:$heads, F32Attr:$scale, DefaultValuedAttr<F32Attr, "0.0f">:$soft_cap,
    DefaultValuedAttr<I64Attr, "0">:$kv_heads);
  let results = (outs Bifocal_Matrix:$output);
  let assemblyFormat = [{ $query `,` $key `,` $value `caches` $key_cache `,` $value_cache `ancestors` $ancestors `step` $step attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}

def Bifocal_CrossAttentionStepOp : Bifocal_Op<"cross_attention_step", [
    DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "attention of the newest step to the encoded source";
  let description = [{
    `bifocal.attention`, with its `soft_cap`, of one query per hypothesis n to the keys and values of sentence
    `sentences[n]`, where the mask is true.

    | Name             | Shape       | Element    | Meaning                          |
    |------------------|-------------|------------|----------------------------------|
    | `query`          | `[N, C]`    | any float  | the newest step of N hypotheses  |
    | `sentences`      | `[N]`       | i32        | the batch row of each hypothesis |
    | `keys`, `values` | `[B, S, C]` | as `query` | states that `encode` wrote       |
    | `mask`           | `[B, S]`    | i1         | state; true at real source steps |
    | `output`         | `[N, C]`    | as `query` |                                  |

    Reads the states. Sums are taken in f32.

    Constraints:
    - (C1) `heads` >= 1 divides C, which is static.
    - (C2) `output` has the shape of `query`.
    - (C3) `sentences` has N elements.
    - (C4) `keys` and `values` name states `[B, S, C]` of the element type of `query`, `mask` one `[B, S]` of i1.
    - (C5) `soft_cap` is 0 or a normal number above it.

    Example:

    ```mlir
    %y = bifocal.cross_attention_step %q sentences %sentences states @cross.key, @cross.value, @source_mask
        {heads = 8 : i64, scale = 0.125 : f32} : (tensor<?x512xf32>, tensor<?xi32>) -> tensor<?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Matrix:$query, 1DTensorOf<[I32]>:$sentences, FlatSymbolRefAttr:$keys, FlatSymbolRefAttr:$values,
    FlatSymbolRefAttr:$mask, I64Attr:$heads, F32Attr:$scale, DefaultValuedAttr<F32Attr, "0.0f">:$soft_cap);
  let results = (outs Bifocal_Matrix:$output);
  let assemblyFormat = [{ $query `sentences` $sentences `states` $keys `,` $values `,` $mask attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}
#endif
