// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Weights of two parts, and of one.

// CHECK-LABEL: func @two(
// CHECK:         bifocal.concat_rows %{{.+}}, %{{.+}} : (tensor<12x32xf32>, tensor<2x32xf32>) -> tensor<14x32xf32>{{$}}
func.func @two(%a: tensor<12x32xf32>, %b: tensor<2x32xf32>) {
  %y = bifocal.concat_rows %a, %b : (tensor<12x32xf32>, tensor<2x32xf32>) -> tensor<14x32xf32>
  return
}

// CHECK-LABEL: func @one(
// CHECK:         bifocal.concat_rows %{{.+}} : (tensor<12x32xf32>) -> tensor<12x32xf32>
func.func @one(%a: tensor<12x32xf32>) {
  %y = bifocal.concat_rows %a : (tensor<12x32xf32>) -> tensor<12x32xf32>
  return
}
