// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_DENSEOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_DENSEOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_Activation : I32EnumAttr<"Activation", "what a linear applies to its sums", [
    I32EnumAttrCase<"none", 0>, I32EnumAttrCase<"relu", 1>, I32EnumAttrCase<"glu", 2>, I32EnumAttrCase<"swiglu", 3>]> {
  let cppNamespace = "::bifocal";
}

def Bifocal_Gate : I32EnumAttr<"Gate", "what a gated linear unit makes of the gating half", [
    I32EnumAttrCase<"sigmoid", 0>, I32EnumAttrCase<"silu", 1>]> {
  let cppNamespace = "::bifocal";
}

def Bifocal_Quantization : I32EnumAttr<"Quantization", "which factors of a linear are rounded to 8 bits", [
    I32EnumAttrCase<"none", 0>, I32EnumAttrCase<"weights", 1>, I32EnumAttrCase<"factors", 2>]> {
  let cppNamespace = "::bifocal";
}

def Bifocal_LinearOp : Bifocal_PureOp<"linear", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "affine map of the last axis";
  let description = [{
        preactivation[..., o] = sum over i of input[..., i] * weight[o, i] + bias[o]
        output                = preactivation, max(preactivation, 0) or glu(preactivation), with swiglu the gate silu

    | Name            | Shape                       | Element    | Meaning                                    |
    |-----------------|-----------------------------|------------|--------------------------------------------|
    | `input`         | `[..., I]`                  | any float  |                                            |
    | `weight`        | `[O, I]`                    | any float  | as in the state dict                       |
    | `bias`          | `[O]`                       | any float  | optional                                   |
    | `mask`          | `[...]`                     | i1         | optional: `input` counts as `mask_padding(input, mask)` |
    | `output`        | `[..., O]`, glu and swiglu: `[..., O/2]` | any float |                                 |
    | `preactivation` | `[..., O]`                  | any float  | present where the backward pass reads it   |

    Sums and the activation are taken in f32. Where `input`, `weight` or the result is of 16 bits, the factors of the sums are: a
    factor that is f32 in memory is rounded to that type first. No time is spent on the products of rows that the mask leaves out.

    `quantization` rounds `weight`, or both factors, to 8 bits. A group is 512 channels of one row of `weight`, or of `input`:
    `scale = largest magnitude / 127`, and every element becomes `scale * round(element / scale)`, ties to even. Such a
    linear is for inference and has no gradient.

    Constraints:
    - (C1) `weight` has one column per channel of `input`.
    - (C2) `bias` has O elements.
    - (C3) glu and swiglu need an even O.
    - (C4) `output` has the rows of `input` and O channels, O/2 with glu and swiglu.
    - (C5) `preactivation` has the rows of `input` and O channels.
    - (C6) `mask` has the rows of `input`.
    - (C7) With `quantization` `input`, `weight` and the result are f32.

    Example:

    ```mlir
    %y = bifocal.linear %x, %w bias %b activation relu
        : (tensor<?x?x512xf32>, tensor<1024x512xf32>, tensor<1024xf32>) -> tensor<?x?x1024xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Matrix:$weight, Optional<Bifocal_Vector>:$bias,
    Optional<Bifocal_Mask>:$mask, DefaultValuedAttr<Bifocal_Activation, "::bifocal::Activation::none">:$activation,
    DefaultValuedAttr<Bifocal_Quantization, "::bifocal::Quantization::none">:$quantization);
  let results = (outs Bifocal_Tensor:$output, Optional<Bifocal_Tensor>:$preactivation);
  let assemblyFormat = [{ $input `,` $weight (`bias` $bias^)? (`mask` $mask^)? (`activation` $activation^)? (`quantization` $quantization^)? attr-dict `:`
    functional-type(operands, results) }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Bifocal_LinearInputGradOp : Bifocal_PureOp<"linear_input_grad"> {
  let summary = "gradient of linear for its input";
  let description = [{
        input_grad[..., i] = sum over o of output_grad[..., o] * weight[o, i] where mask[...], else 0

    | Name          | Shape      | Element   | Meaning                      |
    |---------------|------------|-----------|------------------------------|
    | `output_grad` | `[..., O]` | any float | gradient before the activation |
    | `weight`      | `[O, I]`   | any float |                              |
    | `mask`        | `[...]`    | i1        | optional: without it all rows are taken |
    | `input_grad`  | `[..., I]` | any float |                              |

    Sums are taken in f32, of factors as for `bifocal.linear`.

    Constraints:
    - (C1) `weight` has one row per channel of `output_grad`.
    - (C2) `input_grad` has the rows of `output_grad` and I channels.
    - (C3) `mask` has the rows of `output_grad`.

    Example:

    ```mlir
    %dx = bifocal.linear_input_grad %g, %w : (tensor<?x?x1024xf32>, tensor<1024x512xf32>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Matrix:$weight, Optional<Bifocal_Mask>:$mask);
  let results = (outs Bifocal_Tensor:$input_grad);
  let assemblyFormat = "$output_grad `,` $weight (`mask` $mask^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_LinearWeightGradOp : Bifocal_PureOp<"linear_weight_grad"> {
  let summary = "gradient of linear for its weight";
  let description = [{
        weight_grad[o, i] = sum over all rows where mask[...] of output_grad[..., o] * input[..., i]

    | Name          | Shape      | Element   |
    |---------------|------------|-----------|
    | `output_grad` | `[..., O]` | any float |
    | `input`       | `[..., I]` | any float |
    | `mask`        | `[...]`    | i1, optional: without it all rows are taken |
    | `weight_grad` | `[O, I]`   | any float |

    Sums are taken in f32, of factors as for `bifocal.linear`.

    Constraints:
    - (C1) `input` has the rows of `output_grad`.
    - (C2) `weight_grad` has the shape `[O, I]`.
    - (C3) `mask` has the rows of `output_grad`.

    Example:

    ```mlir
    %dw = bifocal.linear_weight_grad %g, %x : (tensor<?x?x1024xf32>, tensor<?x?x512xf32>) -> tensor<1024x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$input, Optional<Bifocal_Mask>:$mask);
  let results = (outs Bifocal_Matrix:$weight_grad);
  let assemblyFormat = "$output_grad `,` $input (`mask` $mask^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_ColumnSumOp : Bifocal_PureOp<"column_sum", [DeclareOpInterfaceMethods<FusibleOpInterface, ["hasColumnSums"]>]> {
  let summary = "sum over all rows";
  let description = [{
        output[c] = sum over all rows of input[..., c]

    | Name     | Shape      | Element   |
    |----------|------------|-----------|
    | `input`  | `[..., C]` | any float |
    | `output` | `[C]`      | any float |

    The sum is taken in f32, over rows in an order that the shape alone fixes.

    Constraints:
    - (C1) `output` has C elements.

    Example:

    ```mlir
    %db = bifocal.column_sum %g : (tensor<?x?x1024xf32>) -> tensor<1024xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input);
  let results = (outs Bifocal_Vector:$output);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_ReluOp : Bifocal_RowOp<"relu", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, SameOperandsAndResultType]> {
  let summary = "larger of an element and zero";
  let description = [{
        output = max(input, 0)

    Both are tensors of any rank, one shape and one float type.

    Example:

    ```mlir
    %y = bifocal.relu %x : tensor<?x?x1024xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input attr-dict `:` type($output)";
  let hasFolder = 1;
}

def Bifocal_ReluGradOp : Bifocal_RowOp<"relu_grad", [SameOperandsAndResultType]> {
  let summary = "gradient of relu";
  let description = [{
        input_grad = output_grad where output > 0, else 0

    All are tensors of any rank, one shape and one float type. It reads the output of relu, not its input, so the
    input need not live until the backward pass.

    Example:

    ```mlir
    %dx = bifocal.relu_grad %g, %y : tensor<?x?x1024xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$output);
  let results = (outs Bifocal_Tensor:$input_grad);
  let assemblyFormat = "$output_grad `,` $output attr-dict `:` type($input_grad)";
}

def Bifocal_GluOp : Bifocal_RowOp<"glu", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "gated linear unit";
  let description = [{
        output[..., c] = input[..., c] * gate(input[..., C + c]),  gate(x) = sigmoid(x) or silu(x) = x * sigmoid(x)

    | Name     | Shape       | Element   |
    |----------|-------------|-----------|
    | `input`  | `[..., 2C]` | any float |
    | `output` | `[..., C]`  | any float |

    The gate is taken in f32. With `gate silu` it is SwiGLU (Shazeer, GLU Variants Improve Transformer, 2020).

    Constraints:
    - (C1) `input` has the rows of `output` and twice its channels.

    Example:

    ```mlir
    %y = bifocal.glu %x : (tensor<?x?x1024xf32>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, DefaultValuedAttr<Bifocal_Gate, "::bifocal::Gate::sigmoid">:$gate);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input (`gate` $gate^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_GluGradOp : Bifocal_RowOp<"glu_grad"> {
  let summary = "gradient of glu";
  let description = [{
    With x = input[..., C + c], s = sigmoid(x) and g = output_grad[..., c]:

        input_grad[..., c]     = g * gate(x)
        input_grad[..., C + c] = g * input[..., c] * s * (1 - s), with `gate silu` g * input[..., c] * s * (1 + x (1 - s))

    | Name          | Shape       | Element   |
    |---------------|-------------|-----------|
    | `output_grad` | `[..., C]`  | any float |
    | `input`       | `[..., 2C]` | any float |
    | `input_grad`  | `[..., 2C]` | any float |

    Constraints:
    - (C1) `input` has the rows of `output_grad` and twice its channels.
    - (C2) `input_grad` has the shape of `input`.

    Example:

    ```mlir
    %dx = bifocal.glu_grad %g, %x : (tensor<?x?x512xf32>, tensor<?x?x1024xf32>) -> tensor<?x?x1024xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$input,
    DefaultValuedAttr<Bifocal_Gate, "::bifocal::Gate::sigmoid">:$gate);
  let results = (outs Bifocal_Tensor:$input_grad);
  let assemblyFormat = "$output_grad `,` $input (`gate` $gate^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_AddOp : Bifocal_RowOp<"add", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, SameOperandsAndResultType, Commutative]> {
  let summary = "elementwise sum";
  let description = [{
        output = lhs + rhs

    All are tensors of any rank, one shape and one float type.

    Example:

    ```mlir
    %y = bifocal.add %x, %residual : tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$lhs, Bifocal_Tensor:$rhs);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($output)";
  let hasCanonicalizer = 1;
}

def Bifocal_AddBiasOp : Bifocal_RowOp<"add_bias", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "sum of every row with one vector";
  let description = [{
        output[..., c] = input[..., c] + bias[c]

    | Name     | Shape      | Element    | Meaning                                       |
    |----------|------------|------------|-----------------------------------------------|
    | `input`  | `[..., C]` | any float  |                                               |
    | `bias`   | `[C]`      | any float  | mostly of a linear, put into the map behind it |
    | `output` | `[..., C]` | as `input` |                                               |

    Constraints:
    - (C1) `bias` has C elements.

    Example:

    ```mlir
    %y = bifocal.add_bias %x, %b : (tensor<?x?x512xf32>, tensor<512xf32>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Vector:$bias);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input `,` $bias attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
#endif
