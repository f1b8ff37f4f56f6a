// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Two clusters of rows of any number, and one of a single row of 16-bit elements.

// CHECK-LABEL: func @two(
// CHECK:         bifocal.join_clusters %{{.+}}, %{{.+}}, %{{.+}} : (tensor<?x?x14xf32>, tensor<?x?x13xf32>, tensor<?x?x20xf32>) -> tensor<?x?x45xf32>{{$}}
func.func @two(%h: tensor<?x?x14xf32>, %a: tensor<?x?x13xf32>, %b: tensor<?x?x20xf32>) {
  %y = bifocal.join_clusters %h, %a, %b : (tensor<?x?x14xf32>, tensor<?x?x13xf32>, tensor<?x?x20xf32>) -> tensor<?x?x45xf32>
  return
}

// CHECK-LABEL: func @one(
// CHECK:         bifocal.join_clusters %{{.+}}, %{{.+}} : (tensor<3xbf16>, tensor<5xbf16>) -> tensor<7xbf16>
func.func @one(%h: tensor<3xbf16>, %a: tensor<5xbf16>) {
  %y = bifocal.join_clusters %h, %a : (tensor<3xbf16>, tensor<5xbf16>) -> tensor<7xbf16>
  return
}
