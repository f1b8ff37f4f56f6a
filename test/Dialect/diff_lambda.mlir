// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Four vectors make one number.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.diff_lambda %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} {initial = 2.000000e-01 : f32} : (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<f32>{{$}}
func.func @plain(%a: tensor<64xf32>, %b: tensor<64xf32>, %c: tensor<64xf32>, %d: tensor<64xf32>) {
  %y = bifocal.diff_lambda %a, %b, %c, %d {initial = 2.000000e-01 : f32} : (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<f32>
  return
}
