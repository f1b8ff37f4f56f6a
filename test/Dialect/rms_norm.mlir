// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// The default epsilon, factor and group are not printed.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.rms_norm %{{.+}}, %{{.+}} : (tensor<?x?x512xf32>, tensor<512xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>, %w: tensor<512xf32>) {
  %y = bifocal.rms_norm %x, %w : (tensor<?x?x512xf32>, tensor<512xf32>) -> tensor<?x?x512xf32>
  return
}

// Heads of 64 channels share a weight.

// CHECK-LABEL: func @heads(
// CHECK:         bifocal.rms_norm %{{.+}}, %{{.+}} {factor = 8.000000e-01 : f32, group = 64 : i64} : (tensor<?x?x512xf32>, tensor<64xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @heads(%x: tensor<?x?x512xf32>, %w: tensor<64xf32>) {
  %y = bifocal.rms_norm %x, %w {factor = 8.000000e-01 : f32, group = 64 : i64} : (tensor<?x?x512xf32>, tensor<64xf32>) -> tensor<?x?x512xf32>
  return
}

// There need not be a weight, and rows of decoding have rank 2.

// CHECK-LABEL: func @bare(
// CHECK:         bifocal.rms_norm %{{.+}} {epsilon = 9.99999997E-7 : f32} : (tensor<?x512xbf16>) -> tensor<?x512xbf16>{{$}}
func.func @bare(%x: tensor<?x512xbf16>) {
  %y = bifocal.rms_norm %x {epsilon = 9.99999997E-7 : f32} : (tensor<?x512xbf16>) -> tensor<?x512xbf16>
  return
}
