// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// One type.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.relu_grad %{{.+}}, %{{.+}} : tensor<?x?x512xf32>{{$}}
func.func @plain(%g: tensor<?x?x512xf32>, %y: tensor<?x?x512xf32>) {
  %dx = bifocal.relu_grad %g, %y : tensor<?x?x512xf32>
  return
}
