// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.param @fc1.weight : tensor<1024x512xf32> init {gain = 1.000000e+00 : f64, kind = "xavier_uniform"}
bifocal.param @fc1.bias : tensor<1024xf32> init {kind = "zeros"}

// The type of the parameter.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.param_ref @fc1.weight : tensor<1024x512xf32>{{$}}
func.func @plain() {
  %w = bifocal.param_ref @fc1.weight : tensor<1024x512xf32>
  return
}
