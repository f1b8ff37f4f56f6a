// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.param @fc1.weight : tensor<1024x512xf32> init {gain = 1.000000e+00 : f64, kind = "xavier_uniform"}
bifocal.param @fc1.bias : tensor<1024xf32> init {kind = "zeros"}

// Written.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.store_gradient %{{.+}} into @fc1.weight : tensor<1024x512xf32>{{$}}
func.func @plain(%g: tensor<1024x512xf32>) {
  bifocal.store_gradient %g into @fc1.weight : tensor<1024x512xf32>
  return
}

// Added.

// CHECK-LABEL: func @accumulated(
// CHECK:         bifocal.store_gradient %{{.+}} into @fc1.weight accumulate : tensor<1024x512xf32>{{$}}
func.func @accumulated(%g: tensor<1024x512xf32>) {
  bifocal.store_gradient %g into @fc1.weight accumulate : tensor<1024x512xf32>
  return
}
