// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// Nothing is dropped at a rate of 0.

// CHECK-LABEL: func @folds_unused_rng(
// CHECK-NOT:     rng
// CHECK:         bifocal.diff_attention
func.func @folds_unused_rng(%q: tensor<?x?x512xf32>, %l: tensor<f32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y, %lse = bifocal.diff_attention %q, %q, %q lambda %l rng %rng {heads = 4 : i64, scale = 0.125 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
  return %y : tensor<?x?x512xf32>
}

// Above 0 the draws are read.

// CHECK-LABEL: func @keeps_rng(
// CHECK:         bifocal.diff_attention %{{.+}} rng
func.func @keeps_rng(%q: tensor<?x?x512xf32>, %l: tensor<f32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y, %lse = bifocal.diff_attention %q, %q, %q lambda %l rng %rng {drop_rate = 0.1 : f32, heads = 4 : i64, scale = 0.125 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
  return %y : tensor<?x?x512xf32>
}
