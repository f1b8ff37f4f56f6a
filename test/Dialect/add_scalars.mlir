// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// One is enough.

// CHECK-LABEL: func @three(
// CHECK:         bifocal.add_scalars %{{.+}}, %{{.+}}, %{{.+}} : (tensor<f32>, tensor<f32>, tensor<f32>) -> tensor<f32>{{$}}
func.func @three(%a: tensor<f32>, %b: tensor<f32>, %c: tensor<f32>) {
  %y = bifocal.add_scalars %a, %b, %c : (tensor<f32>, tensor<f32>, tensor<f32>) -> tensor<f32>
  return
}

// CHECK-LABEL: func @one(
// CHECK:         bifocal.add_scalars %{{.+}} : (tensor<f32>) -> tensor<f32>
func.func @one(%a: tensor<f32>) {
  %y = bifocal.add_scalars %a : (tensor<f32>) -> tensor<f32>
  return
}
