// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// One cluster, and two.

// CHECK-LABEL: func @one(
// CHECK:         bifocal.cluster_ids %{{.+}} {cutoffs = array<i32: 12>} : (tensor<?x?xi32>) -> tensor<?x?xi32>{{$}}
func.func @one(%t: tensor<?x?xi32>) {
  %y = bifocal.cluster_ids %t {cutoffs = array<i32: 12>} : (tensor<?x?xi32>) -> tensor<?x?xi32>
  return
}

// CHECK-LABEL: func @two(
// CHECK:         bifocal.cluster_ids %{{.+}} {cutoffs = array<i32: 12, 25>} : (tensor<3xi32>) -> tensor<3xi32>
func.func @two(%t: tensor<3xi32>) {
  %y = bifocal.cluster_ids %t {cutoffs = array<i32: 12, 25>} : (tensor<3xi32>) -> tensor<3xi32>
  return
}
