// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.state @conv.input : tensor<7x?x512xf32> dims ["", "R", ""]

// Normalised taps over a cache.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.light_conv_step %{{.+}}, %{{.+}} cache @conv.input ancestors %{{.+}} step %{{.+}} normalized : (tensor<?x512xf32>, tensor<4x1x7xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>{{$}}
func.func @plain(%x: tensor<?x512xf32>, %taps: tensor<4x1x7xf32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  %y = bifocal.light_conv_step %x, %taps cache @conv.input ancestors %a step %t normalized : (tensor<?x512xf32>, tensor<4x1x7xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
  return
}

// The bias comes after the taps.

// CHECK-LABEL: func @with_bias(
// CHECK:         bifocal.light_conv_step %{{.+}}, %{{.+}} bias %{{.+}} cache @conv.input ancestors %{{.+}} step %{{.+}} : (tensor<?x512xf32>, tensor<4x1x7xf32>, tensor<512xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>{{$}}
func.func @with_bias(%x: tensor<?x512xf32>, %taps: tensor<4x1x7xf32>, %b: tensor<512xf32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  %y = bifocal.light_conv_step %x, %taps bias %b cache @conv.input ancestors %a step %t : (tensor<?x512xf32>, tensor<4x1x7xf32>, tensor<512xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
  return
}
