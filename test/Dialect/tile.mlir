// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s

// CHECK-LABEL: func @accesses
func.func @accesses(%x: !llvm.ptr, %y: !llvm.ptr<3>, %stride: i64, %low: i64, %high: i64, %columns: i64) {
  // CHECK: tile.load %{{.*}}, %{{.*}} in %{{.*}}, %{{.*}}, %{{.*}} width 32 align 16 : !llvm.ptr -> vector<256xi16>
  %rows = tile.load %x, %stride in %low, %high, %columns width 32 align 16 : !llvm.ptr -> vector<256xi16>
  // CHECK: tile.store %{{.*}}, %{{.*}}, %{{.*}} width 32 align 16 : vector<256xi16>, !llvm.ptr<3>
  tile.store %rows, %y, %stride width 32 align 16 : vector<256xi16>, !llvm.ptr<3>
  // CHECK: tile.load_four %{{.*}}, %{{.*}} transposed : !llvm.ptr<3> -> vector<64xi16>
  %a, %b, %c, %d = tile.load_four %y, %stride transposed : !llvm.ptr<3> -> vector<64xi16>
  // CHECK: tile.load_four %{{.*}}, %{{.*}} : !llvm.ptr<3> -> vector<64xf16>
  %e, %f, %g, %h = tile.load_four %y, %stride : !llvm.ptr<3> -> vector<64xf16>
  return
}

// CHECK-LABEL: func @sums
func.func @sums(%a: vector<64xi16>, %c: vector<64xf32>) -> vector<64xf32> {
  // CHECK: tile.multiply(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}), (%{{.*}}, %{{.*}}), (%{{.*}}, %{{.*}}) : vector<64xi16>, vector<64xf32>
  %d0, %d1 = tile.multiply(%a, %a, %a, %a), (%a, %a), (%c, %c) : vector<64xi16>, vector<64xf32>
  // CHECK: tile.row_sum %{{.*}} : vector<64xf32>
  %sum = tile.row_sum %d0 : vector<64xf32>
  // CHECK: tile.row_maximum %{{.*}} : vector<64xf32>
  %maximum = tile.row_maximum %sum : vector<64xf32>
  return %maximum : vector<64xf32>
}

// CHECK-LABEL: func @copies
func.func @copies(%x: !llvm.ptr<1>, %y: !llvm.ptr<3>, %stride: i64, %low: i64, %high: i64) {
  // CHECK: tile.copy %{{.*}}, %{{.*}} to %{{.*}}, %{{.*}} in %{{.*}}, %{{.*}} rows 32 columns 40 width 48 : !llvm.ptr<1>, !llvm.ptr<3>
  tile.copy %x, %stride to %y, %stride in %low, %high rows 32 columns 40 width 48 : !llvm.ptr<1>, !llvm.ptr<3>
  // CHECK: tile.wait
  tile.wait
  return
}
