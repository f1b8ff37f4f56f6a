// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// CHECK-LABEL: func @heads(
// CHECK:         bifocal.span_penalty_grad %{{.+}} penalty_grad %{{.+}} {factor = 2.500000e-01 : f32, span_unit = 64 : i64} : (tensor<f32>, tensor<f32>) -> tensor<8x1x1xf32>{{$}}
func.func @heads(%g: tensor<f32>, %n: tensor<f32>) {
  %d = bifocal.span_penalty_grad %n penalty_grad %g {factor = 0.25 : f32, span_unit = 64 : i64} : (tensor<f32>, tensor<f32>) -> tensor<8x1x1xf32>
  return
}

// The penalty is a part of the loss.

// CHECK-LABEL: func @loss(
// CHECK:         bifocal.span_penalty_grad %{{.+}} {factor = 2.500000e-01 : f32, span_unit = 64 : i64} : (tensor<f32>) -> tensor<2xf32>{{$}}
func.func @loss(%n: tensor<f32>) {
  %d = bifocal.span_penalty_grad %n {factor = 0.25 : f32, span_unit = 64 : i64} : (tensor<f32>) -> tensor<2xf32>
  return
}
