// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Rank 3.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.linear_input_grad %{{.+}}, %{{.+}} : (tensor<?x?x1024xf32>, tensor<1024x512xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%g: tensor<?x?x1024xf32>, %w: tensor<1024x512xf32>) {
  %dx = bifocal.linear_input_grad %g, %w : (tensor<?x?x1024xf32>, tensor<1024x512xf32>) -> tensor<?x?x512xf32>
  return
}

// CHECK-LABEL: func @masked(
// CHECK:         bifocal.linear_input_grad %{{.+}}, %{{.+}} mask %{{.+}} : (tensor<?x1024xf32>, tensor<1024x512xf32>, tensor<?xi1>) -> tensor<?x512xf32>{{$}}
func.func @masked(%g: tensor<?x1024xf32>, %w: tensor<1024x512xf32>, %m: tensor<?xi1>) {
  %dx = bifocal.linear_input_grad %g, %w mask %m : (tensor<?x1024xf32>, tensor<1024x512xf32>, tensor<?xi1>) -> tensor<?x512xf32>
  return
}
