// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// One type.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.relu %{{.+}} : tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>) {
  %y = bifocal.relu %x : tensor<?x?x512xf32>
  return
}
