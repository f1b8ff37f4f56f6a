// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_CHANNELOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_CHANNELOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_SplitOp : Bifocal_PureOp<"split", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "neighbouring channels as tensors of their own";
  let description = [{
        output_i[..., c] = input[..., first_i + c],  first_i = C_0 + ... + C_(i-1)

    | Name      | Shape        | Element    |
    |-----------|--------------|------------|
    | `input`   | `[..., C]`   | any float  |
    | `outputs` | `[..., C_i]` | as `input` |

    The branches of a layer read it (Wu et al., "Lite Transformer with Long-Short Range Attention", 2020, section 4). Where
    products and maps read an output, no element is moved: it is a view of the input (see `plan.view`). It has a gradient,
    `bifocal.concat`, where all of its outputs have one.

    Constraints:
    - (C1) There are at least two outputs, with a static number of channels each.
    - (C2) Every output has the rows and the element type of `input`.
    - (C3) The channels of the outputs add up to those of `input`.

    Example:

    ```mlir
    %far, %near = bifocal.split %x : (tensor<?x?x160xf32>) -> (tensor<?x?x80xf32>, tensor<?x?x80xf32>)
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input);
  let results = (outs Variadic<Bifocal_Tensor>:$outputs);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Bifocal_ConcatOp : Bifocal_PureOp<"concat", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "channels of several tensors side by side";
  let description = [{
        output[..., first_i + c] = input_i[..., c],  first_i = C_0 + ... + C_(i-1)

    | Name     | Shape        | Element    |
    |----------|--------------|------------|
    | `inputs` | `[..., C_i]` | any float  |
    | `output` | `[..., C]`   | as `inputs` |

    What the branches of a layer give (Wu et al., "Lite Transformer with Long-Short Range Attention", 2020, section 4). Where
    products and maps write an input, no element is moved: they write into columns of the output (see `plan.view`).

    Constraints:
    - (C1) There are at least two inputs, with a static number of channels each.
    - (C2) Every input has the rows and the element type of `output`.
    - (C3) The channels of the inputs add up to those of `output`.

    Example:

    ```mlir
    %y = bifocal.concat %far, %near : (tensor<?x?x80xf32>, tensor<?x?x80xf32>) -> tensor<?x?x160xf32>
    ```
  }];
  let arguments = (ins Variadic<Bifocal_Tensor>:$inputs);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$inputs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
#endif
