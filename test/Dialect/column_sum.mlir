// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// All axes but the last are summed.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.column_sum %{{.+}} : (tensor<?x?x1024xf32>) -> tensor<1024xf32>{{$}}
func.func @plain(%g: tensor<?x?x1024xf32>) {
  %s = bifocal.column_sum %g : (tensor<?x?x1024xf32>) -> tensor<1024xf32>
  return
}
