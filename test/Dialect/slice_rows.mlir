// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Rows from the middle, and all of them.

// CHECK-LABEL: func @middle(
// CHECK:         bifocal.slice_rows %{{.+}} {first = 12 : i64} : (tensor<14x32xf32>) -> tensor<2x32xf32>{{$}}
func.func @middle(%x: tensor<14x32xf32>) {
  %y = bifocal.slice_rows %x {first = 12 : i64} : (tensor<14x32xf32>) -> tensor<2x32xf32>
  return
}

// CHECK-LABEL: func @all(
// CHECK:         bifocal.slice_rows %{{.+}} {first = 0 : i64} : (tensor<3x5xf32>) -> tensor<3x5xf32>
func.func @all(%x: tensor<3x5xf32>) {
  %y = bifocal.slice_rows %x {first = 0 : i64} : (tensor<3x5xf32>) -> tensor<3x5xf32>
  return
}
