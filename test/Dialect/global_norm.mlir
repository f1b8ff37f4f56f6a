// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.param @fc1.weight : tensor<1024x512xf32> init {gain = 1.000000e+00 : f64, kind = "xavier_uniform"}
bifocal.param @fc1.bias : tensor<1024xf32> init {kind = "zeros"}

// Two parameters.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.global_norm %{{.+}} of [@fc1.weight, @fc1.bias] : (tensor<f32>) -> tensor<f32>{{$}}
func.func @plain(%c: tensor<f32>) {
  %n = bifocal.global_norm %c of [@fc1.weight, @fc1.bias] : (tensor<f32>) -> tensor<f32>
  return
}
