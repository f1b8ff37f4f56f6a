// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// A loss gradient of 1.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.cross_entropy_grad %{{.+}}, %{{.+}} {ignore_index = 1 : i32} : (tensor<?x?x6000xf32>, tensor<?x?xi32>) -> tensor<?x?x6000xf32>{{$}}
func.func @plain(%x: tensor<?x?x6000xf32>, %t: tensor<?x?xi32>) {
  %d = bifocal.cross_entropy_grad %x, %t {ignore_index = 1 : i32} : (tensor<?x?x6000xf32>, tensor<?x?xi32>) -> tensor<?x?x6000xf32>
  return
}

// Any loss gradient.

// CHECK-LABEL: func @scaled(
// CHECK:         bifocal.cross_entropy_grad %{{.+}}, %{{.+}} loss_grad %{{.+}} {ignore_index = 1 : i32, smoothing = 1.000000e-01 : f32} : (tensor<?x?x6000xf32>, tensor<?x?xi32>, tensor<f32>) -> tensor<?x?x6000xf32>{{$}}
func.func @scaled(%x: tensor<?x?x6000xf32>, %t: tensor<?x?xi32>, %g: tensor<f32>) {
  %d = bifocal.cross_entropy_grad %x, %t loss_grad %g {ignore_index = 1 : i32, smoothing = 1.000000e-01 : f32} : (tensor<?x?x6000xf32>, tensor<?x?xi32>, tensor<f32>) -> tensor<?x?x6000xf32>
  return
}
