// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// A mask without the channels.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.mask_padding %{{.+}}, %{{.+}} : (tensor<?x?x512xf32>, tensor<?x?xi1>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>, %m: tensor<?x?xi1>) {
  %y = bifocal.mask_padding %x, %m : (tensor<?x?x512xf32>, tensor<?x?xi1>) -> tensor<?x?x512xf32>
  return
}
