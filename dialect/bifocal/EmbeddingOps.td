// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_EMBEDDINGOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_EMBEDDINGOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_EmbeddingOp : Bifocal_RowOp<"embedding", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "rows of a table";
  let description = [{
        output[..., c] = scale * table[ids[...], c]

    | Name     | Shape      | Element   | Meaning                       |
    |----------|------------|-----------|-------------------------------|
    | `ids`    | `[...]`    | i32       | rows of the table, in [0, V)  |
    | `table`  | `[V, C]`   | any float |                               |
    | `output` | `[..., C]` | any float |                               |

    The row `pad` of the table is read like any other but gets no gradient; -1 means no such row.

    Constraints:
    - (C1) `output` has the shape of `ids` and C channels.

    Example:

    ```mlir
    %y = bifocal.embedding %ids, %table {scale = 16.0 : f32, pad = 1 : i32}
        : (tensor<?x?xi32>, tensor<6000x256xf32>) -> tensor<?x?x256xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tokens:$ids, Bifocal_Matrix:$table, DefaultValuedAttr<F32Attr, "1.0f">:$scale, DefaultValuedAttr<I32Attr, "-1">:$pad);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$ids `,` $table attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_EmbeddingGradOp : Bifocal_PureOp<"embedding_grad"> {
  let summary = "gradient of embedding for its table";
  let description = [{
        table_grad[v, c] = initial[v, c] + scale * sum over places with ids[...] = v of output_grad[..., c],   v != pad
        table_grad[pad]  = initial[pad]

    | Name          | Shape      | Element   | Meaning                                          |
    |---------------|------------|-----------|--------------------------------------------------|
    | `ids`         | `[...]`    | i32       |                                                  |
    | `output_grad` | `[..., C]` | any float |                                                  |
    | `initial`     | `[V, C]`   | any float | optional: the other gradients of a tied table    |
    | `table_grad`  | `[V, C]`   | any float |                                                  |

    Sums are taken in f32, in the order of the places, so the result is the same from run to run.

    Constraints:
    - (C1) `output_grad` has the shape of `ids` and C channels.
    - (C2) `initial` has the shape of `table_grad`.

    Example:

    ```mlir
    %dt = bifocal.embedding_grad %ids, %g initial %tied {scale = 16.0 : f32, pad = 1 : i32}
        : (tensor<?x?xi32>, tensor<?x?x256xf32>, tensor<6000x256xf32>) -> tensor<6000x256xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tokens:$ids, Bifocal_Tensor:$output_grad, Optional<Bifocal_Matrix>:$initial,
    DefaultValuedAttr<F32Attr, "1.0f">:$scale, DefaultValuedAttr<I32Attr, "-1">:$pad);
  let results = (outs Bifocal_Matrix:$table_grad);
  let assemblyFormat = "$ids `,` $output_grad (`initial` $initial^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_PositionsOp : Bifocal_PureOp<"positions"> {
  let summary = "position ids of real tokens";
  let description = [{
        output[b, t] = pad + number of u <= t with tokens[b, u] != pad, where tokens[b, t] != pad, else pad

    | Name     | Shape    | Element | Meaning                |
    |----------|----------|---------|------------------------|
    | `tokens` | `[B, T]` | i32     |                        |
    | `output` | `[B, T]` | i32     | rows of a position table |

    Constraints:
    - (C1) `output` has the shape of `tokens`.

    Example:

    ```mlir
    %p = bifocal.positions %tokens {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi32>
    ```
  }];
  let arguments = (ins 2DTensorOf<[I32]>:$tokens, I32Attr:$pad);
  let results = (outs 2DTensorOf<[I32]>:$output);
  let assemblyFormat = "$tokens attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_PaddingMaskOp : Bifocal_PureOp<"padding_mask"> {
  let summary = "mask that is true at real tokens";
  let description = [{
        mask[...] = tokens[...] != pad

    | Name     | Shape   | Element |
    |----------|---------|---------|
    | `tokens` | `[...]` | i32     |
    | `mask`   | `[...]` | i1      |

    Constraints:
    - (C1) `mask` has the shape of `tokens`.

    Example:

    ```mlir
    %m = bifocal.padding_mask %tokens {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>
    ```
  }];
  let arguments = (ins Bifocal_Tokens:$tokens, I32Attr:$pad);
  let results = (outs Bifocal_Mask:$mask);
  let assemblyFormat = "$tokens attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_MaskPaddingOp : Bifocal_RowOp<"mask_padding", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "zero in the rows where the mask is false";
  let description = [{
        output[..., c] = input[..., c] where mask[...], else 0

    | Name     | Shape      | Element    |
    |----------|------------|------------|
    | `input`  | `[..., C]` | any float  |
    | `mask`   | `[...]`    | i1         |
    | `output` | `[..., C]` | as `input` |

    What stands in a masked row, NaN included, does not pass. The op is its own gradient.

    Constraints:
    - (C1) `mask` has the rows of `input`.

    Example:

    ```mlir
    %y = bifocal.mask_padding %x, %m : (tensor<?x?x512xf32>, tensor<?x?xi1>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Mask:$mask);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input `,` $mask attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
#endif
