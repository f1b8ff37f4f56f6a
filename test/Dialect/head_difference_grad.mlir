// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Gradients of both operands.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.head_difference_grad %{{.+}}, %{{.+}}, %{{.+}} : (tensor<?x?x512xf32>, tensor<?x?x1024xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x1024xf32>, tensor<?x?x8xf32>){{$}}
func.func @plain(%g: tensor<?x?x512xf32>, %x: tensor<?x?x1024xf32>, %l: tensor<?x?x8xf32>) {
  %dx, %dl = bifocal.head_difference_grad %g, %x, %l : (tensor<?x?x512xf32>, tensor<?x?x1024xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x1024xf32>, tensor<?x?x8xf32>)
  return
}
