// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_PLAN_PLANOPS_TD
#define BIFOCAL_DIALECT_PLAN_PLANOPS_TD
include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// Everything here maps one to one to docs/Artifact.md. Size expressions are affine maps without dims whose symbols are
// the entry's `symbols`, in order: affine_map<()[s0, s1] -> (s0 * s1)>.
def Plan_Dialect : Dialect {
  let name = "plan";
  let cppNamespace = "::bifocal::plan";
  let summary = "what the machine does: buffers, launches, library calls";
  let useDefaultTypePrinterParser = 1;
}
class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<Plan_Dialect, mnemonic, traits>;

def Plan_BufferType : TypeDef<Plan_Dialect, "Buffer"> { let mnemonic = "buffer"; let summary = "a piece of memory with a place in a region"; }

def Plan_Region : I32EnumAttr<"Region", "where a buffer lives", [
  I32EnumAttrCase<"arena", 0>, I32EnumAttrCase<"parameter", 1>, I32EnumAttrCase<"gradient", 2>, I32EnumAttrCase<"moment1", 3>,
  I32EnumAttrCase<"moment2", 4>, I32EnumAttrCase<"state", 5>, I32EnumAttrCase<"input", 6>, I32EnumAttrCase<"output", 7>]> {
  let cppNamespace = "::bifocal::plan";
}

// A kernel is described by the one bifocal op (or map) in its body; the phase `kernels` writes its machine-level twin for every target.
// The launch's buffers are the arguments, then the returned values, then `scratch` bytes-per-size-class buffers; its sizes are the dynamic
// dims ('?') of arguments, then of results, in order. `stages`: the number of functions <name>.0, <name>.1, ...
def Plan_KernelOp : Plan_Op<"kernel", [Symbol, IsolatedFromAbove, SingleBlock]> {
  let summary = "what one kernel computes";
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$stages, StrAttr:$family);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name $family `stages` $stages attr-dict-with-keyword $body";
  let hasVerifier = 1;
}
def Plan_ReturnOp : Plan_Op<"return", [Pure, Terminator, HasParent<"KernelOp">]> {
  let summary = "the results of a kernel's description";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

// inputs, outputs: array of {name, dtype, dims = [names or integers]}. classes: array of affine maps; peak: bytes per unit of each class.
def Plan_EntryOp : Plan_Op<"entry", [Symbol, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "the steps of one entry point";
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$symbols, ArrayAttr:$inputs, ArrayAttr:$outputs,
    DefaultValuedAttr<ArrayAttr, "{}">:$classes, DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$peak);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `symbols` $symbols attr-dict-with-keyword $body";
  let hasVerifier = 1;
}
// class_index, offset, size as in docs/Artifact.md (offset and size are bytes per class unit); offset is -1 until assign-memory has run.
def Plan_BufferOp : Plan_Op<"buffer", []> {
  let summary = "one buffer of an entry";
  let arguments = (ins Plan_Region:$region, I64Attr:$class_index, I64Attr:$offset, I64Attr:$size, StrAttr:$dtype,
    OptionalAttr<I64Attr>:$index, OptionalAttr<StrAttr>:$name);
  let results = (outs Plan_BufferType:$buffer);
  let assemblyFormat = "$region (`[` $index^ `]`)? (`name` $name^)? `class` $class_index `at` $offset `size` $size $dtype attr-dict";
}
// windowed: per buffer, the bytes per row by which a `slabs` body advances it; 0 for none.
def Plan_LaunchOp : Plan_Op<"launch", []> {
  let summary = "runs all stages of a kernel";
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Plan_BufferType>:$buffers, AffineMapArrayAttr:$sizes, AffineMapArrayAttr:$stages,
    OptionalAttr<DenseI64ArrayAttr>:$windowed);
  let assemblyFormat = "$kernel `(` $buffers `)` `sizes` $sizes `stages` $stages attr-dict";
}
def Plan_GemmOp : Plan_Op<"gemm", []> {
  let summary = "C = op(A) op(B) + beta C by the GEMM library, then an optional row-wise epilogue";
  let arguments = (ins Plan_BufferType:$a, Plan_BufferType:$b, Plan_BufferType:$c, AffineMapAttr:$m, AffineMapAttr:$n, AffineMapAttr:$k,
    UnitAttr:$trans_a, UnitAttr:$trans_b, DefaultValuedAttr<F32Attr, "0.0f">:$beta, OptionalAttr<DenseI64ArrayAttr>:$windowed,
    OptionalAttr<FlatSymbolRefAttr>:$epilogue, Variadic<Plan_BufferType>:$epilogue_buffers, OptionalAttr<AffineMapArrayAttr>:$epilogue_sizes,
    DefaultValuedAttr<I64Attr, "0">:$rows_per_tile);
  let assemblyFormat = [{ $a (`transposed` $trans_a^)? `,` $b (`transposed` $trans_b^)? `into` $c `m` $m `n` $n `k` $k (`beta` $beta^)?
    (`epilogue` $epilogue^ `(` $epilogue_buffers `)` `sizes` $epilogue_sizes `rows_per_tile` $rows_per_tile)? attr-dict }];
}
def Plan_FillOp : Plan_Op<"fill", []> {
  let summary = "sets every byte pattern of a buffer to one f32 value";
  let arguments = (ins Plan_BufferType:$buffer, F32Attr:$value);
  let assemblyFormat = "$buffer `with` $value attr-dict";
}
def Plan_CopyOp : Plan_Op<"copy", []> {
  let summary = "copies a whole buffer";
  let arguments = (ins Plan_BufferType:$from, Plan_BufferType:$to);
  let assemblyFormat = "$from `to` $to attr-dict";
}
// Inside the body size expressions have one more symbol at the end: W, the rows of the window.
def Plan_SlabsOp : Plan_Op<"slabs", [SingleBlock, NoTerminator]> {
  let summary = "runs its body for one window of rows after the other";
  let arguments = (ins AffineMapAttr:$rows, I64Attr:$by);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$rows `by` $by attr-dict-with-keyword $body";
}
#endif
