// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_OPTIMOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_OPTIMOPS_TD
include "dialect/bifocal/BifocalDialect.td"

// Writes (or adds) a gradient into the gradient slab at the place of `param`.
def Bifocal_StoreGradientOp : Bifocal_Op<"store_gradient", [DeclareOpInterfaceMethods<SymbolUserOpInterface>, DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>]> {
  let summary = "keeps the gradient of a parameter";
  let arguments = (ins Bifocal_Tensor:$gradient, FlatSymbolRefAttr:$param, UnitAttr:$accumulate);
  let assemblyFormat = "$gradient `into` $param (`accumulate` $accumulate^)? attr-dict `:` type($gradient)";
}
// norm = L2 norm of the listed gradients in the slab, divided by count (1 when absent).
def Bifocal_GlobalNormOp : Bifocal_Op<"global_norm", [MemoryEffects<[MemRead]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>, DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>]> {
  let summary = "norm of the gradients of an update";
  let arguments = (ins Bifocal_Scalar:$count, TypedArrayAttrBase<FlatSymbolRefAttr, "parameters">:$params);
  let results = (outs Bifocal_Scalar:$norm);
  let assemblyFormat = "$count `of` $params attr-dict `:` functional-type(operands, results)";
}
// factor = min(1, c / (norm + 1e-6)) / count with c = hyper[2]; 1 / count when c is 0.
def Bifocal_ClipOp : Bifocal_PureOp<"clip"> {
  let summary = "factor that bounds the global norm and makes a sum a mean";
  let arguments = (ins Bifocal_Scalar:$norm, Bifocal_Scalar:$count, Bifocal_Hyper:$hyper);
  let results = (outs Bifocal_Scalar:$factor);
  let assemblyFormat = "$norm `,` $count `,` $hyper attr-dict `:` functional-type(operands, results)";
}
// g = factor * gradient; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; p -= weight_decay * hyper[0] * p; p -= hyper[1] * m / (sqrt(v) + eps).
def Bifocal_AdamOp : Bifocal_Op<"adam", [DeclareOpInterfaceMethods<SymbolUserOpInterface>, DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>]> {
  let summary = "one Adam update with decoupled decay of the listed parameters, in place";
  let arguments = (ins Bifocal_Scalar:$factor, Bifocal_Hyper:$hyper, TypedArrayAttrBase<FlatSymbolRefAttr, "parameters">:$params,
    F32Attr:$beta1, F32Attr:$beta2, F32Attr:$epsilon, F32Attr:$weight_decay, UnitAttr:$clear_gradients);
  let assemblyFormat = "$factor `,` $hyper `of` $params (`clear_gradients` $clear_gradients^)? attr-dict `:` type(operands)";
  let hasVerifier = 1;
}
#endif
