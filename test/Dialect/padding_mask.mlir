// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Ids to booleans.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.padding_mask %{{.+}} {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>{{$}}
func.func @plain(%t: tensor<?x?xi32>) {
  %m = bifocal.padding_mask %t {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>
  return
}
