// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// Only the loss is read.

// CHECK-LABEL: func @folds_unread_gradients(
// CHECK:         bifocal.projected_cross_entropy {{.+}}smoothing = 1.000000e-01 : f32} : (tensor<?x?x512xf32>, tensor<6000x512xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>){{$}}
func.func @folds_unread_gradients(%x: tensor<?x?x512xf32>, %w: tensor<6000x512xf32>, %t: tensor<?x?xi32>) -> tensor<f32> {
  %y, %n, %c, %d:2 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : (tensor<?x?x512xf32>, tensor<6000x512xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x?x512xf32>, tensor<6000x512xf32>)
  return %y : tensor<f32>
}

// One gradient is read, and both come together.

// CHECK-LABEL: func @keeps_gradients(
// CHECK:         -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x?x512xf32>, tensor<6000x512xf32>)
func.func @keeps_gradients(%x: tensor<?x?x512xf32>, %w: tensor<6000x512xf32>, %t: tensor<?x?xi32>) -> tensor<6000x512xf32> {
  %l, %n, %c, %d:2 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32} : (tensor<?x?x512xf32>, tensor<6000x512xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x?x512xf32>, tensor<6000x512xf32>)
  %y = bifocal.relu %d#1 : tensor<6000x512xf32>
  return %y : tensor<6000x512xf32>
}
