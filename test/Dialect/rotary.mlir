// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Neighbours are pairs by default.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.rotary %{{.+}}, %{{.+}}, %{{.+}} {heads = 8 : i64} : (tensor<?x?x512xf32>, tensor<1024x32xf32>, tensor<1024x32xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>, %c: tensor<1024x32xf32>, %s: tensor<1024x32xf32>) {
  %y = bifocal.rotary %x, %c, %s {heads = 8 : i64} : (tensor<?x?x512xf32>, tensor<1024x32xf32>, tensor<1024x32xf32>) -> tensor<?x?x512xf32>
  return
}

// The gradient of a rotation turns back.

// CHECK-LABEL: func @halves_back(
// CHECK:         bifocal.rotary %{{.+}}, %{{.+}}, %{{.+}} layout halves inverse {heads = 8 : i64} : (tensor<?x?x512xf32>, tensor<1024x32xf32>, tensor<1024x32xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @halves_back(%x: tensor<?x?x512xf32>, %c: tensor<1024x32xf32>, %s: tensor<1024x32xf32>) {
  %y = bifocal.rotary %x, %c, %s layout halves inverse {heads = 8 : i64} : (tensor<?x?x512xf32>, tensor<1024x32xf32>, tensor<1024x32xf32>) -> tensor<?x?x512xf32>
  return
}

// All rows of a step are at its position.

// CHECK-LABEL: func @one_step(
// CHECK:         bifocal.rotary %{{.+}}, %{{.+}}, %{{.+}} step %{{.+}} {heads = 4 : i64} : (tensor<?x512xf32>, tensor<1024x32xf32>, tensor<1024x32xf32>, tensor<i32>) -> tensor<?x512xf32>{{$}}
func.func @one_step(%x: tensor<?x512xf32>, %c: tensor<1024x32xf32>, %s: tensor<1024x32xf32>, %n: tensor<i32>) {
  %y = bifocal.rotary %x, %c, %s step %n {heads = 4 : i64} : (tensor<?x512xf32>, tensor<1024x32xf32>, tensor<1024x32xf32>, tensor<i32>) -> tensor<?x512xf32>
  return
}
