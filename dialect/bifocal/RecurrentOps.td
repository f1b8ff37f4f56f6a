// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_RECURRENTOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_RECURRENTOPS_TD
include "dialect/bifocal/BifocalDialect.td"

// What models with a memory of earlier segments have beside their attention (Dai et al., "Transformer-XL: Attentive
// language models beyond a fixed-length context", 2019; Sukhbaatar et al., "Adaptive attention span in transformers",
// 2019). The memory is an input: the caller keeps what a call returns for the next one.

def Bifocal_AppendStepsOp : Bifocal_PureOp<"append_steps", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "steps of a memory with those of a segment behind them";
  let description = [{
        output[b, s, c] = memory[b, s, c]      for s < M
        output[b, s, c] = input[b, s - M, c]   for s >= M

    | Name     | Shape           | Element   |
    |----------|-----------------|-----------|
    | `memory` | `[B, M, C]`     | any float |
    | `input`  | `[B, T, C]`     | any float |
    | `output` | `[B, M + T, C]` | any float |

    The sequence that keys and values are made of (Dai et al. 2019, section 3.2). No gradient flows into `memory`; that of
    `input` is `bifocal.append_steps_grad`. M may be 0.

    Constraints:
    - (C1) `input` has the B and the C of `memory`.
    - (C2) `output` has them too, and M + T steps.

    Example:

    ```mlir
    %y = bifocal.append_steps %memory, %x : (tensor<?x?x512xf32>, tensor<?x?x512xf32>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$memory, Bifocal_Sequence:$input);
  let results = (outs Bifocal_Sequence:$output);
  let assemblyFormat = "$memory `,` $input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_AppendStepsGradOp : Bifocal_PureOp<"append_steps_grad"> {
  let summary = "gradient of the segment of `append_steps`";
  let description = [{
        input_grad[b, t, c] = output_grad[b, M + t, c]

    | Name          | Shape           | Element   |
    |---------------|-----------------|-----------|
    | `memory`      | `[B, M, C]`     | any float |
    | `output_grad` | `[B, M + T, C]` | any float |
    | `input_grad`  | `[B, T, C]`     | any float |

    Of `memory` nothing but its size is read.

    Constraints:
    - (C1) `output_grad` has the B and the C of `memory`.
    - (C2) `input_grad` has them too, and T steps.

    Example:

    ```mlir
    %dx = bifocal.append_steps_grad %memory, %dy : (tensor<?x?x512xf32>, tensor<?x?x512xf32>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$memory, Bifocal_Sequence:$output_grad);
  let results = (outs Bifocal_Sequence:$input_grad);
  let assemblyFormat = "$memory `,` $output_grad attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_DistancesOp : Bifocal_PureOp<"distances"> {
  let summary = "distances of the steps of a sequence from its end";
  let description = [{
        output[r] = min(r, most)

    | Name       | Shape       | Element   |
    |------------|-------------|-----------|
    | `sequence` | `[B, S, C]` | any float |
    | `output`   | `[S]`       | i32       |

    Row r of a table of positions belongs to the distance r; all distances from `most` on count as one (the clamp length of
    Transformer-XL). Of `sequence` nothing but its number of steps is read.

    Constraints:
    - (C1) `output` has an element for each step of `sequence`.
    - (C2) `most` >= 0.

    Example:

    ```mlir
    %d = bifocal.distances %x {most = 400 : i32} : (tensor<?x?x512xf32>) -> tensor<?xi32>
    ```
  }];
  let arguments = (ins Bifocal_Sequence:$sequence, I32Attr:$most);
  let results = (outs 1DTensorOf<[I32]>:$output);
  let assemblyFormat = "$sequence attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_SpanPenaltyOp : Bifocal_PureOp<"span_penalty", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "price of the attention spans of a layer";
  let description = [{
        penalty = count * factor * span_unit / H * (span[0] + ... + span[H - 1])
        sizes[h] = min(max(span[h], 0), 1) * span_unit

    | Name      | Shape                | Element |
    |-----------|----------------------|---------|
    | `span`    | `[H]` or `[H, 1, 1]` | f32     |
    | `count`   | scalar               | f32     |
    | `penalty` | scalar               | f32     |
    | `sizes`   | `[H]`                | f32     |

    The penalty of Sukhbaatar et al. 2019, section 2.2, as the code published with it has it: the mean of the heads. Losses
    here are sums over tokens, which an update divides by their `count`, so the penalty is multiplied by it. `sizes` are the
    spans in steps, for whoever keeps a memory that is long enough. Heads are added from the first to the last. A gradient
    flows from `penalty` to `span`, none from `sizes`, none to `count`.

    Constraints:
    - (C1) The shape of `span` is static and has nothing but heads, whose number is that of `sizes`.
    - (C2) `factor` >= 0.
    - (C3) `span_unit` >= 1.

    Example:

    ```mlir
    %penalty, %sizes = bifocal.span_penalty %span, %count {factor = 5.0e-7 : f32, span_unit = 8192 : i64}
        : (tensor<8x1x1xf32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>)
    ```
  }];
  let arguments = (ins RankedTensorOf<[F32]>:$span, Bifocal_Scalar:$count, F32Attr:$factor, I64Attr:$span_unit);
  let results = (outs Bifocal_Scalar:$penalty, 1DTensorOf<[F32]>:$sizes);
  let assemblyFormat = "$span `,` $count attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_SpanPenaltyGradOp : Bifocal_PureOp<"span_penalty_grad"> {
  let summary = "gradient of the spans of `span_penalty`";
  let description = [{
        span_grad[h] = penalty_grad * count * factor * span_unit / H

    | Name           | Shape                | Element |
    |----------------|----------------------|---------|
    | `penalty_grad` | scalar, optional     | f32     |
    | `count`        | scalar               | f32     |
    | `span_grad`    | `[H]` or `[H, 1, 1]` | f32     |

    Without `penalty_grad` it is 1: the penalty is a part of the loss.

    Constraints:
    - (C1) The shape of `span_grad` is static and has nothing but heads.
    - (C2) `factor` >= 0.
    - (C3) `span_unit` >= 1.

    Example:

    ```mlir
    %dspan = bifocal.span_penalty_grad %count penalty_grad %dpenalty {factor = 5.0e-7 : f32, span_unit = 8192 : i64}
        : (tensor<f32>, tensor<f32>) -> tensor<8x1x1xf32>
    ```
  }];
  let arguments = (ins Bifocal_Scalar:$count, Optional<Bifocal_Scalar>:$penalty_grad, F32Attr:$factor, I64Attr:$span_unit);
  let results = (outs RankedTensorOf<[F32]>:$span_grad);
  let assemblyFormat = "$count (`penalty_grad` $penalty_grad^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
#endif
