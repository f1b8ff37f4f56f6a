// RUN: bifocal-opt %s --bifocal-generate-cpu-kernels=levels=x86-64-v4 --canonicalize | FileCheck %s

// The sum that layer_norm reads is the one value that goes into a row on the stack: three sweeps, of which the first reads both inputs and the
// others read that row only.

// CHECK-LABEL: func.func @norm.0
// CHECK-COUNT-1: llvm.alloca
// CHECK-NOT:     llvm.alloca
// CHECK:         scf.for
// CHECK:           scf.for
// The first sweep: sums in four lanes.
// CHECK:             scf.for {{.*}} iter_args(%{{.+}} = %{{.+}}, %{{.+}} = %{{.+}}, %{{.+}} = %{{.+}}, %{{.+}} = %{{.+}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK:               llvm.load
// CHECK:               llvm.load
// CHECK:               arith.addf
// CHECK:               llvm.store
// CHECK:               scf.yield
// The second: squares of the differences.
// CHECK:             scf.for {{.*}} iter_args
// CHECK:               arith.subf
// CHECK-NEXT:          math.fma
// CHECK-NOT:           llvm.store
// CHECK:               scf.yield
// CHECK:             math.sqrt
// The third: the output.
// CHECK:             scf.for
// CHECK:               math.fma
// CHECK:               llvm.store
plan.kernel @norm "map" stages 1 {
^bb0(%x: tensor<?x256xf32>, %r: tensor<?x256xf32>, %s: tensor<256xf32>, %b: tensor<256xf32>):
  %o = bifocal.map (%x0 = %x : tensor<?x256xf32>, %r0 = %r : tensor<?x256xf32>, %s0 = %s : tensor<256xf32>, %b0 = %b : tensor<256xf32>) -> (tensor<?x256xf32>) {
    %sum = bifocal.add %x0, %r0 : tensor<?x256xf32>
    %y, %mean, %rstd = bifocal.layer_norm %sum, %s0, %b0 : (tensor<?x256xf32>, tensor<256xf32>, tensor<256xf32>) -> (tensor<?x256xf32>, tensor<?xf32>, tensor<?xf32>)
    bifocal.yield %y : tensor<?x256xf32>
  }
  plan.return %o : tensor<?x256xf32>
}
