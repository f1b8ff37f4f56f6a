// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// A loss gradient of 1 is the default.

// CHECK-LABEL: func @folds_loss_grad_of_one(
// CHECK-NOT:     loss_grad
// CHECK:         bifocal.cross_entropy_grad
func.func @folds_loss_grad_of_one(%x: tensor<?x?x6000xf32>, %t: tensor<?x?xi32>) -> tensor<?x?x6000xf32> {
  %one = arith.constant dense<1.0> : tensor<f32>
  %y = bifocal.cross_entropy_grad %x, %t loss_grad %one {ignore_index = 1 : i32} : (tensor<?x?x6000xf32>, tensor<?x?xi32>, tensor<f32>) -> tensor<?x?x6000xf32>
  return %y : tensor<?x?x6000xf32>
}

// Any other is not.

// CHECK-LABEL: func @keeps_other_loss_grad(
// CHECK:         loss_grad
func.func @keeps_other_loss_grad(%x: tensor<?x?x6000xf32>, %t: tensor<?x?xi32>) -> tensor<?x?x6000xf32> {
  %two = arith.constant dense<2.0> : tensor<f32>
  %y = bifocal.cross_entropy_grad %x, %t loss_grad %two {ignore_index = 1 : i32} : (tensor<?x?x6000xf32>, tensor<?x?xi32>, tensor<f32>) -> tensor<?x?x6000xf32>
  return %y : tensor<?x?x6000xf32>
}
