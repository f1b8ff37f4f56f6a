// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// The shape that published state dicts have, and the plain one.

// CHECK-LABEL: func @published(
// CHECK:         bifocal.span_penalty %{{.+}}, %{{.+}} {factor = 2.500000e-01 : f32, span_unit = 64 : i64} : (tensor<8x1x1xf32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>){{$}}
func.func @published(%s: tensor<8x1x1xf32>, %n: tensor<f32>) {
  %p, %z = bifocal.span_penalty %s, %n {factor = 0.25 : f32, span_unit = 64 : i64} : (tensor<8x1x1xf32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.span_penalty %{{.+}}, %{{.+}} {factor = 0.000000e+00 : f32, span_unit = 1 : i64} : (tensor<2xf32>, tensor<f32>) -> (tensor<f32>, tensor<2xf32>){{$}}
func.func @plain(%s: tensor<2xf32>, %n: tensor<f32>) {
  %p, %z = bifocal.span_penalty %s, %n {factor = 0.0 : f32, span_unit = 1 : i64} : (tensor<2xf32>, tensor<f32>) -> (tensor<f32>, tensor<2xf32>)
  return
}
