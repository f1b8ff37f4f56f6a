// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// The plain form: raw taps and nothing optional.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.light_conv %{{.+}}, %{{.+}} {left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<4x1x7xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>, %taps: tensor<4x1x7xf32>) {
  %y = bifocal.light_conv %x, %taps {left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<4x1x7xf32>) -> tensor<?x?x512xf32>
  return
}

// Bias and dropped, normalised taps at once.

// CHECK-LABEL: func @every_option(
// CHECK:         bifocal.light_conv %{{.+}}, %{{.+}} bias %{{.+}} rng %{{.+}} normalized {drop_rate = 1.000000e-01 : f32, left_padding = 6 : i64, site = 5 : i32} : (tensor<?x?x512xf32>, tensor<4x1x7xf32>, tensor<512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>{{$}}
func.func @every_option(%x: tensor<?x?x512xf32>, %taps: tensor<4x1x7xf32>, %b: tensor<512xf32>, %rng: tensor<2xi64>) {
  %y = bifocal.light_conv %x, %taps bias %b rng %rng normalized {drop_rate = 1.000000e-01 : f32, left_padding = 6 : i64, site = 5 : i32} : (tensor<?x?x512xf32>, tensor<4x1x7xf32>, tensor<512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>
  return
}

// K may exceed T.

// CHECK-LABEL: func @more_taps_than_steps(
// CHECK:         bifocal.light_conv %{{.+}}, %{{.+}} normalized {left_padding = 30 : i64} : (tensor<1x3x8xf32>, tensor<2x1x31xf32>) -> tensor<1x3x8xf32>{{$}}
func.func @more_taps_than_steps(%x: tensor<1x3x8xf32>, %taps: tensor<2x1x31xf32>) {
  %y = bifocal.light_conv %x, %taps normalized {left_padding = 30 : i64} : (tensor<1x3x8xf32>, tensor<2x1x31xf32>) -> tensor<1x3x8xf32>
  return
}
