// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Raw taps and nothing optional.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.dynamic_conv %{{.+}}, %{{.+}} {heads = 4 : i64, left_padding = 6 : i64} : (tensor<?x?x512xf32>, tensor<?x?x28xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>, %taps: tensor<?x?x28xf32>) {
  %y = bifocal.dynamic_conv %x, %taps {heads = 4 : i64, left_padding = 6 : i64} : (tensor<?x?x512xf32>, tensor<?x?x28xf32>) -> tensor<?x?x512xf32>
  return
}

// Bias and dropped, normalised taps at once.

// CHECK-LABEL: func @every_option(
// CHECK:         bifocal.dynamic_conv %{{.+}}, %{{.+}} bias %{{.+}} rng %{{.+}} normalized renormalized {drop_rate = 1.000000e-01 : f32, heads = 4 : i64, left_padding = 3 : i64, site = 5 : i32} : (tensor<?x?x512xf32>, tensor<?x?x28xf32>, tensor<512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>{{$}}
func.func @every_option(%x: tensor<?x?x512xf32>, %taps: tensor<?x?x28xf32>, %b: tensor<512xf32>, %rng: tensor<2xi64>) {
  %y = bifocal.dynamic_conv %x, %taps bias %b rng %rng normalized renormalized {drop_rate = 1.000000e-01 : f32, heads = 4 : i64, left_padding = 3 : i64, site = 5 : i32} : (tensor<?x?x512xf32>, tensor<?x?x28xf32>, tensor<512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>
  return
}

// The published softmax over the last T taps.

// CHECK-LABEL: func @compat(
// CHECK:         bifocal.dynamic_conv %{{.+}}, %{{.+}} normalized compat {heads = 4 : i64, left_padding = 6 : i64} : (tensor<?x?x512xf32>, tensor<?x?x28xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @compat(%x: tensor<?x?x512xf32>, %taps: tensor<?x?x28xf32>) {
  %y = bifocal.dynamic_conv %x, %taps normalized compat {heads = 4 : i64, left_padding = 6 : i64} : (tensor<?x?x512xf32>, tensor<?x?x28xf32>) -> tensor<?x?x512xf32>
  return
}
