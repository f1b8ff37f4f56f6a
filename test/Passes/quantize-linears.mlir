// RUN: bifocal-opt %s -split-input-file -bifocal-quantize-linears -verify-diagnostics | FileCheck %s
// RUN: bifocal-opt %s -split-input-file -bifocal-apply-precision -bifocal-quantize-linears | FileCheck %s

// Inference rounds both factors; what has a loss stays as it is.

// CHECK: module attributes {bifocal.training = {precision = "int8"}}
module attributes {bifocal.training = {precision = "int8"}} {
  bifocal.param @w : tensor<8x8xf32> init {kind = "zeros"}
  // CHECK-LABEL: func.func @encode
  func.func @encode(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %w = bifocal.param_ref @w : tensor<8x8xf32>
    // CHECK: bifocal.linear %{{.*}}, %{{.*}} activation relu quantization factors : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    %y = bifocal.linear %x, %w activation relu : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
  // CHECK-LABEL: func.func @evaluate
  func.func @evaluate(%x: tensor<?x8xf32>, %t: tensor<?xi32>) -> tensor<f32> {
    %w = bifocal.param_ref @w : tensor<8x8xf32>
    // CHECK: bifocal.linear %{{.*}}, %{{.*}} : (tensor<?x8xf32>
    %y = bifocal.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    %loss, %nll, %count = bifocal.cross_entropy %y, %t {ignore_index = 1 : i32, smoothing = 0.0 : f32} : (tensor<?x8xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
    return %loss : tensor<f32>
  }
}

// -----

// Weights alone. A weight that is no parameter has no panels to keep.

// CHECK: module attributes {bifocal.training = {precision = "int8_weight_only"}}
module attributes {bifocal.training = {precision = "int8_weight_only"}} {
  bifocal.param @w : tensor<8x8xf32> init {kind = "zeros"}
  func.func @encode(%x: tensor<?x8xf32>, %v: tensor<8x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %w = bifocal.param_ref @w : tensor<8x8xf32>
    // CHECK: bifocal.linear %{{.*}}, %{{.*}} quantization weights :
    %y = bifocal.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    // CHECK: bifocal.linear %{{.*}}, %{{.*}} : (tensor<?x8xf32>
    %z = bifocal.linear %x, %v : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    return %y, %z : tensor<?x8xf32>, tensor<?x8xf32>
  }
}

// -----

// CHECK: module attributes {bifocal.training = {precision = "bf16"}}
module attributes {bifocal.training = {precision = "bf16"}} {
  bifocal.param @w : tensor<8x8xf32> init {kind = "zeros"}
  func.func @encode(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %w = bifocal.param_ref @w : tensor<8x8xf32>
    // CHECK-NOT: quantization
    %y = bifocal.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
}
