// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_CONVOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_CONVOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_LightConvOp : Bifocal_PureOp<"light_conv", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "convolution over time whose filters are shared by the channels of a head";
  let description = [{
    Every head has one filter of K taps. It is a correlation: tap `k` looks at offset `k - P`, where P is
    `left_padding`; positions outside the sequence read as zero. P = K - 1 is causal.

        output[b, t, c] = sum over k < K of w[h(c), k] * input[b, t + k - P, c] + bias[c],   h(c) = c / (C / H)
        w[h, k] = drop(taps[h, 0, k]), with `normalized` drop(softmax over k of taps[h, 0, k])

    | Name     | Shape       | Element       | Meaning                                         |
    |----------|-------------|---------------|-------------------------------------------------|
    | `input`  | `[B, T, C]` | any float     | batch, time step, channel                       |
    | `taps`   | `[H, 1, K]` | any float     | one filter per head, as in the state dict       |
    | `bias`   | `[C]`       | any float     | optional                                        |
    | `rng`    | `[2]`       | i64           | seed and draw counter of the dropped taps       |
    | `output` | `[B, T, C]` | as `input`    |                                                 |

    With `drop_rate` > 0 every tap is dropped or scaled as by `bifocal.dropout` on `[H, 1, K]` at `site`: one draw per
    head and tap, shared over batch and time. K may exceed T. Sums and the softmax are taken in f32.

    Constraints:
    - (C1) `taps` has the shape `[H, 1, K]`.
    - (C2) `K >= 1`.
    - (C3) H >= 1 divides C, which is static.
    - (C4) `0 <= left_padding < K`.
    - (C5) `bias` has C elements.
    - (C6) `drop_rate` is in [0, 1); above 0 it needs `rng`.

    Example:

    ```mlir
    %y = bifocal.light_conv %x, %taps normalized {left_padding = 3 : i64}
        : (tensor<?x?x512xf32>, tensor<4x1x7xf32>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$input, Bifocal_Sequence:$taps, Optional<Bifocal_Vector>:$bias,
    Optional<Bifocal_Rng>:$rng, I64Attr:$left_padding, UnitAttr:$normalized,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site);
  let results = (outs Bifocal_Sequence:$output);
  let assemblyFormat = [{ $input `,` $taps (`bias` $bias^)? (`rng` $rng^)? (`normalized` $normalized^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Bifocal_LightConvGradOp : Bifocal_PureOp<"light_conv_grad", [AllTypesMatch<["output_grad", "input", "input_grad"]>,
    AllTypesMatch<["taps", "taps_grad"]>]> {
  let summary = "gradients of light_conv for its input and its taps";
  let description = [{
    With w, h(c) and P as in `bifocal.light_conv`, whose taps are computed again:

        input_grad[b, s, c] = sum over k of w[h(c), k] * output_grad[b, s - k + P, c]
        w_grad[h, k]        = sum over b, t and c in h of output_grad[b, t, c] * input[b, t + k - P, c]

    `taps_grad` is w_grad taken back through the drop and, with `normalized`, through the softmax:
    w[k] * (d[k] - sum over j of w[j] d[j]). The gradient of the bias is the `bifocal.column_sum` of `output_grad`.

    | Name          | Shape       | Element    |
    |---------------|-------------|------------|
    | `output_grad` | `[B, T, C]` | any float  |
    | `input`       | `[B, T, C]` | the same   |
    | `taps`        | `[H, 1, K]` | any float  |
    | `input_grad`  | `[B, T, C]` | as `input` |
    | `taps_grad`   | `[H, 1, K]` | as `taps`  |

    Sums are taken in f32, over positions in an order that the shape alone fixes.

    Constraints: (C1) to (C4) as for `bifocal.light_conv`, (C5) as its (C6).

    Example:

    ```mlir
    %dx, %dtaps = bifocal.light_conv_grad %g, %x, %taps normalized {left_padding = 3 : i64}
        : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<4x1x7xf32>) -> (tensor<?x?x512xf32>, tensor<4x1x7xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$output_grad, Bifocal_Sequence:$input, Bifocal_Sequence:$taps,
    Optional<Bifocal_Rng>:$rng, I64Attr:$left_padding, UnitAttr:$normalized,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site);
  let results = (outs Bifocal_Sequence:$input_grad, Bifocal_Sequence:$taps_grad);
  let assemblyFormat = [{ $output_grad `,` $input `,` $taps (`rng` $rng^)? (`normalized` $normalized^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Bifocal_DynamicConvOp : Bifocal_PureOp<"dynamic_conv", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "convolution over time with own taps at every position";
  let description = [{
        output[b, t, c] = sum over k < K of w[b, t, h(c), k] * input[b, t + k - P, c] + bias[c],   h(c) = c / (C / H)
        w[b, t, h, k] = drop(taps[b, t, h * K + k]), with `normalized` drop(softmax over k of taps[b, t, h * K + k])

    The softmax runs over all K taps. With `renormalized` it runs only over the taps that fall inside the sequence;
    with `compat`, for a causal convolution with T < K, over the last T taps (what the published code does).

    | Name     | Shape           | Element    | Meaning                                   |
    |----------|-----------------|------------|-------------------------------------------|
    | `input`  | `[B, T, C]`     | any float  | batch, time step, channel                 |
    | `taps`   | `[B, T, H * K]` | any float  | head by head                              |
    | `bias`   | `[C]`           | any float  | optional                                  |
    | `rng`    | `[2]`           | i64        | seed and draw counter of the dropped taps |
    | `output` | `[B, T, C]`     | as `input` |                                           |

    With `drop_rate` > 0 taps are dropped as by `bifocal.dropout` on `[B, T, H * K]` at `site`. K may exceed T. Sums and
    the softmax are taken in f32.

    Constraints:
    - (C1) `heads` >= 1 divides C, which is static.
    - (C2) `taps` has H * K columns with K >= 1.
    - (C3) `taps` has the rows of `input`.
    - (C4) `0 <= left_padding < K`.
    - (C5) `bias` has C elements.
    - (C6) `drop_rate` is in [0, 1); above 0 it needs `rng`.
    - (C7) `renormalized` and `compat` need `normalized` and exclude each other.

    Example:

    ```mlir
    %y = bifocal.dynamic_conv %x, %taps normalized {heads = 4 : i64, left_padding = 6 : i64}
        : (tensor<?x?x512xf32>, tensor<?x?x28xf32>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$input, Bifocal_Sequence:$taps, Optional<Bifocal_Vector>:$bias,
    Optional<Bifocal_Rng>:$rng, I64Attr:$heads, I64Attr:$left_padding, UnitAttr:$normalized, UnitAttr:$renormalized, UnitAttr:$compat,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site);
  let results = (outs Bifocal_Sequence:$output);
  let assemblyFormat = [{ $input `,` $taps (`bias` $bias^)? (`rng` $rng^)? (`normalized` $normalized^)? (`renormalized` $renormalized^)? (`compat` $compat^)? attr-dict `:` functional-type(operands, results) }];
  let extraClassDeclaration = [{ int64_t getKernelSize(); }];
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Bifocal_DynamicConvGradOp : Bifocal_PureOp<"dynamic_conv_grad", [AllTypesMatch<["output_grad", "input", "input_grad"]>,
    AllTypesMatch<["taps", "taps_grad"]>]> {
  let summary = "gradients of dynamic_conv for its input and its taps";
  let description = [{
    With w, h(c) and P as in `bifocal.dynamic_conv`, whose taps are computed again:

        input_grad[b, s, c] = sum over k of w[b, s - k + P, h(c), k] * output_grad[b, s - k + P, c]
        w_grad[b, t, h, k]  = sum over c in h of output_grad[b, t, c] * input[b, t + k - P, c]

    `taps_grad` is w_grad taken back through the drop and, with `normalized`, through the softmax. The gradient of the
    bias is the `bifocal.column_sum` of `output_grad`.

    | Name          | Shape           | Element    |
    |---------------|-----------------|------------|
    | `output_grad` | `[B, T, C]`     | any float  |
    | `input`       | `[B, T, C]`     | the same   |
    | `taps`        | `[B, T, H * K]` | any float  |
    | `input_grad`  | `[B, T, C]`     | as `input` |
    | `taps_grad`   | `[B, T, H * K]` | as `taps`  |

    Sums are taken in f32.

    Constraints: (C1) to (C4) as for `bifocal.dynamic_conv`, (C5) as its (C6), (C6) as its (C7).

    Example:

    ```mlir
    %dx, %dtaps = bifocal.dynamic_conv_grad %g, %x, %taps normalized {heads = 4 : i64, left_padding = 6 : i64}
        : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x28xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x28xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$output_grad, Bifocal_Sequence:$input, Bifocal_Sequence:$taps,
    Optional<Bifocal_Rng>:$rng, I64Attr:$heads, I64Attr:$left_padding, UnitAttr:$normalized, UnitAttr:$renormalized, UnitAttr:$compat,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site);
  let results = (outs Bifocal_Sequence:$input_grad, Bifocal_Sequence:$taps_grad);
  let assemblyFormat = [{ $output_grad `,` $input `,` $taps (`rng` $rng^)? (`normalized` $normalized^)? (`renormalized` $renormalized^)? (`compat` $compat^)? attr-dict `:` functional-type(operands, results) }];
  let extraClassDeclaration = [{ int64_t getKernelSize(); }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Bifocal_LightConvStepOp : Bifocal_Op<"light_conv_step", [AllTypesMatch<["input", "output"]>,
    DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "light_conv of the newest step over a cache of inputs";
  let description = [{
    One decoding step of a causal `bifocal.light_conv` (P = K - 1). With t the value of `step` it first writes
    `input[n]` to `cache[t mod K, n]`, then

        output[n, c] = sum over k < K with p = t - (K - 1) + k >= 0 of w[h(c), k] * cache[p mod K, row(n, p), c] + bias[c]
        row(n, p) = ancestors[n, p] for p < t, n for p = t

    | Name        | Shape       | Element    | Meaning                                             |
    |-------------|-------------|------------|-----------------------------------------------------|
    | `input`     | `[N, C]`    | any float  | the newest step of N hypotheses                     |
    | `taps`      | `[H, 1, K]` | any float  |                                                     |
    | `bias`      | `[C]`       | any float  | optional                                            |
    | `ancestors` | `[N, P]`    | i32        | the physical row of hypothesis n's history, by step |
    | `step`      | scalar      | i32        | number of steps before this one                     |
    | `cache`     | `[K, R, C]` | as `input` | a `bifocal.state`; slot of step t is t mod K        |
    | `output`    | `[N, C]`    | as `input` |                                                     |

    Reads and writes the state, so it is neither moved nor merged. Sums are taken in f32.

    Constraints: (C1) to (C3) as for `bifocal.light_conv`.
    - (C4) `bias` has C elements.
    - (C5) `ancestors` has N rows.
    - (C6) `cache` names a state `[K, R, C]` of the element type of `input`.

    Example:

    ```mlir
    %y = bifocal.light_conv_step %x, %taps cache @conv.input ancestors %ancestors step %step normalized
        : (tensor<?x512xf32>, tensor<4x1x7xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Matrix:$input, Bifocal_Sequence:$taps, Optional<Bifocal_Vector>:$bias,
    2DTensorOf<[I32]>:$ancestors, 0DTensorOf<[I32]>:$step, FlatSymbolRefAttr:$cache, UnitAttr:$normalized);
  let results = (outs Bifocal_Matrix:$output);
  let assemblyFormat = [{ $input `,` $taps (`bias` $bias^)? `cache` $cache `ancestors` $ancestors `step` $step (`normalized` $normalized^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}

def Bifocal_DynamicConvStepOp : Bifocal_Op<"dynamic_conv_step", [AllTypesMatch<["input", "output"]>,
    DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "dynamic_conv of the newest step over a cache of inputs";
  let description = [{
    One decoding step of a causal `bifocal.dynamic_conv`, with the cache of `bifocal.light_conv_step`:

        output[n, c] = sum over k < K with p = t - (K - 1) + k >= 0 of w[n, h(c), k] * cache[p mod K, row(n, p), c] + bias[c]

    `normalized` takes the softmax over all K taps, `renormalized` and `compat` over those with p >= 0.

    | Name        | Shape        | Element    | Meaning                                             |
    |-------------|--------------|------------|-----------------------------------------------------|
    | `input`     | `[N, C]`     | any float  | the newest step of N hypotheses                     |
    | `taps`      | `[N, H * K]` | any float  | head by head                                        |
    | `bias`      | `[C]`        | any float  | optional                                            |
    | `ancestors` | `[N, P]`     | i32        | the physical row of hypothesis n's history, by step |
    | `step`      | scalar       | i32        | number of steps before this one                     |
    | `cache`     | `[K, R, C]`  | as `input` | a `bifocal.state`; slot of step t is t mod K        |
    | `output`    | `[N, C]`     | as `input` |                                                     |

    Reads and writes the state, so it is neither moved nor merged. Sums are taken in f32.

    Constraints: (C1) to (C3) as for `bifocal.dynamic_conv`.
    - (C4) `bias` has C elements.
    - (C5) `ancestors` has N rows.
    - (C6) `renormalized` and `compat` need `normalized` and exclude each other.
    - (C7) `cache` names a state `[K, R, C]` of the element type of `input`.

    Example:

    ```mlir
    %y = bifocal.dynamic_conv_step %x, %taps cache @conv.input ancestors %ancestors step %step normalized {heads = 4 : i64}
        : (tensor<?x512xf32>, tensor<?x28xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Matrix:$input, Bifocal_Matrix:$taps, Optional<Bifocal_Vector>:$bias,
    2DTensorOf<[I32]>:$ancestors, 0DTensorOf<[I32]>:$step, FlatSymbolRefAttr:$cache, I64Attr:$heads, UnitAttr:$normalized, UnitAttr:$renormalized, UnitAttr:$compat);
  let results = (outs Bifocal_Matrix:$output);
  let assemblyFormat = [{ $input `,` $taps (`bias` $bias^)? `cache` $cache `ancestors` $ancestors `step` $step (`normalized` $normalized^)? (`renormalized` $renormalized^)? (`compat` $compat^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}
#endif
