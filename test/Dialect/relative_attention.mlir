// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Positions by head.

// CHECK-LABEL: func @positions(
// CHECK:         bifocal.relative_attention %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>){{$}}
func.func @positions(%q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %r: tensor<?x512xf32>) {
  %y, %lse = bifocal.relative_attention %q, %q, %k, %k, %r {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
  return
}

// A span, dropped weights, shared keys, one table for all heads.

// CHECK-LABEL: func @span(
// CHECK:         bifocal.relative_attention %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} span %{{.+}} rng %{{.+}} {drop_rate = 1.000000e-01 : f32, heads = 8 : i64, kv_heads = 4 : i64, nearest = 1 : i64, ramp = 32 : i64, scale = 1.250000e-01 : f32, site = 2 : i32, span_unit = 1024 : i64, window = 64 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x256xf32>, tensor<?x?x256xf32>, tensor<1024x64xf32>, tensor<8x1x1xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>){{$}}
func.func @span(%q: tensor<?x?x512xf32>, %k: tensor<?x?x256xf32>, %r: tensor<1024x64xf32>, %z: tensor<8x1x1xf32>, %g: tensor<2xi64>) {
  %y, %lse = bifocal.relative_attention %q, %q, %k, %k, %r span %z rng %g {drop_rate = 1.000000e-01 : f32, heads = 8 : i64, kv_heads = 4 : i64, nearest = 1 : i64, ramp = 32 : i64, scale = 1.250000e-01 : f32, site = 2 : i32, span_unit = 1024 : i64, window = 64 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x256xf32>, tensor<?x?x256xf32>, tensor<1024x64xf32>, tensor<8x1x1xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
  return
}
