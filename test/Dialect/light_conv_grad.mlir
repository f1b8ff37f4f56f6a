// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Raw taps.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.light_conv_grad %{{.+}}, %{{.+}}, %{{.+}} {left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<4x1x7xf32>) -> (tensor<?x?x512xf32>, tensor<4x1x7xf32>){{$}}
func.func @plain(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>, %taps: tensor<4x1x7xf32>) {
  %dx, %dtaps = bifocal.light_conv_grad %g, %x, %taps {left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<4x1x7xf32>) -> (tensor<?x?x512xf32>, tensor<4x1x7xf32>)
  return
}

// Dropped, normalised taps.

// CHECK-LABEL: func @every_option(
// CHECK:         bifocal.light_conv_grad %{{.+}}, %{{.+}}, %{{.+}} rng %{{.+}} normalized {drop_rate = 1.000000e-01 : f32, left_padding = 6 : i64, site = 5 : i32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<4x1x7xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<4x1x7xf32>){{$}}
func.func @every_option(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>, %taps: tensor<4x1x7xf32>, %rng: tensor<2xi64>) {
  %dx, %dtaps = bifocal.light_conv_grad %g, %x, %taps rng %rng normalized {drop_rate = 1.000000e-01 : f32, left_padding = 6 : i64, site = 5 : i32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<4x1x7xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<4x1x7xf32>)
  return
}
