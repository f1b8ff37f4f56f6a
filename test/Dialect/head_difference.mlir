// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Eight numbers gate eight heads.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.head_difference %{{.+}}, %{{.+}} : (tensor<?x?x1024xf32>, tensor<?x?x8xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x1024xf32>, %l: tensor<?x?x8xf32>) {
  %y = bifocal.head_difference %x, %l : (tensor<?x?x1024xf32>, tensor<?x?x8xf32>) -> tensor<?x?x512xf32>
  return
}
