// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_FUSEDOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_FUSEDOPS_TD
include "dialect/bifocal/BifocalDialect.td"

// The body holds ops with FusibleOpInterface on whole tensors; the kernel runs them row by row without the tensors in between reaching memory.
def Bifocal_MapOp : Bifocal_Op<"map", [IsolatedFromAbove, SingleBlock, RecursiveMemoryEffects, DeclareOpInterfaceMethods<CostOpInterface>,
    DeclareOpInterfaceMethods<SymbolicShapeOpInterface>]> {
  let summary = "row-wise ops in one pass over memory, with at most one row reduction";
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}
def Bifocal_YieldOp : Bifocal_Op<"yield", [Pure, Terminator, HasParent<"MapOp">]> {
  let summary = "the results of a map";
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}
#endif
