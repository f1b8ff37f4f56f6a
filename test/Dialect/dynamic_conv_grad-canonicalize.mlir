// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// Nothing is dropped at a rate of 0.

// CHECK-LABEL: func @folds_unused_rng(
// CHECK-NOT:     rng
// CHECK:         bifocal.dynamic_conv_grad
func.func @folds_unused_rng(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>, %taps: tensor<?x?x28xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y, %d = bifocal.dynamic_conv_grad %g, %x, %taps rng %rng {heads = 4 : i64, left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x28xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x28xf32>)
  return %y : tensor<?x?x512xf32>
}

// Above 0 the draws are read.

// CHECK-LABEL: func @keeps_rng(
// CHECK:         bifocal.dynamic_conv_grad %{{.+}} rng
func.func @keeps_rng(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>, %taps: tensor<?x?x28xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y, %d = bifocal.dynamic_conv_grad %g, %x, %taps rng %rng {drop_rate = 0.1 : f32, heads = 4 : i64, left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x28xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x28xf32>)
  return %y : tensor<?x?x512xf32>
}
