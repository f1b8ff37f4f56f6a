// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_TILE_TILEOPS_TD
#define BIFOCAL_DIALECT_TILE_TILEOPS_TD
include "mlir/IR/OpBase.td"
include "mlir/Dialect/LLVMIR/LLVMOpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::bifocal::tile";
  let summary = "pieces of matrices as vectors, and their products";
  let description = [{
    What kernels for tensor cores say beyond vectors: a tile is some rows of a matrix in memory, one behind the other, in
    one vector. A warp's thread t has the lanes [t * m, (t + 1) * m) of a vector of 32 m lanes, and so the lanes of an
    8 x 8 tile lie in the threads as `ldmatrix` and `mma` want them (PTX ISA 8.5, 9.7.14.5): two neighbours of row t / 4.
    16-bit elements are i16, the bits of a bf16, or f16.
  }];
  let useDefaultTypePrinterParser = 0;
}

class Tile_Op<string mnemonic, list<Trait> traits = []> : Op<Tile_Dialect, mnemonic, traits>;

def Tile_Pointer : Type<LLVM_AnyPointer.predicate, "pointer">;
def Tile_Rows : Type<VectorOfRankAndType<[1], [I16, F16, F32]>.predicate, "vector of i16, f16 or f32">;
def Tile_Narrow : Type<VectorOfLengthAndType<[64], [I16, F16]>.predicate, "8 x 8 tile of i16 or f16">;
def Tile_Sums : Type<VectorOfLengthAndType<[64], [F32]>.predicate, "8 x 8 tile of f32">;

class Tile_AccessOp<string mnemonic, list<Trait> traits> : Tile_Op<mnemonic, traits> {
  let hasVerifier = 1;
  code boundsDeclaration = [{
    mlir::Value getLow() { return getBounds().empty() ? mlir::Value() : getBounds()[0]; }
    mlir::Value getHigh() { return getBounds().empty() ? mlir::Value() : getBounds()[1]; }
    mlir::Value getColumns() { return getBounds().empty() ? mlir::Value() : getBounds()[2]; }
  }];
  let extraClassDeclaration = boundsDeclaration;
}

def Tile_LoadOp : Tile_AccessOp<"load", []> {
  let summary = "reads rows of a matrix";
  let description = [{
    Lane r * `width` + c is element (r, c) of the matrix at `base`, whose rows are `stride` elements apart (0: the same
    row again; negative: backwards). With bounds `low`, `high`, `columns`, elements with r < low, r >= high or
    c >= columns are not read, and their lanes are 0. A thread's lanes begin at a multiple of `alignment` bytes, and are read
    at once where that is all of them.

    Constraints:
    - (C1) The lanes are whole warps of 32 and whole rows of `width`, and a thread's lanes lie in one row.
    - (C2) There are no bounds or three.
    - (C3) `alignment` is a power of two, at least the bytes of an element.

    Example:

    ```mlir
    %rows = tile.load %x, %stride in %low, %high, %columns width 32 align 16 : !llvm.ptr -> vector<256xi16>
    ```
  }];
  let arguments = (ins Arg<Tile_Pointer, "the matrix", [MemRead]>:$base, I64:$stride, Variadic<I64>:$bounds, I64Attr:$width,
    I64Attr:$alignment);
  let results = (outs Tile_Rows:$rows);
  let assemblyFormat = [{
    $base `,` $stride (`in` $bounds^)? `width` $width `align` $alignment attr-dict `:` type($base) `->` type($rows)
  }];
}

def Tile_StoreOp : Tile_AccessOp<"store", []> {
  let summary = "writes rows of a matrix";
  let description = [{
    The opposite of `tile.load`: elements outside of the bounds are not written.

    Constraints: those of `tile.load`.

    Example:

    ```mlir
    tile.store %rows, %y, %stride width 32 align 16 : vector<256xi16>, !llvm.ptr
    ```
  }];
  let arguments = (ins Tile_Rows:$rows, Arg<Tile_Pointer, "the matrix", [MemWrite]>:$base, I64:$stride,
    Variadic<I64>:$bounds, I64Attr:$width, I64Attr:$alignment);
  let assemblyFormat = [{
    $rows `,` $base `,` $stride (`in` $bounds^)? `width` $width `align` $alignment attr-dict `:` type($rows) `,` type($base)
  }];
}

def Tile_CopyOp : Tile_Op<"copy"> {
  let summary = "begins to copy rows of a matrix to shared memory";
  let description = [{
    Row r of the matrix of 16-bit elements at `source`, whose rows are `source_stride` elements apart, goes to row r of the one
    at `target`, which is shared memory. Elements (r, c) with r < low, r >= high or c >= `columns` are not read, and zeros go to
    their places. The warp goes on at once; before it reads or writes what is copied, it needs a `tile.wait`. Rows begin at
    multiples of 16 bytes in both. One `cp.async` for every 16 bytes.

    Constraints:
    - (C1) `rows` and `width` are multiples of 16, and above 0.
    - (C2) `columns` is a multiple of 8, above 0 and at most `width`.

    Example:

    ```mlir
    tile.copy %keys, %stride to %stack, %c72 in %low, %high rows 32 columns 64 width 64 : !llvm.ptr, !llvm.ptr
    ```
  }];
  let arguments = (ins Arg<Tile_Pointer, "the matrix", [MemRead]>:$source, I64:$source_stride,
    Arg<Tile_Pointer, "where it goes", [MemWrite]>:$target, I64:$target_stride, I64:$low, I64:$high, I64Attr:$rows,
    I64Attr:$columns, I64Attr:$width);
  let assemblyFormat = [{
    $source `,` $source_stride `to` $target `,` $target_stride `in` $low `,` $high `rows` $rows `columns` $columns `width` $width
    attr-dict `:` type($source) `,` type($target)
  }];
  let hasVerifier = 1;
}

def Tile_WaitOp : Tile_Op<"wait"> {
  let summary = "waits until all copies of the warp have come";
  let description = [{
    Behind it every thread of the warp sees what `tile.copy` ops before it have copied.

    Example:

    ```mlir
    tile.wait
    ```
  }];
  let assemblyFormat = "attr-dict";
}

class Tile_LikeTopLeft<string name> : TypesMatchWith<"all tiles have one type", "top_left", name, "$_self">;

def Tile_LoadFourOp : Tile_Op<"load_four", [
    Tile_LikeTopLeft<"bottom_left">, Tile_LikeTopLeft<"top_right">, Tile_LikeTopLeft<"bottom_right">]> {
  let summary = "reads a 16 x 16 matrix from shared memory as four tiles";
  let description = [{
    The matrix at `base`, which is shared memory; its rows are `stride` elements apart and begin at multiples of 16 bytes.
    `transposed`: each of the four tiles is transposed in itself. One instruction, `ldmatrix.x4`.

    Example:

    ```mlir
    %a, %b, %c, %d = tile.load_four %slab, %stride transposed : !llvm.ptr -> vector<64xi16>
    ```
  }];
  let arguments = (ins Arg<Tile_Pointer, "the matrix", [MemRead]>:$base, I64:$stride, UnitAttr:$transposed);
  let results = (outs Tile_Narrow:$top_left, Tile_Narrow:$bottom_left, Tile_Narrow:$top_right, Tile_Narrow:$bottom_right);
  let assemblyFormat = [{
    $base `,` $stride (`transposed` $transposed^)? attr-dict `:` type($base) `->` type($top_left)
  }];
}

def Tile_MultiplyOp : Tile_Op<"multiply", [
    Pure, AllTypesMatch<["a0", "a1", "a2", "a3", "b0", "b1"]>, AllTypesMatch<["c0", "c1", "d0", "d1"]>]> {
  let summary = "adds a product of 16 x 16 and 16 x 8 to a matrix";
  let description = [{
    D = A B + C with products and sums in f32. A has the tiles a0 (above left), a1 (below left), a2 (above right), a3 (below right); B, of
    16 rows and 8 columns, has b0 above b1, each transposed; C and D have two tiles, one above the other. One instruction,
    `mma.m16n8k16`.

    Example:

    ```mlir
    %d0, %d1 = tile.multiply(%a0, %a1, %a2, %a3), (%b0, %b1), (%c0, %c1) : vector<64xi16>, vector<64xf32>
    ```
  }];
  let arguments = (ins Tile_Narrow:$a0, Tile_Narrow:$a1, Tile_Narrow:$a2, Tile_Narrow:$a3, Tile_Narrow:$b0, Tile_Narrow:$b1,
    Tile_Sums:$c0, Tile_Sums:$c1);
  let results = (outs Tile_Sums:$d0, Tile_Sums:$d1);
  let assemblyFormat = [{
    `(` $a0 `,` $a1 `,` $a2 `,` $a3 `)` `,` `(` $b0 `,` $b1 `)` `,` `(` $c0 `,` $c1 `)` attr-dict `:` type($a0) `,` type($c0)
  }];
}

class Tile_RowsOp<string mnemonic> : Tile_Op<mnemonic, [Pure, SameOperandsAndResultType]> {
  let arguments = (ins Tile_Sums:$values);
  let results = (outs Tile_Sums:$result);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

def Tile_RowSumOp : Tile_RowsOp<"row_sum"> {
  let summary = "sums of the rows of a tile";
  let description = [{
    Every element is the sum of its row, of two neighbours first, then of pairs of them: the order is fixed.

    Example:

    ```mlir
    %sums = tile.row_sum %values : vector<64xf32>
    ```
  }];
}

def Tile_RowMaximumOp : Tile_RowsOp<"row_maximum"> {
  let summary = "maxima of the rows of a tile";
  let description = [{
    Every element is the largest number of its row; what is no number does not count.

    Example:

    ```mlir
    %maxima = tile.row_maximum %values : vector<64xf32>
    ```
  }];
}

#endif
