// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Norm, count and the hyperparameters of an update.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.clip %{{.+}}, %{{.+}}, %{{.+}} : (tensor<f32>, tensor<f32>, tensor<4xf32>) -> tensor<f32>{{$}}
func.func @plain(%n: tensor<f32>, %c: tensor<f32>, %h: tensor<4xf32>) {
  %f = bifocal.clip %n, %c, %h : (tensor<f32>, tensor<f32>, tensor<4xf32>) -> tensor<f32>
  return
}
