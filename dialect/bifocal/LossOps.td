// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_LOSSOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_LOSSOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_CrossEntropyOp : Bifocal_PureOp<"cross_entropy", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "label-smoothed cross-entropy, summed over the targets";
  let description = [{
    With lp = log softmax of a row of logits, e = `smoothing` and u = e / (V - 1), sums over the rows whose target is not
    `ignore_index`:

        nll   = sum of -lp[target]
        loss  = (1 - e - u) * nll + u * sum over v of -lp[v]
        count = number of those rows

    | Name                   | Shape      | Element   |
    |------------------------|------------|-----------|
    | `logits`               | `[..., V]` | any float |
    | `targets`              | `[...]`    | i32       |
    | `loss`, `nll`, `count` | scalar     | f32       |

    Sums over a row are taken in f32, over rows in f64, in an order that the shape alone fixes.

    Constraints:
    - (C1) `targets` has the rows of `logits`.
    - (C2) V >= 2.
    - (C3) `smoothing` is in [0, 1).

    Example:

    ```mlir
    %loss, %nll, %count = bifocal.cross_entropy %logits, %targets {smoothing = 0.1 : f32, ignore_index = 1 : i32}
        : (tensor<?x?x6000xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$logits, Bifocal_Tokens:$targets, DefaultValuedAttr<F32Attr, "0.0f">:$smoothing, I32Attr:$ignore_index);
  let results = (outs Bifocal_Scalar:$loss, Bifocal_Scalar:$nll, Bifocal_Scalar:$count);
  let assemblyFormat = "$logits `,` $targets attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_CrossEntropyGradOp : Bifocal_PureOp<"cross_entropy_grad"> {
  let summary = "gradient of the loss of cross_entropy for its logits";
  let description = [{
    With p = softmax of a row of logits, e = `smoothing` and u = e / (V - 1):

        logits_grad[v] = loss_grad * (p[v] - u - (1 - e - u) * [v = target]), rows with target = ignore_index: 0

    | Name          | Shape      | Element   | Meaning           |
    |---------------|------------|-----------|-------------------|
    | `logits`      | `[..., V]` | any float |                   |
    | `targets`     | `[...]`    | i32       |                   |
    | `loss_grad`   | scalar     | f32       | 1 where absent    |
    | `logits_grad` | `[..., V]` | any float |                   |

    The softmax is taken in f32.

    Constraints:
    - (C1) `targets` has the rows of `logits`, `logits_grad` its shape.
    - (C2) V >= 2.
    - (C3) `smoothing` is in [0, 1).

    Example:

    ```mlir
    %dlogits = bifocal.cross_entropy_grad %logits, %targets {smoothing = 0.1 : f32, ignore_index = 1 : i32}
        : (tensor<?x?x6000xf32>, tensor<?x?xi32>) -> tensor<?x?x6000xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$logits, Bifocal_Tokens:$targets, Optional<Bifocal_Scalar>:$loss_grad, DefaultValuedAttr<F32Attr, "0.0f">:$smoothing, I32Attr:$ignore_index);
  let results = (outs Bifocal_Tensor:$logits_grad);
  let assemblyFormat = "$logits `,` $targets (`loss_grad` $loss_grad^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Bifocal_ProjectedCrossEntropyOp : Bifocal_PureOp<"projected_cross_entropy"> {
  let summary = "output projection and cross-entropy in one";
  let description = [{
    `bifocal.cross_entropy` of `bifocal.linear` without bias, taken in slabs of rows, so that no `[..., V]` tensor lives
    as a whole:

        logits[..., v] = sum over c of input[..., c] * weight[v, c]

    With two `gradients` it also yields those of `input` and `weight` for a loss gradient of 1.

    | Name                   | Shape                  | Element   | Meaning                          |
    |------------------------|------------------------|-----------|----------------------------------|
    | `input`                | `[..., C]`             | any float |                                  |
    | `weight`               | `[V, C]`               | any float |                                  |
    | `targets`              | `[...]`                | i32       |                                  |
    | `mask`                 | `[...]`                | i1        | optional, as of `bifocal.linear` |
    | `loss`, `nll`, `count` | scalar                 | f32       | as of `bifocal.cross_entropy`    |
    | `gradients`            | `[..., C]` and `[V, C]` | any float | none or two                      |

    Sums are taken in f32, of factors as for `bifocal.linear`; logits and their gradient are f32.

    Constraints:
    - (C1) `weight` has one column per channel of `input`.
    - (C2) `targets` has the rows of `input`.
    - (C3) V >= 2.
    - (C4) `smoothing` is in [0, 1).
    - (C5) There are no gradients, or two with the shapes of `input` and `weight`.
    - (C6) `mask` has the rows of `input`.

    Example:

    ```mlir
    %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %x, %w, %targets {smoothing = 0.1 : f32, ignore_index = 1 : i32}
        : (tensor<?x?x256xf32>, tensor<6000x256xf32>, tensor<?x?xi32>)
        -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x?x256xf32>, tensor<6000x256xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Matrix:$weight, Bifocal_Tokens:$targets, Optional<Bifocal_Mask>:$mask,
    DefaultValuedAttr<F32Attr, "0.0f">:$smoothing, I32Attr:$ignore_index);
  let results = (outs Bifocal_Scalar:$loss, Bifocal_Scalar:$nll, Bifocal_Scalar:$count, Variadic<Bifocal_Tensor>:$gradients);
  let extraClassDeclaration = [{
    /// The gradients, or null values where the op computes only the loss.
    ::mlir::Value getInputGrad() { return getGradients().empty() ? ::mlir::Value() : getGradients()[0]; }
    ::mlir::Value getWeightGrad() { return getGradients().size() < 2 ? ::mlir::Value() : getGradients()[1]; }
  }];
  let assemblyFormat = "$input `,` $weight `,` $targets (`mask` $mask^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Bifocal_LogSoftmaxOp : Bifocal_PureOp<"log_softmax", [SameOperandsAndResultType]> {
  let summary = "logarithm of the softmax over the last axis";
  let description = [{
        output[..., v] = input[..., v] - log(sum over w of exp(input[..., w]))

    Both have one type `[..., V]`. The largest element is subtracted first; the sum is taken in f32.

    Example:

    ```mlir
    %y = bifocal.log_softmax %x : tensor<?x6000xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input attr-dict `:` type($output)";
}
#endif
