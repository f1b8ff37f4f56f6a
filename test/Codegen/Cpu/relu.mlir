// RUN: bifocal-opt %s --bifocal-generate-cpu-kernels=levels=x86-64-v3,x86-64-v4 --canonicalize | FileCheck %s

// One function per level. A row of 40 is two vectors of 16 and a masked one at AVX-512, and five whole vectors of 8 at AVX2.

// CHECK-LABEL: module @"x86-64-v3"
// CHECK:         func.func @relu.0(%[[BUFFERS:.+]]: !llvm.ptr, %[[SIZES:.+]]: !llvm.ptr, %[[BEGIN:.+]]: i64, %[[END:.+]]: i64)
// CHECK-NOT:       masked
// CHECK:           scf.for %{{.+}} = %[[BEGIN]] to %[[END]]
// CHECK:             llvm.load %{{.+}} -> vector<8xf32>
// CHECK-NOT:       masked

// CHECK-LABEL: module @"x86-64-v4"
// CHECK:         func.func @relu.0(%[[BUFFERS:.+]]: !llvm.ptr, %[[SIZES:.+]]: !llvm.ptr, %[[BEGIN:.+]]: i64, %[[END:.+]]: i64)
// CHECK-DAG:       %[[ZERO:.+]] = arith.constant dense<0.000000e+00> : vector<16xf32>
// CHECK-DAG:       %[[ROWS_PER_TILE:.+]] = arith.constant 128 : i64
// CHECK-DAG:       %[[INPUT:.+]] = llvm.load %[[BUFFERS]] {{.*}} -> !llvm.ptr
// CHECK-DAG:       %[[ROWS:.+]] = llvm.load %[[SIZES]] {{.*}} -> i64
// CHECK:           scf.for %[[TILE:.+]] = %[[BEGIN]] to %[[END]]
// CHECK:             arith.muli %[[TILE]], %[[ROWS_PER_TILE]]
// CHECK:             arith.minsi %{{.+}}, %[[ROWS]]
// CHECK:             scf.for
// CHECK:               %[[X:.+]] = llvm.load %{{.+}} -> vector<16xf32>
// CHECK-NEXT:          %[[NEGATIVE:.+]] = arith.cmpf olt, %[[X]], %[[ZERO]]
// CHECK-NEXT:          %[[Y:.+]] = arith.select %[[NEGATIVE]], %[[ZERO]], %[[X]]
// CHECK-NEXT:          llvm.store %[[Y]]
// CHECK:               llvm.load %{{.+}} -> vector<16xf32>
// CHECK:               llvm.intr.masked.load
// CHECK:               llvm.intr.masked.store
plan.kernel @relu "relu" stages 1 {
^bb0(%x: tensor<?x40xf32>):
  %y = bifocal.relu %x : tensor<?x40xf32>
  plan.return %y : tensor<?x40xf32>
}
