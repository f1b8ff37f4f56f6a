// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Raw taps.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.dynamic_conv_grad %{{.+}}, %{{.+}}, %{{.+}} {heads = 4 : i64, left_padding = 6 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x28xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x28xf32>){{$}}
func.func @plain(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>, %taps: tensor<?x?x28xf32>) {
  %dx, %dtaps = bifocal.dynamic_conv_grad %g, %x, %taps {heads = 4 : i64, left_padding = 6 : i64} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x28xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x28xf32>)
  return
}

// Dropped, normalised taps.

// CHECK-LABEL: func @every_option(
// CHECK:         bifocal.dynamic_conv_grad %{{.+}}, %{{.+}}, %{{.+}} rng %{{.+}} normalized renormalized {drop_rate = 1.000000e-01 : f32, heads = 4 : i64, left_padding = 3 : i64, site = 5 : i32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x28xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x28xf32>){{$}}
func.func @every_option(%g: tensor<?x?x512xf32>, %x: tensor<?x?x512xf32>, %taps: tensor<?x?x28xf32>, %rng: tensor<2xi64>) {
  %dx, %dtaps = bifocal.dynamic_conv_grad %g, %x, %taps rng %rng normalized renormalized {drop_rate = 1.000000e-01 : f32, heads = 4 : i64, left_padding = 3 : i64, site = 5 : i32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x28xf32>, tensor<2xi64>) -> (tensor<?x?x512xf32>, tensor<?x?x28xf32>)
  return
}
