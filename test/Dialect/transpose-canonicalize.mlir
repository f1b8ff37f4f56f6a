// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// Exchanged twice, a matrix is what it was.

// CHECK-LABEL: func @folds_twice(
// CHECK-NEXT:    return %{{.+}} : tensor<8x32xf32>
func.func @folds_twice(%x: tensor<8x32xf32>) -> tensor<8x32xf32> {
  %t = bifocal.transpose %x : (tensor<8x32xf32>) -> tensor<32x8xf32>
  %y = bifocal.transpose %t : (tensor<32x8xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// CHECK-LABEL: func @keeps_once(
// CHECK:         bifocal.transpose
func.func @keeps_once(%x: tensor<8x32xf32>) -> tensor<32x8xf32> {
  %t = bifocal.transpose %x : (tensor<8x32xf32>) -> tensor<32x8xf32>
  return %t : tensor<32x8xf32>
}
