// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// No gradients.

// CHECK-LABEL: func @loss_only(
// CHECK:         bifocal.projected_cross_entropy %{{.+}}, %{{.+}}, %{{.+}} {ignore_index = 1 : i32} : (tensor<?x?x512xf32>, tensor<6000x512xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>){{$}}
func.func @loss_only(%x: tensor<?x?x512xf32>, %w: tensor<6000x512xf32>, %t: tensor<?x?xi32>) {
  %l, %n, %c = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32} : (tensor<?x?x512xf32>, tensor<6000x512xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return
}

// Both gradients in the same pass.

// CHECK-LABEL: func @with_gradients(
// CHECK:         bifocal.projected_cross_entropy %{{.+}}, %{{.+}}, %{{.+}} {ignore_index = 1 : i32, smoothing = 1.000000e-01 : f32} : (tensor<?x?x512xf32>, tensor<6000x512xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x?x512xf32>, tensor<6000x512xf32>){{$}}
func.func @with_gradients(%x: tensor<?x?x512xf32>, %w: tensor<6000x512xf32>, %t: tensor<?x?xi32>) {
  %l, %n, %c, %d:2 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32, smoothing = 1.000000e-01 : f32} : (tensor<?x?x512xf32>, tensor<6000x512xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x?x512xf32>, tensor<6000x512xf32>)
  return
}
