// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_STATEOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_STATEOPS_TD
include "dialect/bifocal/BifocalDialect.td"

// init: dictionary {kind = "...", ...}, see docs/Artifact.md; aliases: further state-dict names of the same tensor.
def Bifocal_ParamOp : Bifocal_Op<"param", [Symbol]> {
  let summary = "a parameter of the model, named as in the state dict";
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Bifocal_Tensor>:$type, DictionaryAttr:$init,
    DefaultValuedAttr<StrArrayAttr, "{}">:$aliases, UnitAttr:$frozen, UnitAttr:$transient);
  let assemblyFormat = "$sym_name `:` $type `init` $init (`frozen` $frozen^)? (`transient` $transient^)? attr-dict";
  let hasVerifier = 1;
}
def Bifocal_ParamRefOp : Bifocal_Op<"param_ref", [Pure, DeclareOpInterfaceMethods<CostOpInterface>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a parameter";
  let arguments = (ins FlatSymbolRefAttr:$param);
  let results = (outs Bifocal_Tensor:$value);
  let assemblyFormat = "$param attr-dict `:` type($value)";
}
// dims: one entry per axis, a symbol name or an empty string where the type is static.
def Bifocal_StateOp : Bifocal_Op<"state", [Symbol]> {
  let summary = "memory that entry points share between calls";
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type, StrArrayAttr:$dims);
  let assemblyFormat = "$sym_name `:` $type `dims` $dims attr-dict";
  let hasVerifier = 1;
}
def Bifocal_StateWriteOp : Bifocal_Op<"state_write", [DeclareOpInterfaceMethods<CostOpInterface>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "replaces a state";
  let arguments = (ins AnyRankedTensor:$value, FlatSymbolRefAttr:$state);
  let assemblyFormat = "$value `into` $state attr-dict `:` type($value)";
}
#endif
