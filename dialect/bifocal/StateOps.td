// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_STATEOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_STATEOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_ParamOp : Bifocal_Op<"param", [Symbol]> {
  let summary = "a parameter of the model, named as in the state dict";
  let description = [{
    Declares a tensor of the parameter slab. `init` is a dictionary whose `kind` is zeros, ones, xavier_uniform (`gain`),
    normal (`std`, optional `zero_row`), uniform (`bound`), constant (`value`), sinusoidal (`pad`), sinusoidal_distance,
    rotary_cos or rotary_sin (`base`: the tables of `bifocal.rotary`). `aliases` are further state-dict names of the same
    tensor. A `frozen` parameter is not trained; a `transient` one is made by its initialiser at load and stands in no
    weights file. With `bounds` [low, high] no update leaves an element below or above them.

    Constraints:
    - (C1) The shape is static.
    - (C2) `init` has one of the kinds above.
    - (C3) `transient` needs `frozen`.
    - (C4) `bounds` are two numbers with low <= 0 <= high, of a parameter that is trained.

    Example:

    ```mlir
    bifocal.param @fc1.weight : tensor<1024x512xf32> init {kind = "xavier_uniform", gain = 1.0 : f64}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Bifocal_Tensor>:$type, DictionaryAttr:$init,
    DefaultValuedAttr<StrArrayAttr, "{}">:$aliases, OptionalAttr<DenseF32ArrayAttr>:$bounds, UnitAttr:$frozen,
    UnitAttr:$transient);
  let assemblyFormat = "$sym_name `:` $type `init` $init (`frozen` $frozen^)? (`transient` $transient^)? attr-dict";
  let hasVerifier = 1;
}

def Bifocal_ParamRefOp : Bifocal_Op<"param_ref", [Pure, DeclareOpInterfaceMethods<CostOpInterface>,
    DeclareOpInterfaceMethods<SymbolicShapeOpInterface>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a parameter";
  let description = [{
    Pure: an entry point sees one value of a parameter, the one from before its updates.

    Constraints:
    - (C1) `param` names a `bifocal.param`.
    - (C2) The result has its type.

    Example:

    ```mlir
    %w = bifocal.param_ref @fc1.weight : tensor<1024x512xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$param);
  let results = (outs Bifocal_Tensor:$value);
  let assemblyFormat = "$param attr-dict `:` type($value)";
}

def Bifocal_StateOp : Bifocal_Op<"state", [Symbol]> {
  let summary = "memory that entry points share between calls";
  let description = [{
    Caches of a decoder and what `encode` leaves for it. `dims` has one entry per axis: the name of a symbol where the
    axis is dynamic, an empty string where it is static.

    Constraints:
    - (C1) `dims` has one entry per axis.
    - (C2) An entry is a name exactly where the axis is dynamic.

    Example:

    ```mlir
    bifocal.state @conv.input : tensor<7x?x512xf32> dims ["", "R", ""]
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type, StrArrayAttr:$dims);
  let assemblyFormat = "$sym_name `:` $type `dims` $dims attr-dict";
  let hasVerifier = 1;
}

def Bifocal_StateWriteOp : Bifocal_Op<"state_write", [DeclareOpInterfaceMethods<CostOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "replacement of a state by a value";
  let description = [{
    Has memory effects, so it is neither merged nor deleted.

    Constraints:
    - (C1) `state` names a `bifocal.state`.
    - (C2) Its shape and element type are those of `value`.

    Example:

    ```mlir
    bifocal.state_write %keys into @cross.key : tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$value, FlatSymbolRefAttr:$state);
  let assemblyFormat = "$value `into` $state attr-dict `:` type($value)";
}

def Bifocal_StateReadOp : Bifocal_Op<"state_read", [MemoryEffects<[MemRead]>,
    DeclareOpInterfaceMethods<CostOpInterface>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a state";
  let description = [{
    What another entry point left: nothing is copied.

    Constraints:
    - (C1) `state` names a `bifocal.state`.
    - (C2) The result has its type.
    - (C3) No other op of the function names the state but to read it so.

    Example:

    ```mlir
    %r = bifocal.state_read @self.positions : tensor<?x512xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$state);
  let results = (outs AnyRankedTensor:$value);
  let assemblyFormat = "$state attr-dict `:` type($value)";
}
#endif
