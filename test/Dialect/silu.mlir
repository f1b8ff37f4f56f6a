// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// One type.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.silu %{{.+}} : tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>) {
  %y = bifocal.silu %x : tensor<?x?x512xf32>
  return
}
