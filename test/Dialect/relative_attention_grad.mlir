// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Gradients of all operands.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.relative_attention_grad %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>){{$}}
func.func @plain(%g: tensor<?x?x512xf32>, %q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %r: tensor<?x512xf32>, %lse: tensor<?x8x?xf32>) {
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %g, %lse {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>)
  return
}

// With a span there is one of it.

// CHECK-LABEL: func @span(
// CHECK:         bifocal.relative_attention_grad %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} span %{{.+}} rng %{{.+}} {drop_rate = 1.000000e-01 : f32, heads = 8 : i64, ramp = 32 : i64, scale = 1.250000e-01 : f32, span_unit = 1024 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<1024x64xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>, tensor<8xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<1024x64xf32>, tensor<8xf32>){{$}}
func.func @span(%g: tensor<?x?x512xf32>, %q: tensor<?x?x512xf32>, %r: tensor<1024x64xf32>, %lse: tensor<?x8x?xf32>, %z: tensor<8xf32>, %s: tensor<2xi64>) {
  %dq, %dp, %dk, %dv, %dr, %dz = bifocal.relative_attention_grad %g, %q, %q, %q, %q, %r, %g, %lse span %z rng %s {drop_rate = 1.000000e-01 : f32, heads = 8 : i64, ramp = 32 : i64, scale = 1.250000e-01 : f32, span_unit = 1024 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<1024x64xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>, tensor<8xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<1024x64xf32>, tensor<8xf32>)
  return
}
