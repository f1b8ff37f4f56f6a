// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// The plain form: raw taps, nothing optional.

// CHECK-LABEL: func @plain
// CHECK:         bifocal.light_conv %{{.+}}, %{{.+}} {left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<4x1x7xf32>) -> tensor<?x?x512xf32>
func.func @plain(%x: tensor<?x?x512xf32>, %taps: tensor<4x1x7xf32>) -> tensor<?x?x512xf32> {
  %y = bifocal.light_conv %x, %taps {left_padding = 3 : i64} : (tensor<?x?x512xf32>, tensor<4x1x7xf32>) -> tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}
