// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// A table of its own.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.embedding_grad %{{.+}}, %{{.+}} : (tensor<?x?xi32>, tensor<?x?x512xf32>) -> tensor<6000x512xf32>{{$}}
func.func @plain(%ids: tensor<?x?xi32>, %g: tensor<?x?x512xf32>) {
  %d = bifocal.embedding_grad %ids, %g : (tensor<?x?xi32>, tensor<?x?x512xf32>) -> tensor<6000x512xf32>
  return
}

// The other gradient of a tied table goes in.

// CHECK-LABEL: func @tied(
// CHECK:         bifocal.embedding_grad %{{.+}}, %{{.+}} initial %{{.+}} {pad = 1 : i32, scale = 1.600000e+01 : f32} : (tensor<?x?xi32>, tensor<?x?x512xf32>, tensor<6000x512xf32>) -> tensor<6000x512xf32>{{$}}
func.func @tied(%ids: tensor<?x?xi32>, %g: tensor<?x?x512xf32>, %i: tensor<6000x512xf32>) {
  %d = bifocal.embedding_grad %ids, %g initial %i {pad = 1 : i32, scale = 1.600000e+01 : f32} : (tensor<?x?xi32>, tensor<?x?x512xf32>, tensor<6000x512xf32>) -> tensor<6000x512xf32>
  return
}
