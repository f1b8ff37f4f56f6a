// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Gradients of all operands, lambda among them.

// CHECK-LABEL: func @causal(
// CHECK:         bifocal.diff_attention_grad %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} lambda %{{.+}} lse %{{.+}} causal {heads = 4 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>, tensor<?x8x?xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>){{$}}
func.func @causal(%g: tensor<?x?x512xf32>, %q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %v: tensor<?x?x512xf32>, %l: tensor<f32>, %lse: tensor<?x8x?xf32>) {
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse causal {heads = 4 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>, tensor<?x8x?xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>)
  return
}

// With a mask and dropped weights.

// CHECK-LABEL: func @dropped(
// CHECK:         bifocal.diff_attention_grad %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} lambda %{{.+}} lse %{{.+}} mask %{{.+}} rng %{{.+}} {drop_rate = 1.000000e-01 : f32, heads = 4 : i64, scale = 1.250000e-01 : f32, site = 2 : i32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>, tensor<?x8x?xf32>, tensor<?x?xi1>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>){{$}}
func.func @dropped(%g: tensor<?x?x512xf32>, %q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %v: tensor<?x?x512xf32>, %l: tensor<f32>, %lse: tensor<?x8x?xf32>, %m: tensor<?x?xi1>, %r: tensor<2xi64>) {
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse mask %m rng %r {drop_rate = 1.000000e-01 : f32, heads = 4 : i64, scale = 1.250000e-01 : f32, site = 2 : i32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>, tensor<?x8x?xf32>, tensor<?x?xi1>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>)
  return
}
