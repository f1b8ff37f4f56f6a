// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Three sums.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.cross_entropy %{{.+}}, %{{.+}} {ignore_index = 1 : i32, smoothing = 1.000000e-01 : f32} : (tensor<?x?x6000xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>){{$}}
func.func @plain(%x: tensor<?x?x6000xf32>, %t: tensor<?x?xi32>) {
  %l, %n, %c = bifocal.cross_entropy %x, %t {ignore_index = 1 : i32, smoothing = 1.000000e-01 : f32} : (tensor<?x?x6000xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return
}
