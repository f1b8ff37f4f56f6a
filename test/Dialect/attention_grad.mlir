// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Everything that the forward pass kept.

// CHECK-LABEL: func @causal(
// CHECK:         bifocal.attention_grad %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} causal {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>){{$}}
func.func @causal(%g: tensor<?x?x512xf32>, %q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %v: tensor<?x?x512xf32>, %y: tensor<?x?x512xf32>, %lse: tensor<?x8x?xf32>) {
  %dq, %dk, %dv = bifocal.attention_grad %g, %q, %k, %v, %y, %lse causal {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>)
  return
}

// Mask and rng as in the forward pass.

// CHECK-LABEL: func @masked_dropped(
// CHECK:         bifocal.attention_grad %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} mask %{{.+}} rng %{{.+}} {drop_rate = 1.000000e-01 : f32, heads = 8 : i64, scale = 1.250000e-01 : f32, site = 2 : i32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>, tensor<?x?xi1>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>){{$}}
func.func @masked_dropped(%g: tensor<?x?x512xf32>, %q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %v: tensor<?x?x512xf32>, %y: tensor<?x?x512xf32>, %lse: tensor<?x8x?xf32>, %m: tensor<?x?xi1>, %rng: tensor<2xi64>) {
  %dq, %dk, %dv = bifocal.attention_grad %g, %q, %k, %v, %y, %lse mask %m rng %rng {drop_rate = 1.000000e-01 : f32, heads = 8 : i64, scale = 1.250000e-01 : f32, site = 2 : i32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>, tensor<?x?xi1>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>)
  return
}
