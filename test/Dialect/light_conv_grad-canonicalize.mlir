// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// Nothing is dropped at a rate of 0.

// CHECK-LABEL: func @folds_unused_rng(
// CHECK-NOT:     rng
// CHECK:         bifocal.light_conv_grad
func.func @folds_unused_rng(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>, %taps: tensor<4x1x7xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y, %d = bifocal.light_conv_grad %g, %x, %taps rng %rng {left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<4x1x7xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<4x1x7xf32>)
  return %y : tensor<?x?x512xf32>
}

// Above 0 the draws are read.

// CHECK-LABEL: func @keeps_rng(
// CHECK:         bifocal.light_conv_grad %{{.+}} rng
func.func @keeps_rng(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>, %taps: tensor<4x1x7xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y, %d = bifocal.light_conv_grad %g, %x, %taps rng %rng {drop_rate = 0.1 : f32, left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<4x1x7xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<4x1x7xf32>)
  return %y : tensor<?x?x512xf32>
}
