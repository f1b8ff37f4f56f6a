// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_PLAN_PLANOPS_TD
#define BIFOCAL_DIALECT_PLAN_PLANOPS_TD
include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let cppNamespace = "::bifocal::plan";
  let summary = "what the machine does: buffers, launches, products";
  let description = [{
    Everything here maps one to one to the plan of an artifact. Size expressions are affine maps without dims whose symbols
    are those of the entry, in order: `affine_map<()[s0, s1] -> (s0 * s1)>`; inside `plan.slabs` there is one more at the
    end, the rows of the window. Steps run in order; there is no data-dependent control flow.
  }];
  let useDefaultTypePrinterParser = 1;
}

class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<Plan_Dialect, mnemonic, traits>;

def Plan_BufferType : TypeDef<Plan_Dialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "a piece of memory with a place in a region";
}

def Plan_Region : I32EnumAttr<"Region", "where a buffer lives", [
  I32EnumAttrCase<"arena", 0>, I32EnumAttrCase<"parameter", 1>, I32EnumAttrCase<"gradient", 2>, I32EnumAttrCase<"moment1", 3>,
  I32EnumAttrCase<"moment2", 4>, I32EnumAttrCase<"state", 5>, I32EnumAttrCase<"input", 6>, I32EnumAttrCase<"output", 7>,
  I32EnumAttrCase<"panels", 8>]> {
  let cppNamespace = "::bifocal::plan";
}

def Plan_Quantization : I32EnumAttr<"Quantization", "which factors of a product are rounded to 8 bits", [
  I32EnumAttrCase<"none", 0>, I32EnumAttrCase<"weights", 1>, I32EnumAttrCase<"factors", 2>]> {
  let cppNamespace = "::bifocal::plan";
}

def Plan_KernelOp : Plan_Op<"kernel", [Symbol, IsolatedFromAbove, SingleBlock]> {
  let summary = "what one kernel computes";
  let description = [{
    The body holds one bifocal op or map on whole tensors; the phase `kernels` writes its machine-level twin for every
    target. A launch's buffers are the block arguments, then the returned values, then states, then scratch; its sizes
    are the dynamic dims of arguments, then of results, then of states, in order. The kernel is `stages` functions
    `<name>.0`, `<name>.1`, ..., with a barrier between them.

    Layers that differ in nothing but the sites of their dropouts share a kernel: its body numbers them from 0 to
    `sites` - 1, and the last `sites` sizes of a launch say the true ones. Without `sites` those in the body are true.

    `row_strides` has an element for every argument, then for every returned value: the elements from one row to the next
    where a launch gives a `plan.view` of such rows, 0 where rows are adjacent. Without it all are.

    Constraints:
    - (C1) `stages` >= 1.
    - (C2) The body is one op and a `plan.return` of its results in order.
    - (C3) `sites` >= 0; unless it is 0 every site in the body is one of 0 to `sites` - 1.
    - (C4) `row_strides` has an element per argument and returned value: 0, or no less than the tensor has channels.

    Example:

    ```mlir
    plan.kernel @relu_0 "map" stages 1 {
    ^bb0(%x: tensor<?x512xf32>):
      %y = bifocal.relu %x : tensor<?x512xf32>
      plan.return %y : tensor<?x512xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$stages, StrAttr:$family, DefaultValuedAttr<I64Attr, "0">:$sites,
    OptionalAttr<DenseI64ArrayAttr>:$row_strides);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name $family `stages` $stages (`sites` $sites^)? (`row_strides` $row_strides^)? attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Plan_ReturnOp : Plan_Op<"return", [Pure, Terminator, HasParent<"KernelOp">]> {
  let summary = "the results of a kernel's description";
  let description = [{
    Ends the body of a `plan.kernel`.

    Example:

    ```mlir
    plan.return %y : tensor<?x512xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def Plan_EntryOp : Plan_Op<"entry", [Symbol, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "the steps of one entry point";
  let description = [{
    `inputs` and `outputs` are arrays of `{name, dtype, dims}`, where a dim is an integer or the name of a symbol.
    `classes` are the size classes of the arena, `peak` the bytes per unit of each: the entry needs
    sum of peak[i] * classes[i] bytes. Both are empty until the memory is assigned.

    Constraints:
    - (C1) Every input and output has a string `name`, a string `dtype` and an array `dims`.
    - (C2) A dim is an integer or one of `symbols`.
    - (C3) `peak` has one element per class.
    - (C4) Every class is one expression over the symbols.

    Example:

    ```mlir
    plan.entry @forward symbols ["N"] attributes {inputs = [{dims = ["N", 512], dtype = "f32", name = "x"} ],
                                                  outputs = [{dims = ["N", 512], dtype = "f32", name = "y"} ]} {
      %x = plan.buffer input[0] class 0 at 0 size 2048 "f32"
      %y = plan.buffer output[0] class 0 at 0 size 2048 "f32"
      plan.copy %x to %y
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$symbols, ArrayAttr:$inputs, ArrayAttr:$outputs,
    DefaultValuedAttr<ArrayAttr, "{}">:$classes, DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$peak);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `symbols` $symbols attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Plan_BufferOp : Plan_Op<"buffer", []> {
  let summary = "one buffer of an entry";
  let description = [{
    In the arena `offset` and `size` are bytes per unit of the class `class_index`; in the slabs of parameters, gradients
    and moments and in the panels they are bytes. What is in the panels of an entry stays from call to call. `index` is the place among the inputs or outputs, `name` that of a state. `offset` is -1
    until the memory is assigned.

    Constraints:
    - (C1) `size` >= 0, `class_index` >= 0 and `offset` >= -1.
    - (C2) `dtype` is f32, bf16, f16, i32, i64 or i1.
    - (C3) Inputs and outputs have an `index`, other regions none.
    - (C4) A state has a `name`.

    Example:

    ```mlir
    %t = plan.buffer arena class 1 at 0 size 512 "f32"
    ```
  }];
  let arguments = (ins Plan_Region:$region, I64Attr:$class_index, I64Attr:$offset, I64Attr:$size, StrAttr:$dtype,
    OptionalAttr<I64Attr>:$index, OptionalAttr<StrAttr>:$name);
  let results = (outs Plan_BufferType:$buffer);
  let assemblyFormat = "$region (`[` $index^ `]`)? (`name` $name^)? `class` $class_index `at` $offset `size` $size $dtype attr-dict";
  let hasVerifier = 1;
}

def Plan_ViewOp : Plan_Op<"view", [Pure]> {
  let summary = "some columns of the rows of a buffer";
  let description = [{
    What a `bifocal.split` gives and a `bifocal.concat` takes: elements [column, column + width) of every row of `whole`, whose
    rows have `row` elements. Nothing is moved. It has the element type of `whole`, and lives as long as that. Products read and write
    views by the distance of their rows, launches where the `row_strides` of their kernel say so; nothing else takes them.

    Constraints:
    - (C1) `whole` is a `plan.buffer`, not of the panels.
    - (C2) `column` >= 0, `width` >= 1 and `column` + `width` <= `row`.

    Example:

    ```mlir
    %near = plan.view %x column 80 width 80 of 160
    ```
  }];
  let arguments = (ins Plan_BufferType:$whole, I64Attr:$column, I64Attr:$width, I64Attr:$row);
  let results = (outs Plan_BufferType:$buffer);
  let assemblyFormat = "$whole `column` $column `width` $width `of` $row attr-dict";
  let hasVerifier = 1;
}

def Plan_LaunchOp : Plan_Op<"launch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "run of all stages of a kernel";
  let description = [{
    `stages` holds the number of tiles of every stage; tiles of a stage run in any order. `windowed` says per buffer by how
    many bytes per row the body of a `plan.slabs` advances it, 0 for not at all.

    Constraints:
    - (C1) `kernel` names a `plan.kernel` with as many stages.
    - (C2) `windowed` has one element per buffer.
    - (C3) Every size and every stage is one expression without dims.
    - (C4) Buffer i is a view of rows of `row_strides[i]` elements of the kernel, or no view where that is 0.

    Example:

    ```mlir
    plan.launch @relu_0(%x, %y) sizes [affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv 64)>]
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Plan_BufferType>:$buffers, AffineMapArrayAttr:$sizes, AffineMapArrayAttr:$stages,
    OptionalAttr<DenseI64ArrayAttr>:$windowed);
  let assemblyFormat = "$kernel `(` $buffers `)` `sizes` $sizes `stages` $stages attr-dict";
  let hasVerifier = 1;
}

def Plan_GemmOp : Plan_Op<"gemm", [DeclareOpInterfaceMethods<SymbolUserOpInterface>, AttrSizedOperandSegments]> {
  let summary = "matrix product, then an optional row-wise epilogue";
  let description = [{
        c[m, n] = op(a) op(b) + beta * c

    Row major, f32, bf16 or f16. `a` is stored `[m, k]`, `[k, m]` where transposed; `b` is stored `[k, n]`, `[n, k]` where
    transposed. Sums are taken in f32, and a `c` of 16 bits is rounded once. Where one of the three is of 16 bits, the
    factors are: those that memory holds in f32 are rounded to that type first.
    `quantized weights` rounds b, `quantized factors` a and b to 8 bits, in groups of 512 steps of k with one f32 scale for
    each column of b and each row of a. Sums of a group are exact integers with `factors`, and f32 with `weights`.
    `mask` has one i1 for each row of `a` as it is stored: where it is false the row counts as zeros, without a product.
    `workspace` is memory for a copy of `b` in the order in which it is read: n rounded up to 32 times k rounded up to 16
    elements; quantised, n rounded up to 32 times the groups of k and a quarter of k rounded up to 32. Without it the product is slower, not different. In the arena the copy is made anew by every product; in the
    panels it is made once and stays as long as the parameters do.
    The epilogue is a kernel of one stage whose tile i covers rows [i * rows_per_tile, (i + 1) * rows_per_tile) of c, so it
    may run on rows that are still in cache. Where `a`, `b` or `c` is a view, its rows are as far apart as the view says.

    Constraints:
    - (C1) `beta` is 0 or 1.
    - (C2) `m`, `n` and `k` are one expression without dims each.
    - (C3) `windowed` has three elements, for a, b and c, one for the mask if there is one, and one per buffer of the
      epilogue.
    - (C4) An epilogue has sizes and `rows_per_tile` >= 1, and names a `plan.kernel` of one stage.
    - (C5) `workspace` is f32 and none of the other buffers, in the arena, or in the panels where `b` is a whole parameter.
    - (C6) `mask` is i1, and not both of `a` and `b` are transposed beside it.
    - (C7) `a`, `b` and `c` are f32, bf16 or f16, and not both bf16 and f16.
    - (C8) Quantised, all three are f32, and `b` alone is transposed.
    - (C9) `mask` and `workspace` are no views, and the buffers of the epilogue are as in (C4) of `plan.launch`.

    Example:

    ```mlir
    plan.gemm %x, %w transposed into %y m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (512)> k affine_map<()[s0] -> (512)>
    ```
  }];
  let arguments = (ins Plan_BufferType:$a, Plan_BufferType:$b, Plan_BufferType:$c,
    Optional<Plan_BufferType>:$mask, Optional<Plan_BufferType>:$workspace, AffineMapAttr:$m, AffineMapAttr:$n, AffineMapAttr:$k,
    UnitAttr:$trans_a, UnitAttr:$trans_b, DefaultValuedAttr<Plan_Quantization, "::bifocal::plan::Quantization::none">:$quantization, DefaultValuedAttr<F32Attr, "0.0f">:$beta, OptionalAttr<DenseI64ArrayAttr>:$windowed,
    OptionalAttr<FlatSymbolRefAttr>:$epilogue, Variadic<Plan_BufferType>:$epilogue_buffers, OptionalAttr<AffineMapArrayAttr>:$epilogue_sizes,
    DefaultValuedAttr<I64Attr, "0">:$rows_per_tile);
  let assemblyFormat = [{ $a (`transposed` $trans_a^)? `,` $b (`transposed` $trans_b^)? `into` $c (`mask` $mask^)? (`workspace` $workspace^)? (`quantized` $quantization^)? `m` $m `n` $n `k` $k (`beta` $beta^)?
    (`epilogue` $epilogue^ `(` $epilogue_buffers `)` `sizes` $epilogue_sizes `rows_per_tile` $rows_per_tile)? attr-dict }];
  let hasVerifier = 1;
}

def Plan_FillOp : Plan_Op<"fill", []> {
  let summary = "one f32 value in every element of a buffer";
  let description = [{
    Constraints:
    - (C1) `buffer` is no view.

    Example:

    ```mlir
    plan.fill %t with 0.0
    ```
  }];
  let arguments = (ins Plan_BufferType:$buffer, F32Attr:$value);
  let assemblyFormat = "$buffer `with` $value attr-dict";
  let hasVerifier = 1;
}

def Plan_CopyOp : Plan_Op<"copy", []> {
  let summary = "copy of a whole buffer";
  let description = [{
    Both buffers have the same size in bytes.

    Constraints:
    - (C1) Neither `from` nor `to` is a view.

    Example:

    ```mlir
    plan.copy %x to %y
    ```
  }];
  let arguments = (ins Plan_BufferType:$from, Plan_BufferType:$to);
  let assemblyFormat = "$from `to` $to attr-dict";
  let hasVerifier = 1;
}

def Plan_SlabsOp : Plan_Op<"slabs", [SingleBlock, NoTerminator]> {
  let summary = "its body for one window of rows after the other";
  let description = [{
    Windows are [0, by), [by, 2 by), ... of `rows`, the last one shorter. Size expressions inside have one more symbol at
    the end, the rows of the window; windowed buffers are advanced by the rows before it. Steps of the body run in order.

    Constraints:
    - (C1) `by` >= 1.
    - (C2) `rows` is one expression without dims.

    Example:

    ```mlir
    plan.slabs affine_map<()[s0] -> (s0)> by 256 {
      plan.copy %x to %y
    }
    ```
  }];
  let arguments = (ins AffineMapAttr:$rows, I64Attr:$by);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$rows `by` $by attr-dict-with-keyword $body";
  let hasVerifier = 1;
}
#endif
