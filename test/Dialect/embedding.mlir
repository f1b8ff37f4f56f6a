// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Defaults are not printed.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.embedding %{{.+}}, %{{.+}} : (tensor<?x?xi32>, tensor<6000x512xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%ids: tensor<?x?xi32>, %table: tensor<6000x512xf32>) {
  %y = bifocal.embedding %ids, %table : (tensor<?x?xi32>, tensor<6000x512xf32>) -> tensor<?x?x512xf32>
  return
}

// Scale and padding row.

// CHECK-LABEL: func @scaled(
// CHECK:         bifocal.embedding %{{.+}}, %{{.+}} {pad = 1 : i32, scale = 1.600000e+01 : f32} : (tensor<?x?xi32>, tensor<6000x512xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @scaled(%ids: tensor<?x?xi32>, %table: tensor<6000x512xf32>) {
  %y = bifocal.embedding %ids, %table {pad = 1 : i32, scale = 1.600000e+01 : f32} : (tensor<?x?xi32>, tensor<6000x512xf32>) -> tensor<?x?x512xf32>
  return
}

// Decoding looks up a vector of ids.

// CHECK-LABEL: func @one_step(
// CHECK:         bifocal.embedding %{{.+}}, %{{.+}} : (tensor<?xi32>, tensor<6000x512xf32>) -> tensor<?x512xf32>{{$}}
func.func @one_step(%ids: tensor<?xi32>, %table: tensor<6000x512xf32>) {
  %y = bifocal.embedding %ids, %table : (tensor<?xi32>, tensor<6000x512xf32>) -> tensor<?x512xf32>
  return
}
