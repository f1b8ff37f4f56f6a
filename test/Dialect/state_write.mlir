// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.state @cross.key : tensor<?x?x512xf32> dims ["B", "S", ""]
bifocal.state @cross.value : tensor<?x?x512xf32> dims ["B", "S", ""]
bifocal.state @source_mask : tensor<?x?xi1> dims ["B", "S"]

// Any dynamic sizes.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.state_write %{{.+}} into @cross.key : tensor<?x?x512xf32>{{$}}
func.func @plain(%k: tensor<?x?x512xf32>) {
  bifocal.state_write %k into @cross.key : tensor<?x?x512xf32>
  return
}

// Booleans.

// CHECK-LABEL: func @mask(
// CHECK:         bifocal.state_write %{{.+}} into @source_mask : tensor<?x?xi1>{{$}}
func.func @mask(%m: tensor<?x?xi1>) {
  bifocal.state_write %m into @source_mask : tensor<?x?xi1>
  return
}
