// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// A rate of 0 keeps everything.

// CHECK-LABEL: func @folds_rate_of_zero(
// CHECK-NOT:     bifocal.dropout
// CHECK:         return %arg0
func.func @folds_rate_of_zero(%x: tensor<?x?x512xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y = bifocal.dropout %x, %rng {rate = 0.0 : f32, site = 1 : i32} : (tensor<?x?x512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}

// Any other rate does not.

// CHECK-LABEL: func @keeps_rate_above_zero(
// CHECK:         bifocal.dropout
func.func @keeps_rate_above_zero(%x: tensor<?x?x512xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y = bifocal.dropout %x, %rng {rate = 0.1 : f32, site = 1 : i32} : (tensor<?x?x512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}
