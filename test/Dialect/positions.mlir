// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Ids to ids.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.positions %{{.+}} {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi32>{{$}}
func.func @plain(%t: tensor<?x?xi32>) {
  %p = bifocal.positions %t {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi32>
  return
}
