// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.state @conv.input : tensor<7x?x512xf32> dims ["", "R", ""]

// Normalised taps over a cache.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.dynamic_conv_step %{{.+}}, %{{.+}} cache @conv.input ancestors %{{.+}} step %{{.+}} normalized {heads = 4 : i64} : (tensor<?x512xf32>, tensor<?x28xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>{{$}}
func.func @plain(%x: tensor<?x512xf32>, %taps: tensor<?x28xf32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  %y = bifocal.dynamic_conv_step %x, %taps cache @conv.input ancestors %a step %t normalized {heads = 4 : i64} : (tensor<?x512xf32>, tensor<?x28xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
  return
}

// Bias and the published softmax.

// CHECK-LABEL: func @every_option(
// CHECK:         bifocal.dynamic_conv_step %{{.+}}, %{{.+}} bias %{{.+}} cache @conv.input ancestors %{{.+}} step %{{.+}} normalized compat {heads = 4 : i64} : (tensor<?x512xf32>, tensor<?x28xf32>, tensor<512xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>{{$}}
func.func @every_option(%x: tensor<?x512xf32>, %taps: tensor<?x28xf32>, %b: tensor<512xf32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  %y = bifocal.dynamic_conv_step %x, %taps bias %b cache @conv.input ancestors %a step %t normalized compat {heads = 4 : i64} : (tensor<?x512xf32>, tensor<?x28xf32>, tensor<512xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
  return
}
