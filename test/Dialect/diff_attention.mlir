// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// A head is two queries and two keys for one value.

// CHECK-LABEL: func @causal(
// CHECK:         bifocal.diff_attention %{{.+}}, %{{.+}}, %{{.+}} lambda %{{.+}} causal {heads = 4 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>){{$}}
func.func @causal(%q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %v: tensor<?x?x512xf32>, %l: tensor<f32>) {
  %y, %lse = bifocal.diff_attention %q, %k, %v lambda %l causal {heads = 4 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
  return
}

// Two heads read one pair of keys; values are of another size.

// CHECK-LABEL: func @shared(
// CHECK:         bifocal.diff_attention %{{.+}}, %{{.+}}, %{{.+}} lambda %{{.+}} mask %{{.+}} rng %{{.+}} {drop_rate = 1.000000e-01 : f32, heads = 4 : i64, kv_heads = 2 : i64, scale = 1.250000e-01 : f32, site = 2 : i32} : (tensor<?x?x512xf32>, tensor<?x?x256xf32>, tensor<?x?x64xf32>, tensor<f32>, tensor<?x?xi1>, tensor<2xi64>) -> (tensor<?x?x128xf32>, tensor<?x8x?xf32>){{$}}
func.func @shared(%q: tensor<?x?x512xf32>, %k: tensor<?x?x256xf32>, %v: tensor<?x?x64xf32>, %l: tensor<f32>, %m: tensor<?x?xi1>, %r: tensor<2xi64>) {
  %y, %lse = bifocal.diff_attention %q, %k, %v lambda %l mask %m rng %r {drop_rate = 1.000000e-01 : f32, heads = 4 : i64, kv_heads = 2 : i64, scale = 1.250000e-01 : f32, site = 2 : i32} : (tensor<?x?x512xf32>, tensor<?x?x256xf32>, tensor<?x?x64xf32>, tensor<f32>, tensor<?x?xi1>, tensor<2xi64>) -> (tensor<?x?x128xf32>, tensor<?x8x?xf32>)
  return
}
