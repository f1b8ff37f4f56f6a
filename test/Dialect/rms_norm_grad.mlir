// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// One gradient for the weight of all groups.

// CHECK-LABEL: func @heads(
// CHECK:         bifocal.rms_norm_grad %{{.+}}, %{{.+}}, %{{.+}} {factor = 8.000000e-01 : f32, group = 64 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<64xf32>) -> (tensor<?x?x512xf32>, tensor<64xf32>){{$}}
func.func @heads(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>, %w: tensor<64xf32>) {
  %dx, %dw = bifocal.rms_norm_grad %g, %x, %w {factor = 8.000000e-01 : f32, group = 64 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<64xf32>) -> (tensor<?x?x512xf32>, tensor<64xf32>)
  return
}

// No weight, no gradient of it.

// CHECK-LABEL: func @bare(
// CHECK:         bifocal.rms_norm_grad %{{.+}}, %{{.+}} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @bare(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>) {
  %dx = bifocal.rms_norm_grad %g, %x : (tensor<?x?x512xf32>, tensor<?x?x512xf32>) -> tensor<?x?x512xf32>
  return
}
