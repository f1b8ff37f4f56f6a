// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// One vector for all rows.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.add_bias %{{.+}}, %{{.+}} : (tensor<?x?x512xf32>, tensor<512xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>, %b: tensor<512xf32>) {
  %y = bifocal.add_bias %x, %b : (tensor<?x?x512xf32>, tensor<512xf32>) -> tensor<?x?x512xf32>
  return
}
