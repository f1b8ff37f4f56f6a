// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Rows of any number, k of each.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.top_k %{{.+}} {k = 16 : i64} : (tensor<?x6000xf32>) -> (tensor<?x16xf32>, tensor<?x16xi32>){{$}}
func.func @plain(%x: tensor<?x6000xf32>) {
  %values, %indices = bifocal.top_k %x {k = 16 : i64} : (tensor<?x6000xf32>) -> (tensor<?x16xf32>, tensor<?x16xi32>)
  return
}

// One row of 16-bit elements, all of them.

// CHECK-LABEL: func @all_of_a_row(
// CHECK:         bifocal.top_k %{{.+}} {k = 3 : i64} : (tensor<3xbf16>) -> (tensor<3xbf16>, tensor<3xi32>)
func.func @all_of_a_row(%x: tensor<3xbf16>) {
  %values, %indices = bifocal.top_k %x {k = 3 : i64} : (tensor<3xbf16>) -> (tensor<3xbf16>, tensor<3xi32>)
  return
}
