// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// One type.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.silu_grad %{{.+}}, %{{.+}} : tensor<?x?x512xf32>{{$}}
func.func @plain(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>) {
  %d = bifocal.silu_grad %g, %x : tensor<?x?x512xf32>
  return
}
