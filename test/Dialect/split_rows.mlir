// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// A weight, and a bias.

// CHECK-LABEL: func @weights(
// CHECK:         bifocal.split_rows %{{.+}} : (tensor<14x32xf32>) -> (tensor<12x32xf32>, tensor<2x32xf32>){{$}}
func.func @weights(%x: tensor<14x32xf32>) {
  %a, %b = bifocal.split_rows %x : (tensor<14x32xf32>) -> (tensor<12x32xf32>, tensor<2x32xf32>)
  return
}

// CHECK-LABEL: func @biases(
// CHECK:         bifocal.split_rows %{{.+}} : (tensor<14xf32>) -> (tensor<12xf32>, tensor<2xf32>){{$}}
func.func @biases(%x: tensor<14xf32>) {
  %a, %b = bifocal.split_rows %x : (tensor<14xf32>) -> (tensor<12xf32>, tensor<2xf32>)
  return
}
