// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_ROTARYOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_ROTARYOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_RotaryLayout : I32EnumAttr<"RotaryLayout", "which channels of a head form a pair", [
    I32EnumAttrCase<"interleaved", 0>, I32EnumAttrCase<"halves", 1>]> {
  let cppNamespace = "::bifocal";
}

def Bifocal_RotaryOp : Bifocal_PureOp<"rotary", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "rotary position embedding of every head";
  let description = [{
    Turns pairs of channels of each head by angles that grow with the position. With D = C / heads, the pair p of a head
    is its channels (2p, 2p + 1) with `interleaved` and (p, R + p) with `halves`; the channels behind the first 2R of a
    head pass unchanged. At position n = t (plus `step`):

        output[x] = input[x] * cos[n, p] - input[y] * sin[n, p]
        output[y] = input[y] * cos[n, p] + input[x] * sin[n, p]     for the pair (x, y)

    With `inverse` the sign of `sin` is turned: the inverse of a rotation, and its own gradient.

    | Name         | Shape                  | Element    | Meaning                                           |
    |--------------|------------------------|------------|---------------------------------------------------|
    | `input`      | `[B, T, C]`, `[N, C]`  | any float  | `[N, C]`: one step of N rows, all at one position |
    | `cos`, `sin` | `[P, R]`               | f32        | tables by position and pair                       |
    | `step`       | scalar                 | i32        | optional: the position of the first step          |
    | `output`     | as `input`             | as `input` |                                                   |

    The products are taken in f32. A position beyond the tables takes their last row. The tables are data, so every law of
    frequencies fits: base^(-p / R) (Su et al., RoFormer, 2021, section 3.2.2) as well as base^(-p / (R - 1)).

    Constraints:
    - (C1) `heads` >= 1 divides C, which is static.
    - (C2) `cos` and `sin` have one static shape.
    - (C3) R >= 1 and 2R <= C / heads.
    - (C4) `input` has two or three axes.

    Example:

    ```mlir
    %y = bifocal.rotary %q, %cos, %sin {heads = 8 : i64}
        : (tensor<?x?x512xf32>, tensor<1024x32xf32>, tensor<1024x32xf32>) -> tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input, 2DTensorOf<[F32]>:$cos, 2DTensorOf<[F32]>:$sin,
    Optional<0DTensorOf<[I32]>>:$step, UnitAttr:$inverse, I64Attr:$heads,
    DefaultValuedAttr<Bifocal_RotaryLayout, "::bifocal::RotaryLayout::interleaved">:$layout);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input `,` $cos `,` $sin (`step` $step^)? (`layout` $layout^)? (`inverse` $inverse^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
#endif
