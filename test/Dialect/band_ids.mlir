// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// A band that begins with 0, and one with an id for what is outside.

// CHECK-LABEL: func @first(
// CHECK:         bifocal.band_ids %{{.+}} {high = 12 : i32, low = 0 : i32, otherwise = -1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi32>{{$}}
func.func @first(%t: tensor<?x?xi32>) {
  %y = bifocal.band_ids %t {low = 0 : i32, high = 12 : i32, otherwise = -1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi32>
  return
}

// CHECK-LABEL: func @padding_outside(
// CHECK:         bifocal.band_ids %{{.+}} {high = 45 : i32, low = 25 : i32, otherwise = 1 : i32} : (tensor<7xi32>) -> tensor<7xi32>
func.func @padding_outside(%t: tensor<7xi32>) {
  %y = bifocal.band_ids %t {low = 25 : i32, high = 45 : i32, otherwise = 1 : i32} : (tensor<7xi32>) -> tensor<7xi32>
  return
}
