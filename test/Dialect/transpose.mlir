// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// A wide matrix, and a column.

// CHECK-LABEL: func @wide(
// CHECK:         bifocal.transpose %{{.+}} : (tensor<8x32xf32>) -> tensor<32x8xf32>{{$}}
func.func @wide(%x: tensor<8x32xf32>) {
  %y = bifocal.transpose %x : (tensor<8x32xf32>) -> tensor<32x8xf32>
  return
}

// CHECK-LABEL: func @column(
// CHECK:         bifocal.transpose %{{.+}} : (tensor<8x1xf32>) -> tensor<1x8xf32>
func.func @column(%x: tensor<8x1xf32>) {
  %y = bifocal.transpose %x : (tensor<8x1xf32>) -> tensor<1x8xf32>
  return
}
