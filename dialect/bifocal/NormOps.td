// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_NORMOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_NORMOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_LayerNormOp : Bifocal_RowOp<"layer_norm", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "normalisation of every row to mean 0 and variance 1, then scale and bias";
  let description = [{
        mean[...]      = 1/C * sum over c of input[..., c]
        rstd[...]      = 1 / sqrt(1/C * sum over c of (input[..., c] - mean[...])^2 + epsilon)
        output[..., c] = (input[..., c] - mean[...]) * rstd[...] * scale[c] + bias[c]

    | Name            | Shape      | Element    | Meaning                    |
    |-----------------|------------|------------|----------------------------|
    | `input`         | `[..., C]` | any float  |                            |
    | `scale`, `bias` | `[C]`      | any float  |                            |
    | `output`        | `[..., C]` | as `input` |                            |
    | `mean`, `rstd`  | `[...]`    | f32        | kept for the backward pass |

    Sums are taken in f32, the variance in a second pass over the row.

    Constraints:
    - (C1) `scale` and `bias` have C elements.
    - (C2) `mean` and `rstd` have the rows of `input`.
    - (C3) `epsilon` > 0.

    Example:

    ```mlir
    %y, %mean, %rstd = bifocal.layer_norm %x, %scale, %bias
        : (tensor<?x?x512xf32>, tensor<512xf32>, tensor<512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?xf32>, tensor<?x?xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Vector:$scale, Bifocal_Vector:$bias, DefaultValuedAttr<F32Attr, "1.0e-5f">:$epsilon);
  let results = (outs Bifocal_Tensor:$output, Bifocal_RowStat:$mean, Bifocal_RowStat:$rstd);
  let assemblyFormat = "$input `,` $scale `,` $bias attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_LayerNormGradOp : Bifocal_PureOp<"layer_norm_grad", [DeclareOpInterfaceMethods<FusibleOpInterface, ["hasColumnSums"]>]> {
  let summary = "gradients of layer_norm for input, scale and bias";
  let description = [{
    With x[..., c] = (input[..., c] - mean[...]) * rstd[...] and g[..., c] = output_grad[..., c] * scale[c]:

        input_grad[..., c] = rstd[...] * (g[..., c] - 1/C * sum over c of g - x[..., c] * 1/C * sum over c of g x)
        scale_grad[c]      = sum over all rows of output_grad[..., c] * x[..., c]
        bias_grad[c]       = sum over all rows of output_grad[..., c]

    | Name                         | Shape      | Element   | Meaning             |
    |------------------------------|------------|-----------|---------------------|
    | `output_grad`, `input`       | `[..., C]` | any float |                     |
    | `scale`                      | `[C]`      | any float |                     |
    | `mean`, `rstd`               | `[...]`    | f32       | of the forward pass |
    | `input_grad`                 | `[..., C]` | any float |                     |
    | `scale_grad`, `bias_grad`    | `[C]`      | any float |                     |

    Sums are taken in f32, over rows in an order that the shape alone fixes.

    Constraints:
    - (C1) `output_grad` and `input_grad` have the shape of `input`.
    - (C2) `scale`, `scale_grad` and `bias_grad` have C elements.
    - (C3) `mean` and `rstd` have the rows of `input`.

    Example:

    ```mlir
    %dx, %dscale, %dbias = bifocal.layer_norm_grad %g, %x, %scale, %mean, %rstd
        : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<512xf32>, tensor<?x?xf32>, tensor<?x?xf32>)
        -> (tensor<?x?x512xf32>, tensor<512xf32>, tensor<512xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$input, Bifocal_Vector:$scale, Bifocal_RowStat:$mean, Bifocal_RowStat:$rstd);
  let results = (outs Bifocal_Tensor:$input_grad, Bifocal_Vector:$scale_grad, Bifocal_Vector:$bias_grad);
  let assemblyFormat = "$output_grad `,` $input `,` $scale `,` $mean `,` $rstd attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_RmsNormOp : Bifocal_RowOp<"rms_norm", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "normalisation of every row, or of every head of a row, to a root mean square of 1";
  let description = [{
    The last axis is cut into groups of `group` neighbours (0, the default: one group of all channels). With G channels in
    a group and the sum over its own:

        rstd[..., n]            = 1 / sqrt(1/G * sum over j < G of input[..., n * G + j]^2 + epsilon)
        output[..., n * G + j]  = factor * input[..., n * G + j] * rstd[..., n] * weight[j]

    | Name     | Shape      | Element    | Meaning                                    |
    |----------|------------|------------|--------------------------------------------|
    | `input`  | `[..., C]` | any float  |                                            |
    | `weight` | `[G]`      | any float  | optional: 1 without it; shared by all groups |
    | `output` | `[..., C]` | as `input` |                                            |

    Sums are taken in f32. Nothing is kept for the backward pass, whose one sweep over the row finds `rstd` again. Source:
    Zhang and Sennrich, Root Mean Square Layer Normalization (2019). Per head, with the factor 1 - lambda_init, it is the
    norm behind differential attention (Ye et al., Differential Transformer, 2024, equation 3).

    Constraints:
    - (C1) `group` >= 1 divides C, or is 0; C is static.
    - (C2) `weight` has as many elements as a group.
    - (C3) `epsilon` > 0.

    Example:

    ```mlir
    %y = bifocal.rms_norm %x, %w {group = 128 : i64, factor = 0.8 : f32} : (tensor<?x?x512xf32>, tensor<128xf32>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, Optional<Bifocal_Vector>:$weight, DefaultValuedAttr<I64Attr, "0">:$group,
    DefaultValuedAttr<F32Attr, "1.0f">:$factor, DefaultValuedAttr<F32Attr, "1.0e-5f">:$epsilon);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input (`,` $weight^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Channels that share a root mean square.
    int64_t groupSize();
  }];
}

def Bifocal_RmsNormGradOp : Bifocal_PureOp<"rms_norm_grad", [DeclareOpInterfaceMethods<FusibleOpInterface, ["hasColumnSums"]>]> {
  let summary = "gradients of rms_norm for input and weight";
  let description = [{
    In every group of G neighbours of the last axis, with `rstd` as of `bifocal.rms_norm` and
    g[..., c] = factor * output_grad[..., c] * weight[c mod G]:

        m[..., n]         = rstd[..., n]^2 * 1/G * sum over j of g[..., n * G + j] * input[..., n * G + j]
        input_grad[..., c] = rstd[..., n] * (g[..., c] - m[..., n] * input[..., c])
        weight_grad[j]     = factor * sum over all rows and n of output_grad[..., n * G + j] * input[..., n * G + j] * rstd[..., n]

    | Name          | Shape      | Element   | Meaning                          |
    |---------------|------------|-----------|----------------------------------|
    | `output_grad` | `[..., C]` | any float |                                  |
    | `input`       | `[..., C]` | any float | of the forward pass              |
    | `weight`      | `[G]`      | any float | optional                         |
    | `input_grad`  | `[..., C]` | any float |                                  |
    | `weight_grad` | `[G]`      | any float | present exactly where `weight` is |

    Sums are taken in f32, over rows in an order that the shape alone fixes.

    Constraints: (C1) to (C3) as for `bifocal.rms_norm`.
    - (C4) `output_grad` and `input_grad` have the shape of `input`.
    - (C5) `weight_grad` is there where `weight` is, and has its shape.

    Example:

    ```mlir
    %dx, %dw = bifocal.rms_norm_grad %g, %x, %w
        : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<512xf32>) -> (tensor<?x?x512xf32>, tensor<512xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$input, Optional<Bifocal_Vector>:$weight,
    DefaultValuedAttr<I64Attr, "0">:$group, DefaultValuedAttr<F32Attr, "1.0f">:$factor,
    DefaultValuedAttr<F32Attr, "1.0e-5f">:$epsilon);
  let results = (outs Bifocal_Tensor:$input_grad, Optional<Bifocal_Vector>:$weight_grad);
  let assemblyFormat = "$output_grad `,` $input (`,` $weight^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Channels that share a root mean square.
    int64_t groupSize();
  }];
}

def Bifocal_DropoutOp : Bifocal_RowOp<"dropout", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "zero at random places, the rest scaled";
  let description = [{
    Element e (row-major) is kept when its draw is at least floor(rate * 2^32):

        output[e] = input[e] / (1 - rate) if kept, else 0

    The draw is lane e mod 4 of Philox4x32-10 with the key rng[0] and the counter (e / 4, site, rng[1]), so a mask is a
    pure function: nothing is stored, the backward pass draws it again, every device draws the same. The op is linear
    in its input and its own gradient.

    | Name     | Shape | Element    | Meaning               |
    |----------|-------|------------|-----------------------|
    | `input`  | any   | any float  |                       |
    | `rng`    | `[2]` | i64        | seed and draw counter |
    | `output` | any   | as `input` |                       |

    Constraints:
    - (C1) `rate` is in [0, 1).

    Example:

    ```mlir
    %y = bifocal.dropout %x, %rng {rate = 0.3 : f32, site = 4 : i32} : (tensor<?x?x512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Rng:$rng, F32Attr:$rate, I32Attr:$site);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input `,` $rng attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Bifocal_SoftmaxOp : Bifocal_PureOp<"softmax", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "softmax over groups of the last axis";
  let description = [{
    The last axis is cut into groups of `group` neighbours, each normalised on its own:

        output[..., n * group + k] = exp(input[..., n * group + k]) / sum over j < group of exp(input[..., n * group + j])

    `input` and `output` have one type `[..., C]`. The largest element is subtracted first; sums are taken in f32.

    Constraints:
    - (C1) `group` >= 1 divides C.

    Example:

    ```mlir
    %y = bifocal.softmax %taps {group = 7 : i64} : (tensor<?x?x28xf32>) -> tensor<?x?x28xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, I64Attr:$group);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_SoftmaxGradOp : Bifocal_PureOp<"softmax_grad", [AllTypesMatch<["output_grad", "output", "input_grad"]>]> {
  let summary = "gradient of softmax";
  let description = [{
    In every group of `group` neighbours of the last axis:

        input_grad[k] = output[k] * (output_grad[k] - sum over j of output[j] * output_grad[j])

    All have one type `[..., C]`. Sums are taken in f32.

    Constraints:
    - (C1) `group` >= 1 divides C.

    Example:

    ```mlir
    %dx = bifocal.softmax_grad %g, %y {group = 7 : i64} : (tensor<?x?x28xf32>, tensor<?x?x28xf32>) -> tensor<?x?x28xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$output, I64Attr:$group);
  let results = (outs Bifocal_Tensor:$input_grad);
  let assemblyFormat = "$output_grad `,` $output attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
#endif
