// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// The default epsilon is not printed.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.layer_norm %{{.+}}, %{{.+}}, %{{.+}} : (tensor<?x?x512xf32>, tensor<512xf32>, tensor<512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?xf32>, tensor<?x?xf32>){{$}}
func.func @plain(%x: tensor<?x?x512xf32>, %s: tensor<512xf32>, %b: tensor<512xf32>) {
  %y, %mean, %rstd = bifocal.layer_norm %x, %s, %b : (tensor<?x?x512xf32>, tensor<512xf32>, tensor<512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?xf32>, tensor<?x?xf32>)
  return
}

// Rows of decoding are rank 2.

// CHECK-LABEL: func @one_step(
// CHECK:         bifocal.layer_norm %{{.+}}, %{{.+}}, %{{.+}} {epsilon = 9.99999997E-7 : f32} : (tensor<?x512xf32>, tensor<512xf32>, tensor<512xf32>) -> (tensor<?x512xf32>, tensor<?xf32>, tensor<?xf32>){{$}}
func.func @one_step(%x: tensor<?x512xf32>, %s: tensor<512xf32>, %b: tensor<512xf32>) {
  %y, %mean, %rstd = bifocal.layer_norm %x, %s, %b {epsilon = 9.99999997E-7 : f32} : (tensor<?x512xf32>, tensor<512xf32>, tensor<512xf32>) -> (tensor<?x512xf32>, tensor<?xf32>, tensor<?xf32>)
  return
}
