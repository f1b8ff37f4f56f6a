// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_ADAPTIVEOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_ADAPTIVEOPS_TD
include "dialect/bifocal/BifocalDialect.td"

// What adaptive input and adaptive softmax (Grave et al., "Efficient softmax approximation for GPUs"; Baevski and Auli,
// "Adaptive input representations") have beside embeddings, linears and losses: a vocabulary is cut into bands of
// neighbouring ids, and each band but the first has a class in the softmax of the first.

// Weights, and biases, whose rows have one element.
def Bifocal_Rows : AnyTypeOf<[1DTensorOf<[F32]>, 2DTensorOf<[F32]>]>;

def Bifocal_BandIdsOp : Bifocal_PureOp<"band_ids"> {
  let summary = "ids counted from the beginning of a band";
  let description = [{
        output[...] = ids[...] - low where low <= ids[...] < high, else otherwise

    | Name     | Shape   | Element |
    |----------|---------|---------|
    | `ids`    | `[...]` | i32     |
    | `output` | `[...]` | i32     |

    An `otherwise` of -1 is no row of a table and no target: `bifocal.padding_mask` with it gives the band's mask.

    Constraints:
    - (C1) `output` has the shape of `ids`.
    - (C2) 0 <= `low` < `high`.

    Example:

    ```mlir
    %local = bifocal.band_ids %ids {low = 20000 : i32, high = 60000 : i32, otherwise = -1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi32>
    ```
  }];
  let arguments = (ins Bifocal_Tokens:$ids, I32Attr:$low, I32Attr:$high, I32Attr:$otherwise);
  let results = (outs Bifocal_Tokens:$output);
  let assemblyFormat = "$ids attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_ClusterIdsOp : Bifocal_PureOp<"cluster_ids"> {
  let summary = "classes of ids in the first softmax of an adaptive one";
  let description = [{
    With `cutoffs` c_0 < c_1 < ...:

        output[...] = ids[...] where ids[...] < c_0, else c_0 + the number of i >= 1 with c_i <= ids[...]

    With `reversed` the clusters have their classes in the other order, the first one the last class, as in the code
    published with Transformer-XL.

    | Name     | Shape   | Element |
    |----------|---------|---------|
    | `ids`    | `[...]` | i32     |
    | `output` | `[...]` | i32     |

    Constraints:
    - (C1) `output` has the shape of `ids`.
    - (C2) `cutoffs` are at least one, above 0 and ascending.

    Example:

    ```mlir
    %classes = bifocal.cluster_ids %ids {cutoffs = array<i32: 20000, 60000>} : (tensor<?x?xi32>) -> tensor<?x?xi32>
    ```
  }];
  let arguments = (ins Bifocal_Tokens:$ids, DenseI32ArrayAttr:$cutoffs, UnitAttr:$reversed);
  let results = (outs Bifocal_Tokens:$output);
  let assemblyFormat = "$ids attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_JoinClustersOp : Bifocal_PureOp<"join_clusters"> {
  let summary = "log-probabilities of all ids from those of classes and of clusters";
  let description = [{
    With n `tails` of s_0, s_1, ... columns, a head of c + n columns, and c_i = c + s_0 + ... + s_(i-1):

        output[..., v] = head[..., v]                                       for v < c
        output[..., v] = head[..., c + i] + tails[i][..., v - c_i]          for c_i <= v < c_i + s_i

    With `reversed` head[..., c + n - 1 - i] in place of head[..., c + i]: see `bifocal.cluster_ids`.

    | Name     | Shape                       | Element   |
    |----------|-----------------------------|-----------|
    | `head`   | `[..., c + n]`              | any float |
    | `tails`  | `[..., s_i]` each           | as `head` |
    | `output` | `[..., c + s_0 + s_1 + ...]` | as `head` |

    Constraints:
    - (C1) There is at least one of `tails`, and `head` has more columns than there are `tails`.
    - (C2) All have the rows of `head`, and last axes of fixed sizes.
    - (C3) `output` has a column for each id.

    Example:

    ```mlir
    %lp = bifocal.join_clusters %head, %rare : (tensor<?x20001xf32>, tensor<?x40000xf32>) -> tensor<?x60000xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$head, Variadic<Bifocal_Tensor>:$tails, UnitAttr:$reversed);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$head `,` $tails attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_AddScalarsOp : Bifocal_PureOp<"add_scalars", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "sum of scalars";
  let description = [{
    `output` is the sum of `inputs`, from the first to the last. All are f32 scalars: the losses of the parts of an
    adaptive softmax.

    Constraints:
    - (C1) There is at least one of `inputs`.

    Example:

    ```mlir
    %loss = bifocal.add_scalars %head, %tail : (tensor<f32>, tensor<f32>) -> tensor<f32>
    ```
  }];
  let arguments = (ins Variadic<Bifocal_Scalar>:$inputs);
  let results = (outs Bifocal_Scalar:$output);
  let assemblyFormat = "$inputs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_ConcatRowsOp : Bifocal_PureOp<"concat_rows", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "matrices, one below the other";
  let description = [{
    | Name     | Shape                                         | Element |
    |----------|-----------------------------------------------|---------|
    | `inputs` | `[R_i, C]` each, or `[R_i]`                   | f32     |
    | `output` | `[R_0 + R_1 + ..., C]`, or `[R_0 + R_1 + ...]` | f32    |

    Weights that a model keeps apart and multiplies as one: the words and the clusters of a tied adaptive softmax.

    Constraints:
    - (C1) There is at least one of `inputs`; all sizes are fixed.
    - (C2) `output` has the columns of every input, and as many rows as all together.

    Example:

    ```mlir
    %w = bifocal.concat_rows %words, %clusters : (tensor<20000x512xf32>, tensor<2x512xf32>) -> tensor<20002x512xf32>
    ```
  }];
  let arguments = (ins Variadic<Bifocal_Rows>:$inputs);
  let results = (outs Bifocal_Rows:$output);
  let assemblyFormat = "$inputs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_SliceRowsOp : Bifocal_PureOp<"slice_rows"> {
  let summary = "neighbouring rows of a matrix";
  let description = [{
        output[r, c] = input[first + r, c]

    | Name     | Shape             | Element |
    |----------|-------------------|---------|
    | `input`  | `[R, C]` or `[R]` | f32     |
    | `output` | `[r, C]` or `[r]` | f32     |

    The gradient of `bifocal.concat_rows`.

    Constraints:
    - (C1) All sizes are fixed, and `output` has the columns of `input`.
    - (C2) `first` >= 0, and `input` has first + r rows or more.

    Example:

    ```mlir
    %dwords = bifocal.slice_rows %dw {first = 0 : i64} : (tensor<20002x512xf32>) -> tensor<20000x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Rows:$input, I64Attr:$first);
  let results = (outs Bifocal_Rows:$output);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_SplitRowsOp : Bifocal_PureOp<"split_rows", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "rows of a matrix as several, one below the other";
  let description = [{
        output_i[r, c] = input[R_0 + ... + R_(i-1) + r, c]

    | Name      | Shape                                          | Element |
    |-----------|------------------------------------------------|---------|
    | `input`   | `[R_0 + R_1 + ..., C]`, or `[R_0 + R_1 + ...]` | f32     |
    | `outputs` | `[R_i, C]` each, or `[R_i]`                    | f32     |

    A weight that a model keeps as one and multiplies in parts: the queries', keys' and values' of Transformer-XL, the bands
    of its vocabulary. It has a gradient, `bifocal.concat_rows`, where all of its outputs have one.

    Constraints:
    - (C1) There is at least one of `outputs`; all sizes are fixed.
    - (C2) `input` has the columns of every output, and as many rows as all together.

    Example:

    ```mlir
    %q, %k = bifocal.split_rows %w : (tensor<1024x512xf32>) -> (tensor<512x512xf32>, tensor<512x512xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Rows:$input);
  let results = (outs Variadic<Bifocal_Rows>:$outputs);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Bifocal_TransposeOp : Bifocal_PureOp<"transpose", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "matrix with rows and columns exchanged";
  let description = [{
        output[c, r] = input[r, c]

    | Name     | Shape    | Element |
    |----------|----------|---------|
    | `input`  | `[R, C]` | f32     |
    | `output` | `[C, R]` | f32     |

    For weights that are read both ways, such as the projections of tied adaptive inputs and softmaxes: small beside
    the activations, and copied once a step.

    Constraints:
    - (C1) All sizes are fixed, and `output` has those of `input`, exchanged.

    Example:

    ```mlir
    %t = bifocal.transpose %w : (tensor<512x128xf32>) -> tensor<128x512xf32>
    ```
  }];
  let arguments = (ins 2DTensorOf<[F32]>:$input);
  let results = (outs 2DTensorOf<[F32]>:$output);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
#endif
