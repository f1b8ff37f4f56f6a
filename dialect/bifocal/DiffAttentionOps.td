// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_DIFFATTENTIONOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_DIFFATTENTIONOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_DiffAttentionOp : Bifocal_PureOp<"diff_attention", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "attention with the difference of two softmax maps as weights";
  let description = [{
    Every head h has two queries, and every one of the G = `kv_heads` (0, the default: `heads`) key and value heads two
    keys: neighbours, so query (h, m) owns the channels [(2h + m) D, (2h + m + 1) D) with D = C / (2 heads), key (g, m)
    likewise, and value g the channels [g E, (g + 1) E). Head h reads the keys and the values of g(h) = floor(h G / heads).
    Over the visible keys s of query t (with `causal` s <= t, with `mask` only where it is true), for m = 0, 1:

        e[b, h, m, t, s]      = exp(cap(scale * <query[b, t, h, m], key[b, s, g(h), m]>))
        lse[b, 2h + m, t]     = log(sum over s of e[b, h, m, t, s])
        p[b, h, m, t, s]      = drop(e[b, h, m, t, s] / exp(lse[b, 2h + m, t]))
        output[b, t, h]       = sum over s of (p[b, h, 0, t, s] - lambda * p[b, h, 1, t, s]) * value[b, s, g(h)]

    with cap as in `bifocal.attention`. A query that sees no key gets zeros. The values are read once for both maps, and
    no sum of values of one map alone is ever made: the norm per head behind it (`bifocal.rms_norm` with `group` = E) is
    an op of its own, since it reads rows that this op has just written.

    | Name     | Shape                     | Element    | Meaning                                      |
    |----------|---------------------------|------------|----------------------------------------------|
    | `query`  | `[B, T, C]`               | any float  | batch, time step, channel: C = 2 heads D     |
    | `key`    | `[B, S, 2 G D]`           | any float  |                                              |
    | `value`  | `[B, S, G E]`             | any float  |                                              |
    | `lambda` | scalar                    | f32        | what the second map counts                   |
    | `mask`   | `[B, S]`                  | i1         | optional; true at real keys                  |
    | `rng`    | `[2]`                     | i64        | seed and draw counter of the weights         |
    | `output` | `[B, T, heads E]`         | as `query` | before the norm per head                     |
    | `lse`    | `[B, 2 heads, T]`         | f32        | kept for the backward pass                   |

    With `drop_rate` > 0 weights are dropped as by `bifocal.dropout` on `[B, 2 heads, T, S]` at `site`. Scores, the softmax
    and all sums are taken in f32; no `[T, S]` tensor lives in memory. Source: Ye et al., Differential Transformer (2024),
    section 2.1; keys of grouped heads as in its flash variants, which keep the two keys of a pair apart.

    Constraints:
    - (C1) 2 `heads` >= 2 divides C, which is static; `kv_heads` divides `heads`.
    - (C2) `key` has the batch of `query` and 2 G D channels; `value` has the batch and the steps of `key`, and G divides its
      channels, which are static.
    - (C3) `mask` has the shape `[B, S]`.
    - (C4) `causal` needs T = S.
    - (C5) `drop_rate` is in [0, 1); above 0 it needs `rng`.
    - (C6) `output` has the batch and the steps of `query` and heads E channels.
    - (C7) `lse` has the shape `[B, 2 heads, T]`.
    - (C8) `soft_cap` is 0 or a normal number above it.

    Example:

    ```mlir
    %y, %lse = bifocal.diff_attention %q, %k, %v lambda %lambda causal {heads = 4 : i64, scale = 0.125 : f32}
        : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>)
        -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$query, Bifocal_Sequence:$key, Bifocal_Sequence:$value, Bifocal_Scalar:$lambda,
    Optional<Bifocal_Mask>:$mask, Optional<Bifocal_Rng>:$rng, I64Attr:$heads, F32Attr:$scale,
    DefaultValuedAttr<F32Attr, "0.0f">:$soft_cap, UnitAttr:$causal, DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate,
    DefaultValuedAttr<I32Attr, "0">:$site, DefaultValuedAttr<I64Attr, "0">:$kv_heads);
  let results = (outs Bifocal_Sequence:$output, 3DTensorOf<[F32]>:$lse);
  let assemblyFormat = [{ $query `,` $key `,` $value `lambda` $lambda (`mask` $mask^)? (`rng` $rng^)? (`causal` $causal^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Bifocal_DiffAttentionGradOp : Bifocal_PureOp<"diff_attention_grad", [AttrSizedOperandSegments]> {
  let summary = "gradients of diff_attention for query, key, value and lambda";
  let description = [{
    With the weights a = exp(x - lse) of `bifocal.diff_attention` computed again from its scores x = cap(scale <q, k>),
    n their drop factors, c = 1 - (x / M)^2 the slope of a `soft_cap` M > 0 (1 without it), g the key and value head of
    h, and w[b, h, t, s] = <output_grad[b, t, h], value[b, s, g]>:

        d[b, h, m, t]         = sum over s of n a[m, t, s] * w[t, s]
        z[0, t, s]            = scale * c a[0, t, s] * (n w[t, s] - d[0, t])
        z[1, t, s]            = -lambda * scale * c a[1, t, s] * (n w[t, s] - d[1, t])
        query_grad[b, t, h, m] = sum over s of z[m, t, s] * key[b, s, g, m]
        key_grad[b, s, g, m]   = sum over the heads h of g and t of z[m, t, s] * query[b, t, h, m]
        value_grad[b, s, g]    = sum over the heads h of g and t of (n a[0, t, s] - lambda n a[1, t, s]) * output_grad[b, t, h]
        lambda_grad            = - sum over b, h and t of d[b, h, 1, t]

    | Name                    | Shape       | Element   | Meaning             |
    |-------------------------|-------------|-----------|---------------------|
    | `output_grad`           | as `output` of the forward pass | any float | |
    | `query`, `key`, `value`, `lambda` | as forward | any float |          |
    | `lse`                   | as forward  | f32       | of the forward pass |
    | `mask`, `rng`           | as forward  |           | optional            |
    | `query_grad`, `key_grad`, `value_grad` | as their operands | any float | |
    | `lambda_grad`           | scalar      | f32       |                     |

    Neither the output nor the sums of a single map are read: d comes from the weights, which are there anyway. Sums are
    taken in f32, in an order that the shape alone fixes.

    Constraints: (C1) to (C5) and (C8) as for `bifocal.diff_attention`.
    - (C6) `output_grad` has the batch and the steps of `query` and heads E channels, `lse` is `[B, 2 heads, T]`.
    - (C7) Every gradient has the shape of its operand.

    Example:

    ```mlir
    %dq, %dk, %dv, %dlambda = bifocal.diff_attention_grad %g, %q, %k, %v lambda %lambda lse %lse causal
        {heads = 4 : i64, scale = 0.125 : f32}
        : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>, tensor<?x8x?xf32>)
        -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>)
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$output_grad, Bifocal_Sequence:$query, Bifocal_Sequence:$key, Bifocal_Sequence:$value,
    Bifocal_Scalar:$lambda, 3DTensorOf<[F32]>:$lse, Optional<Bifocal_Mask>:$mask, Optional<Bifocal_Rng>:$rng,
    I64Attr:$heads, F32Attr:$scale, DefaultValuedAttr<F32Attr, "0.0f">:$soft_cap, UnitAttr:$causal,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site,
    DefaultValuedAttr<I64Attr, "0">:$kv_heads);
  let results = (outs Bifocal_Sequence:$query_grad, Bifocal_Sequence:$key_grad, Bifocal_Sequence:$value_grad, Bifocal_Scalar:$lambda_grad);
  let assemblyFormat = [{ $output_grad `,` $query `,` $key `,` $value `lambda` $lambda `lse` $lse (`mask` $mask^)? (`rng` $rng^)? (`causal` $causal^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Bifocal_DiffAttentionStepOp : Bifocal_Op<"diff_attention_step", [
    DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "differential attention of the newest step over cached keys and values";
  let description = [{
    One decoding step of a causal `bifocal.diff_attention`, with its G, D and E and its `soft_cap`. With t the value of
    `step` it first writes `key[n]` and `value[n]` to row n of step t of the caches, then attends from `query[n]` to the
    steps p <= t, whose row is `ancestors[n, p]` for p < t and n for p = t. A cached value is read once for both maps.

    | Name          | Shape         | Element    | Meaning                                             |
    |---------------|---------------|------------|-----------------------------------------------------|
    | `query`       | `[N, C]`      | any float  | the newest step of N hypotheses, C = 2 heads D      |
    | `key`         | `[N, 2GD]`    | as `query` |                                                     |
    | `value`       | `[N, GE]`     | as `query` |                                                     |
    | `lambda`      | scalar        | f32        | what the second map counts                          |
    | `ancestors`   | `[N, P]`      | i32        | the physical row of hypothesis n's history, by step |
    | `step`        | scalar        | i32        | number of steps before this one                     |
    | `key_cache`   | `[P, R, 2GD]` | as `query` | state, time-major                                   |
    | `value_cache` | `[P, R, GE]`  | as `query` | state, time-major                                   |
    | `output`      | `[N, heads E]`| as `query` |                                                     |

    Reads and writes the states, so it is neither moved nor merged. Sums are taken in f32.

    Constraints:
    - (C1) 2 `heads` >= 2 divides C, which is static; `kv_heads` divides `heads`.
    - (C2) `key` has the rows of `query` and 2GD channels, `value` the rows of `query` and channels that G divides, `output`
      the rows of `query` and heads E channels.
    - (C3) `ancestors` has N rows.
    - (C4) `key_cache` and `value_cache` name states `[P, R, ...]` of the element type of `query` with the channels of `key`
      and of `value`.
    - (C5) `soft_cap` is 0 or a normal number above it.

    Example:

    ```mlir
    %y = bifocal.diff_attention_step %q, %k, %v lambda %lambda caches @self.key, @self.value ancestors %ancestors step %step
        {heads = 4 : i64, scale = 0.125 : f32}
        : (tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<f32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Matrix:$query, Bifocal_Matrix:$key, Bifocal_Matrix:$value, Bifocal_Scalar:$lambda,
    2DTensorOf<[I32]>:$ancestors, 0DTensorOf<[I32]>:$step, FlatSymbolRefAttr:$key_cache, FlatSymbolRefAttr:$value_cache,
    I64Attr:$heads, F32Attr:$scale, DefaultValuedAttr<F32Attr, "0.0f">:$soft_cap,
    DefaultValuedAttr<I64Attr, "0">:$kv_heads);
  let results = (outs Bifocal_Matrix:$output);
  let assemblyFormat = [{ $query `,` $key `,` $value `lambda` $lambda `caches` $key_cache `,` $value_cache `ancestors` $ancestors `step` $step attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}

def Bifocal_DiffLambdaOp : Bifocal_PureOp<"diff_lambda", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "what the second map of differential attention counts, from four vectors";
  let description = [{
        output = exp(<query0, key0>) - exp(<query1, key1>) + initial

    | Name                               | Shape  | Element   | Meaning                  |
    |------------------------------------|--------|-----------|--------------------------|
    | `query0`, `key0`, `query1`, `key1` | `[D]`  | any float | lambda_q1, _k1, _q2, _k2 |
    | `output`                           | scalar | f32       |                          |

    Sums are taken in f32. Source: Ye et al., Differential Transformer (2024), equation 2; `initial` is
    0.8 - 0.6 exp(-0.3 l) for the layer l, counted from 0. The value is not bounded.

    Constraints:
    - (C1) All vectors have the size of `query0`, which is static.

    Example:

    ```mlir
    %lambda = bifocal.diff_lambda %q1, %k1, %q2, %k2 {initial = 0.2 : f32}
        : (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<f32>
    ```
  }];
  let arguments = (ins Bifocal_Vector:$query0, Bifocal_Vector:$key0, Bifocal_Vector:$query1, Bifocal_Vector:$key1, F32Attr:$initial);
  let results = (outs Bifocal_Scalar:$output);
  let assemblyFormat = "$query0 `,` $key0 `,` $query1 `,` $key1 attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_DiffLambdaGradOp : Bifocal_PureOp<"diff_lambda_grad"> {
  let summary = "gradients of diff_lambda for its vectors";
  let description = [{
        query0_grad =  output_grad * exp(<query0, key0>) * key0,    key0_grad =  output_grad * exp(<query0, key0>) * query0
        query1_grad = -output_grad * exp(<query1, key1>) * key1,    key1_grad = -output_grad * exp(<query1, key1>) * query1

    | Name                               | Shape  | Element   |
    |------------------------------------|--------|-----------|
    | `output_grad`                      | scalar | f32       |
    | `query0`, `key0`, `query1`, `key1` | `[D]`  | any float |
    | every gradient                     | `[D]`  | any float |

    Constraints:
    - (C1) All vectors have the size of `query0`, which is static.

    Example:

    ```mlir
    %dq1, %dk1, %dq2, %dk2 = bifocal.diff_lambda_grad %g, %q1, %k1, %q2, %k2
        : (tensor<f32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>)
        -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Scalar:$output_grad, Bifocal_Vector:$query0, Bifocal_Vector:$key0, Bifocal_Vector:$query1, Bifocal_Vector:$key1);
  let results = (outs Bifocal_Vector:$query0_grad, Bifocal_Vector:$key0_grad, Bifocal_Vector:$query1_grad, Bifocal_Vector:$key1_grad);
  let assemblyFormat = "$output_grad `,` $query0 `,` $key0 `,` $query1 `,` $key1 attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_HeadDifferenceOp : Bifocal_PureOp<"head_difference", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "difference of neighbouring heads, the second one gated";
  let description = [{
    With H the channels of `gate` and E = C / (2 H):

        output[..., h, e] = input[..., 2h, e] - sigmoid(gate[..., h]) * input[..., 2h + 1, e]

    | Name     | Shape        | Element    | Meaning                                    |
    |----------|--------------|------------|--------------------------------------------|
    | `input`  | `[..., 2HE]` | any float  | the output of `bifocal.attention`, 2H heads |
    | `gate`   | `[..., H]`   | any float  | one number for every head and token        |
    | `output` | `[..., HE]`  | as `input` |                                            |

    Behind attention with 2H query heads it is the second version of differential attention (`Diff-Transformer-V2` of
    microsoft/unilm), whose maps share keys and values. The sigmoid is taken in f32.

    Constraints:
    - (C1) `gate` has the rows of `input`, and twice its channels, which are static, divide those of `input`.
    - (C2) `output` has the rows of `input` and half its channels.

    Example:

    ```mlir
    %y = bifocal.head_difference %x, %lambda : (tensor<?x?x1024xf32>, tensor<?x?x8xf32>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Tensor:$gate);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input `,` $gate attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_HeadDifferenceGradOp : Bifocal_PureOp<"head_difference_grad"> {
  let summary = "gradients of head_difference for input and gate";
  let description = [{
    With s = sigmoid(gate[..., h]) and g = output_grad[..., h, e]:

        input_grad[..., 2h, e]     = g
        input_grad[..., 2h + 1, e] = -s * g
        gate_grad[..., h]          = -s * (1 - s) * sum over e of g * input[..., 2h + 1, e]

    | Name                       | Shape        | Element   |
    |----------------------------|--------------|-----------|
    | `output_grad`              | `[..., HE]`  | any float |
    | `input`, `input_grad`      | `[..., 2HE]` | any float |
    | `gate`, `gate_grad`        | `[..., H]`   | any float |

    Sums are taken in f32.

    Constraints: (C1) as for `bifocal.head_difference`.
    - (C2) `output_grad` has the rows of `input` and half its channels.
    - (C3) `input_grad` and `gate_grad` have the shapes of `input` and `gate`.

    Example:

    ```mlir
    %dx, %dlambda = bifocal.head_difference_grad %g, %x, %lambda
        : (tensor<?x?x512xf32>, tensor<?x?x1024xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x1024xf32>, tensor<?x?x8xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$input, Bifocal_Tensor:$gate);
  let results = (outs Bifocal_Tensor:$input_grad, Bifocal_Tensor:$gate_grad);
  let assemblyFormat = "$output_grad `,` $input `,` $gate attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
#endif
