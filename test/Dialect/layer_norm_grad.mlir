// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Three gradients.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.layer_norm_grad %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<512xf32>, tensor<?x?xf32>, tensor<?x?xf32>) -> (tensor<?x?x512xf32>, tensor<512xf32>, tensor<512xf32>){{$}}
func.func @plain(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>, %s: tensor<512xf32>, %mean: tensor<?x?xf32>, %rstd: tensor<?x?xf32>) {
  %dx, %ds, %db = bifocal.layer_norm_grad %g, %x, %s, %mean, %rstd : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<512xf32>, tensor<?x?xf32>, tensor<?x?xf32>) -> (tensor<?x?x512xf32>, tensor<512xf32>, tensor<512xf32>)
  return
}
