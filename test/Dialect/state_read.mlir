// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.state @positions : tensor<?x512xf32> dims ["P", ""]
bifocal.state @source_mask : tensor<?x?xi1> dims ["B", "S"]

// Twice, too: nothing is copied.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.state_read @positions : tensor<?x512xf32>{{$}}
// CHECK:         bifocal.state_read @positions : tensor<?x512xf32>{{$}}
func.func @plain() -> (tensor<?x512xf32>, tensor<?x512xf32>) {
  %0 = bifocal.state_read @positions : tensor<?x512xf32>
  %1 = bifocal.state_read @positions : tensor<?x512xf32>
  return %0, %1 : tensor<?x512xf32>, tensor<?x512xf32>
}

// Booleans; and another state may be written.

// CHECK-LABEL: func @mask(
// CHECK:         bifocal.state_read @source_mask : tensor<?x?xi1>{{$}}
func.func @mask(%p: tensor<?x512xf32>) -> tensor<?x?xi1> {
  bifocal.state_write %p into @positions : tensor<?x512xf32>
  %0 = bifocal.state_read @source_mask : tensor<?x?xi1>
  return %0 : tensor<?x?xi1>
}
