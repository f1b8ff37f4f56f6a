// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// One tap that the softmax makes 1 copies its input.

// CHECK-LABEL: func @folds_single_normalized_tap(
// CHECK-NOT:     bifocal.dynamic_conv
// CHECK:         return %arg0
func.func @folds_single_normalized_tap(%x: tensor<?x?x512xf32>, %taps: tensor<?x?x4xf32>) -> tensor<?x?x512xf32> {
  %y = bifocal.dynamic_conv %x, %taps normalized {heads = 4 : i64, left_padding = 0 : i64} : (tensor<?x?x512xf32>, tensor<?x?x4xf32>) -> tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}

// One raw tap is a scale.

// CHECK-LABEL: func @keeps_single_raw_tap(
// CHECK:         bifocal.dynamic_conv
func.func @keeps_single_raw_tap(%x: tensor<?x?x512xf32>, %taps: tensor<?x?x4xf32>) -> tensor<?x?x512xf32> {
  %y = bifocal.dynamic_conv %x, %taps {heads = 4 : i64, left_padding = 0 : i64} : (tensor<?x?x512xf32>, tensor<?x?x4xf32>) -> tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}

// A bias is still added.

// CHECK-LABEL: func @keeps_single_tap_with_bias(
// CHECK:         bifocal.dynamic_conv
func.func @keeps_single_tap_with_bias(%x: tensor<?x?x512xf32>, %taps: tensor<?x?x4xf32>, %b: tensor<512xf32>) -> tensor<?x?x512xf32> {
  %y = bifocal.dynamic_conv %x, %taps bias %b normalized {heads = 4 : i64, left_padding = 0 : i64} : (tensor<?x?x512xf32>, tensor<?x?x4xf32>, tensor<512xf32>) -> tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}

// Nothing is dropped at a rate of 0.

// CHECK-LABEL: func @folds_unused_rng(
// CHECK-NOT:     rng
// CHECK:         bifocal.dynamic_conv
func.func @folds_unused_rng(%x: tensor<?x?x512xf32>, %taps: tensor<?x?x28xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y = bifocal.dynamic_conv %x, %taps rng %rng {heads = 4 : i64, left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<?x?x28xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}

// Above 0 the draws are read.

// CHECK-LABEL: func @keeps_rng(
// CHECK:         bifocal.dynamic_conv %{{.+}} rng
func.func @keeps_rng(%x: tensor<?x?x512xf32>, %taps: tensor<?x?x28xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y = bifocal.dynamic_conv %x, %taps rng %rng {heads = 4 : i64, drop_rate = 0.1 : f32, left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<?x?x28xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}
