// RUN: bifocal-opt %s --cse --canonicalize | FileCheck %s

bifocal.param @w : tensor<8x8xf32> init {kind = "zeros"}
bifocal.state @cache : tensor<3x?x8xf32> dims ["", "R", ""]
bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]

// What touches a slab or a state is neither merged with its twin nor deleted, read or not.

// CHECK-LABEL: func @keeps_writes(
// CHECK-COUNT-2: bifocal.state_write
// CHECK-COUNT-2: bifocal.store_gradient
// CHECK-COUNT-2: bifocal.adam
func.func @keeps_writes(%k: tensor<2x5x8xf32>, %g: tensor<8x8xf32>, %f: tensor<f32>, %h: tensor<4xf32>) {
  bifocal.state_write %k into @keys : tensor<2x5x8xf32>
  bifocal.state_write %k into @keys : tensor<2x5x8xf32>
  bifocal.store_gradient %g into @w accumulate : tensor<8x8xf32>
  bifocal.store_gradient %g into @w accumulate : tensor<8x8xf32>
  bifocal.adam %f, %h of [@w] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  bifocal.adam %f, %h of [@w] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// A decoding step writes its cache even where nobody reads its output.

// CHECK-LABEL: func @keeps_steps(
// CHECK-COUNT-2: bifocal.light_conv_step
// CHECK:         bifocal.dynamic_conv_step
// CHECK:         bifocal.attention_step
// CHECK:         bifocal.diff_attention_step
func.func @keeps_steps(%l: tensor<f32>, %x: tensor<5x8xf32>, %taps: tensor<2x1x3xf32>, %d: tensor<5x6xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  %0 = bifocal.light_conv_step %x, %taps cache @cache ancestors %a step %t : (tensor<5x8xf32>, tensor<2x1x3xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  %1 = bifocal.light_conv_step %x, %taps cache @cache ancestors %a step %t : (tensor<5x8xf32>, tensor<2x1x3xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  %2 = bifocal.dynamic_conv_step %x, %d cache @cache ancestors %a step %t {heads = 2 : i64} : (tensor<5x8xf32>, tensor<5x6xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  %3 = bifocal.attention_step %x, %x, %x caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  %4 = bifocal.diff_attention_step %x, %x, %x lambda %l caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<f32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// A norm is read again after a gradient has changed.

// CHECK-LABEL: func @keeps_norm_after_store(
// CHECK:         bifocal.global_norm
// CHECK:         bifocal.store_gradient
// CHECK:         bifocal.global_norm
func.func @keeps_norm_after_store(%g: tensor<8x8xf32>, %c: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0 = bifocal.global_norm %c of [@w] : (tensor<f32>) -> tensor<f32>
  bifocal.store_gradient %g into @w accumulate : tensor<8x8xf32>
  %1 = bifocal.global_norm %c of [@w] : (tensor<f32>) -> tensor<f32>
  return %0, %1 : tensor<f32>, tensor<f32>
}

// Pure ops with equal operands are one, so there is one padding mask.

// CHECK-LABEL: func @merges_pure_ops(
// CHECK-COUNT-1: bifocal.padding_mask
// CHECK-NOT:     bifocal.padding_mask
func.func @merges_pure_ops(%t: tensor<2x6xi32>) -> (tensor<2x6xi1>, tensor<2x6xi1>) {
  %0 = bifocal.padding_mask %t {pad = 1 : i32} : (tensor<2x6xi32>) -> tensor<2x6xi1>
  %1 = bifocal.padding_mask %t {pad = 1 : i32} : (tensor<2x6xi32>) -> tensor<2x6xi1>
  return %0, %1 : tensor<2x6xi1>, tensor<2x6xi1>
}
