// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// One type.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.mul %{{.+}}, %{{.+}} : tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>, %y: tensor<?x?x512xf32>) {
  %z = bifocal.mul %x, %y : tensor<?x?x512xf32>
  return
}
