// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Rank 3.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.linear_weight_grad %{{.+}}, %{{.+}} : (tensor<?x?x1024xf32>, tensor<?x?x512xf32>) -> tensor<1024x512xf32>{{$}}
func.func @plain(%g: tensor<?x?x1024xf32>, %x: tensor<?x?x512xf32>) {
  %dw = bifocal.linear_weight_grad %g, %x : (tensor<?x?x1024xf32>, tensor<?x?x512xf32>) -> tensor<1024x512xf32>
  return
}

// CHECK-LABEL: func @masked(
// CHECK:         bifocal.linear_weight_grad %{{.+}}, %{{.+}} mask %{{.+}} : (tensor<?x1024xf32>, tensor<?x512xf32>, tensor<?xi1>) -> tensor<1024x512xf32>{{$}}
func.func @masked(%g: tensor<?x1024xf32>, %x: tensor<?x512xf32>, %m: tensor<?xi1>) {
  %dw = bifocal.linear_weight_grad %g, %x mask %m : (tensor<?x1024xf32>, tensor<?x512xf32>, tensor<?xi1>) -> tensor<1024x512xf32>
  return
}
