// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.param @fc1.weight : tensor<1024x512xf32> init {gain = 1.000000e+00 : f64, kind = "xavier_uniform"}
bifocal.param @fc1.bias : tensor<1024xf32> init {kind = "zeros"}

// Gradients stay.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.sgd %{{.+}}, %{{.+}} of [@fc1.weight, @fc1.bias] {momentum = 5.000000e-01 : f32, weight_decay = 0.000000e+00 : f32} : tensor<f32>, tensor<4xf32>{{$}}
func.func @plain(%f: tensor<f32>, %h: tensor<4xf32>) {
  bifocal.sgd %f, %h of [@fc1.weight, @fc1.bias] {momentum = 0.5 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// Gradients become zero.

// CHECK-LABEL: func @clears(
// CHECK:         bifocal.sgd %{{.+}}, %{{.+}} of [@fc1.weight] clear_gradients {momentum = 5.000000e-01 : f32, weight_decay = 0.000000e+00 : f32} : tensor<f32>, tensor<4xf32>{{$}}
func.func @clears(%f: tensor<f32>, %h: tensor<4xf32>) {
  bifocal.sgd %f, %h of [@fc1.weight] clear_gradients {momentum = 0.5 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}
