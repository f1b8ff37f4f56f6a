// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Rate and site.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.dropout %{{.+}}, %{{.+}} {rate = 3.000000e-01 : f32, site = 4 : i32} : (tensor<?x?x512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>, %rng: tensor<2xi64>) {
  %y = bifocal.dropout %x, %rng {rate = 3.000000e-01 : f32, site = 4 : i32} : (tensor<?x?x512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>
  return
}
