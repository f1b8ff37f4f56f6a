// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_SEARCHOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_SEARCHOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_TopKOp : Bifocal_PureOp<"top_k"> {
  let summary = "the largest elements of every row, and where they stand";
  let description = [{
    `values[..., 0]` is the largest element of `input[..., :]` and `indices[..., 0]` its place, `values[..., 1]` the
    largest one of the others, and so on. Of equal elements the one with the smaller index comes first. NaN counts as
    minus infinity; once nothing above that is left, `values` are minus infinity and `indices` 0.

    | Name      | Shape      | Element    |
    |-----------|------------|------------|
    | `input`   | `[..., V]` | any float  |
    | `values`  | `[..., k]` | as `input` |
    | `indices` | `[..., k]` | i32        |

    A step of beam search needs a few continuations of each hypothesis, and not the probabilities of the whole
    vocabulary, which would have to leave the device.

    Constraints:
    - (C1) V is known when the op is compiled, and at most 2^24.
    - (C2) 1 <= `k` <= V.
    - (C3) `values` and `indices` have the rows of `input` and `k` columns.

    Example:

    ```mlir
    %values, %indices = bifocal.top_k %x {k = 16 : i64} : (tensor<?x6000xf32>) -> (tensor<?x16xf32>, tensor<?x16xi32>)
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, I64Attr:$k);
  let results = (outs Bifocal_Tensor:$values, Bifocal_Tokens:$indices);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
#endif
