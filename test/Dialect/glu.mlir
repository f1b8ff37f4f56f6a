// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Half the channels.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.glu %{{.+}} : (tensor<?x?x1024xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x1024xf32>) {
  %y = bifocal.glu %x : (tensor<?x?x1024xf32>) -> tensor<?x?x512xf32>
  return
}

// The gate of SwiGLU.

// CHECK-LABEL: func @silu(
// CHECK:         bifocal.glu %{{.+}} gate silu : (tensor<?x?x1024xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @silu(%x: tensor<?x?x1024xf32>) {
  %y = bifocal.glu %x gate silu : (tensor<?x?x1024xf32>) -> tensor<?x?x512xf32>
  return
}
