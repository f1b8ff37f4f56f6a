// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// One type.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.log_softmax %{{.+}} : tensor<?x6000xf32>{{$}}
func.func @plain(%x: tensor<?x6000xf32>) {
  %y = bifocal.log_softmax %x : tensor<?x6000xf32>
  return
}
