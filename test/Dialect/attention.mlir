// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Queries and keys of different lengths, under a mask.

// CHECK-LABEL: func @cross(
// CHECK:         bifocal.attention %{{.+}}, %{{.+}}, %{{.+}} mask %{{.+}} {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?xi1>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>){{$}}
func.func @cross(%q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %v: tensor<?x?x512xf32>, %m: tensor<?x?xi1>) {
  %y, %lse = bifocal.attention %q, %k, %v mask %m {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?xi1>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
  return
}

// Self-attention with dropped weights.

// CHECK-LABEL: func @causal_dropped(
// CHECK:         bifocal.attention %{{.+}}, %{{.+}}, %{{.+}} rng %{{.+}} causal {drop_rate = 1.000000e-01 : f32, heads = 8 : i64, scale = 1.250000e-01 : f32, site = 2 : i32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>){{$}}
func.func @causal_dropped(%q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %v: tensor<?x?x512xf32>, %rng: tensor<2xi64>) {
  %y, %lse = bifocal.attention %q, %k, %v rng %rng causal {drop_rate = 1.000000e-01 : f32, heads = 8 : i64, scale = 1.250000e-01 : f32, site = 2 : i32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
  return
}

// Eight heads of queries read two of keys; values are of another size.

// CHECK-LABEL: func @shared(
// CHECK:         bifocal.attention %{{.+}}, %{{.+}}, %{{.+}} causal {heads = 8 : i64, kv_heads = 2 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x128xf32>, tensor<?x?x64xf32>) -> (tensor<?x?x256xf32>, tensor<?x8x?xf32>){{$}}
func.func @shared(%q: tensor<?x?x512xf32>, %k: tensor<?x?x128xf32>, %v: tensor<?x?x64xf32>) {
  %y, %lse = bifocal.attention %q, %k, %v causal {heads = 8 : i64, kv_heads = 2 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x128xf32>, tensor<?x?x64xf32>) -> (tensor<?x?x256xf32>, tensor<?x8x?xf32>)
  return
}
