// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// CHECK-LABEL: func @clamped(
// CHECK:         bifocal.distances %{{.+}} {most = 400 : i32} : (tensor<?x?x8xf32>) -> tensor<?xi32>{{$}}
func.func @clamped(%x: tensor<?x?x8xf32>) {
  %d = bifocal.distances %x {most = 400 : i32} : (tensor<?x?x8xf32>) -> tensor<?xi32>
  return
}
