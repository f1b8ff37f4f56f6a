// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Groups of seven taps.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.softmax %{{.+}} {group = 7 : i64} : (tensor<?x?x28xf32>) -> tensor<?x?x28xf32>{{$}}
func.func @plain(%x: tensor<?x?x28xf32>) {
  %y = bifocal.softmax %x {group = 7 : i64} : (tensor<?x?x28xf32>) -> tensor<?x?x28xf32>
  return
}
