// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_FUSEDOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_FUSEDOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_MapOp : Bifocal_Op<"map", [IsolatedFromAbove, SingleBlock, RecursiveMemoryEffects, DeclareOpInterfaceMethods<CostOpInterface>,
    DeclareOpInterfaceMethods<SymbolicShapeOpInterface>]> {
  let summary = "row-wise ops in one pass over memory, with at most one row reduction";
  let description = [{
    The body says what is computed, on whole tensors; the kernel runs it row by row (a row is the last axis), so what is
    not yielded never reaches memory. The block argument `%a` of `%a = %x` stands for the input `%x` inside the body.

    Inside, floats are f32: the element type of an input or a result says what lies in memory, which is widened when it
    is read and rounded when it is written. So a map may have inputs and results of several float types.
    `%a = %x : tensor<?x8xbf16> as tensor<?x8xf32>` names the type in memory, then the one in the body.

    Constraints:
    - (C1) There is one block argument per input, of its shape and, but for the kind of float, its element type.
    - (C2) There is one yielded value per result, as in (C1).
    - (C3) Every op of the body has the FusibleOpInterface.
    - (C4) At most one of them is a row reduction.
    - (C5) All run over the same rows.
    - (C6) Sums over rows (of `bifocal.column_sum` and of the gradients of norms), complete only after the last row, are
      only yielded.
    - (C7) A norm takes whole rows.

    Example:

    ```mlir
    %y = bifocal.map (%a = %x : tensor<?x?x512xf32>, %r = %residual : tensor<?x?x512xf32>, %g = %rng : tensor<2xi64>) -> tensor<?x?x512xf32> {
      %dropped = bifocal.dropout %a, %g {rate = 0.1 : f32, site = 3 : i32} : (tensor<?x?x512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>
      %sum = bifocal.add %dropped, %r : tensor<?x?x512xf32>
      bifocal.yield %sum : tensor<?x?x512xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

def Bifocal_YieldOp : Bifocal_Op<"yield", [Pure, Terminator, HasParent<"MapOp">]> {
  let summary = "the results of a map";
  let description = [{
    Ends the body of a `bifocal.map`; its values become the results of the map, in order.

    Example:

    ```mlir
    bifocal.yield %sum : tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}
#endif
