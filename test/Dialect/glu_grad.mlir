// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Twice the channels.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.glu_grad %{{.+}}, %{{.+}} : (tensor<?x?x512xf32>, tensor<?x?x1024xf32>) -> tensor<?x?x1024xf32>{{$}}
func.func @plain(%g: tensor<?x?x512xf32>, %x: tensor<?x?x1024xf32>) {
  %dx = bifocal.glu_grad %g, %x : (tensor<?x?x512xf32>, tensor<?x?x1024xf32>) -> tensor<?x?x1024xf32>
  return
}

// The gate of SwiGLU.

// CHECK-LABEL: func @silu(
// CHECK:         bifocal.glu_grad %{{.+}}, %{{.+}} gate silu : (tensor<?x?x512xf32>, tensor<?x?x1024xf32>) -> tensor<?x?x1024xf32>{{$}}
func.func @silu(%g: tensor<?x?x512xf32>, %x: tensor<?x?x1024xf32>) {
  %dx = bifocal.glu_grad %g, %x gate silu : (tensor<?x?x512xf32>, tensor<?x?x1024xf32>) -> tensor<?x?x1024xf32>
  return
}
