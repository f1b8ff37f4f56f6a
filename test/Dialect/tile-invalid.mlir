// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_rows_are_not_whole(%x: !llvm.ptr, %stride: i64) {
  // expected-error@+1 {{'tile.load' op expects whole warps of 32 lanes, in whole rows of whole threads, but got 256 lanes in rows of 24}}
  %rows = tile.load %x, %stride width 24 align 2 : !llvm.ptr -> vector<256xi16>
  return
}

// -----

func.func @c1_a_thread_has_two_rows(%x: !llvm.ptr, %stride: i64) {
  // expected-error@+1 {{'tile.load' op expects whole warps of 32 lanes, in whole rows of whole threads, but got 256 lanes in rows of 4}}
  %rows = tile.load %x, %stride width 4 align 2 : !llvm.ptr -> vector<256xi16>
  return
}

// -----

func.func @c2_two_bounds(%x: !llvm.ptr, %stride: i64, %rows: vector<64xf32>) {
  // expected-error@+1 {{'tile.store' op expects no bounds, or the first row, the end of the rows and the columns, but got 2 bounds}}
  tile.store %rows, %x, %stride in %stride, %stride width 8 align 4 : vector<64xf32>, !llvm.ptr
  return
}

// -----

func.func @c3_alignment_below_an_element(%x: !llvm.ptr, %stride: i64) {
  // expected-error@+1 {{'tile.load' op expects an alignment that is a power of two of at least 4, but got 2}}
  %rows = tile.load %x, %stride width 8 align 2 : !llvm.ptr -> vector<64xf32>
  return
}

// -----

func.func @c1_rows_of_a_copy(%x: !llvm.ptr, %n: i64) {
  // expected-error@+1 {{'tile.copy' op expects rows and a width that are multiples of 16, but got 8 rows of 16}}
  tile.copy %x, %n to %x, %n in %n, %n rows 8 columns 16 width 16 : !llvm.ptr, !llvm.ptr
  return
}

// -----

func.func @c1_width_of_a_copy(%x: !llvm.ptr, %n: i64) {
  // expected-error@+1 {{'tile.copy' op expects rows and a width that are multiples of 16, but got 16 rows of 24}}
  tile.copy %x, %n to %x, %n in %n, %n rows 16 columns 24 width 24 : !llvm.ptr, !llvm.ptr
  return
}

// -----

func.func @c2_no_columns_of_a_copy(%x: !llvm.ptr, %n: i64) {
  // expected-error@+1 {{'tile.copy' op expects columns that are a multiple of 8 and at most 16, but got 0}}
  tile.copy %x, %n to %x, %n in %n, %n rows 16 columns 0 width 16 : !llvm.ptr, !llvm.ptr
  return
}

// -----

func.func @c2_columns_of_a_copy(%x: !llvm.ptr, %n: i64) {
  // expected-error@+1 {{'tile.copy' op expects columns that are a multiple of 8 and at most 16, but got 24}}
  tile.copy %x, %n to %x, %n in %n, %n rows 16 columns 24 width 16 : !llvm.ptr, !llvm.ptr
  return
}
