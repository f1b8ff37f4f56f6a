// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// Nothing is dropped at a rate of 0.

// CHECK-LABEL: func @folds_unused_rng(
// CHECK-NOT:     rng
// CHECK:         bifocal.relative_attention_grad
func.func @folds_unused_rng(%q: tensor<?x?x512xf32>, %r: tensor<?x512xf32>, %lse: tensor<?x8x?xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %q, %q, %q, %q, %q, %r, %q, %lse rng %rng {heads = 8 : i64, scale = 0.125 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>)
  return %y : tensor<?x?x512xf32>
}

// Above 0 the draws are read.

// CHECK-LABEL: func @keeps_rng(
// CHECK:         bifocal.relative_attention_grad %{{.+}} rng
func.func @keeps_rng(%q: tensor<?x?x512xf32>, %r: tensor<?x512xf32>, %lse: tensor<?x8x?xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %q, %q, %q, %q, %q, %r, %q, %lse rng %rng {drop_rate = 0.1 : f32, heads = 8 : i64, scale = 0.125 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>)
  return %y : tensor<?x?x512xf32>
}
