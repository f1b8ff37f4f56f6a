// RUN: bifocal-opt %s --bifocal-differentiate | FileCheck %s --check-prefix=DIFFERENTIATE
// RUN: bifocal-opt %s --bifocal-differentiate --bifocal-optimize | FileCheck %s --check-prefix=OPTIMIZE
// RUN: bifocal-opt %s --bifocal-differentiate --bifocal-optimize -o %t
// RUN: bifocal-opt %s --bifocal-differentiate | bifocal-opt --bifocal-optimize | diff - %t

// One post-norm encoder layer with its projection: what each phase makes of it, and that a phase may stop and resume
// from text without changing the result.

bifocal.param @embed : tensor<11x8xf32> init {kind = "normal", std = 0.1 : f32}
bifocal.param @in.weight : tensor<16x8xf32> init {kind = "xavier_uniform", gain = 1.0 : f32}
bifocal.param @in.bias : tensor<16xf32> init {kind = "zeros"}
bifocal.param @taps : tensor<2x1x3xf32> init {kind = "xavier_uniform", gain = 1.0 : f32}
bifocal.param @out.weight : tensor<8x8xf32> init {kind = "xavier_uniform", gain = 1.0 : f32}
bifocal.param @out.bias : tensor<8xf32> init {kind = "zeros"}
bifocal.param @norm.weight : tensor<8xf32> init {kind = "ones"}
bifocal.param @norm.bias : tensor<8xf32> init {kind = "zeros"}

// Tap softmax and DropConnect are in the convolution before its gradient is built.
// DIFFERENTIATE-LABEL: func.func @train_step
// DIFFERENTIATE:         bifocal.light_conv {{.*}} rng %{{.+}} normalized {drop_rate = 1.000000e-01 : f32
// DIFFERENTIATE:         bifocal.cross_entropy %
// DIFFERENTIATE:         bifocal.cross_entropy_grad
// DIFFERENTIATE:         bifocal.layer_norm_grad
// DIFFERENTIATE:         bifocal.light_conv_grad {{.*}} rng %{{.+}} normalized {drop_rate = 1.000000e-01 : f32
// DIFFERENTIATE:         bifocal.embedding_grad {{.*}} initial
// DIFFERENTIATE-COUNT-8: bifocal.adam
// DIFFERENTIATE-LABEL: func.func @accumulate_gradients
// DIFFERENTIATE-COUNT-8: bifocal.store_gradient {{.*}} accumulate
// DIFFERENTIATE-LABEL: func.func @apply_gradients
// DIFFERENTIATE-NOT:   @loss

// One mask; maps at every product; projection, loss and their gradients in one op; one update.
// OPTIMIZE-LABEL: func.func @train_step
// OPTIMIZE:         bifocal.padding_mask
// OPTIMIZE-NOT:     bifocal.padding_mask
// OPTIMIZE:         %[[IN:.+]] = bifocal.linear %
// OPTIMIZE:         bifocal.map ({{.*}} = %[[IN]] :
// OPTIMIZE-NEXT:      bifocal.add_bias
// OPTIMIZE-NEXT:      bifocal.glu
// OPTIMIZE-NEXT:      bifocal.mask_padding
// OPTIMIZE:         bifocal.light_conv
// OPTIMIZE:         %[[OUT:.+]] = bifocal.linear %
// OPTIMIZE:         bifocal.map ({{.*}} = %[[OUT]] :
// OPTIMIZE-NEXT:      bifocal.add_bias
// OPTIMIZE-NEXT:      bifocal.dropout
// OPTIMIZE-NEXT:      bifocal.add
// OPTIMIZE-NEXT:      bifocal.layer_norm
// OPTIMIZE-NEXT:      bifocal.mask_padding
// OPTIMIZE:         %{{.+}}:2 = bifocal.projected_cross_entropy
// OPTIMIZE:         bifocal.map
// OPTIMIZE-NEXT:      bifocal.mask_padding
// OPTIMIZE-NEXT:      bifocal.layer_norm_grad
// OPTIMIZE-NEXT:      bifocal.dropout
// OPTIMIZE-NEXT:      bifocal.column_sum
// OPTIMIZE:         bifocal.light_conv_grad
// OPTIMIZE:         bifocal.map
// OPTIMIZE-NEXT:      bifocal.mask_padding
// OPTIMIZE-NEXT:      bifocal.add_bias
// OPTIMIZE-NEXT:      bifocal.glu_grad
// OPTIMIZE-NEXT:      bifocal.column_sum
// OPTIMIZE:         bifocal.adam %{{.+}} of [@embed, @in.weight, @in.bias, @taps, @out.weight, @out.bias, @norm.weight, @norm.bias]
// OPTIMIZE-NOT:     bifocal.adam
// OPTIMIZE-LABEL: func.func @accumulate_gradients

func.func @loss(%source: tensor<?x?xi32> {bifocal.name = "source", bifocal.dims = ["B", "T"]},
                %target: tensor<?x?xi32> {bifocal.name = "target", bifocal.dims = ["B", "T"]},
                %rng: tensor<2xi64> {bifocal.name = "rng"})
    -> (tensor<f32> {bifocal.name = "loss"}, tensor<f32> {bifocal.name = "nll"}, tensor<f32> {bifocal.name = "count"})
    attributes {bifocal.train = {optimizer = "adam", beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 1.0e-4 : f32}} {
  %mask = bifocal.padding_mask %source {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>
  %embed = bifocal.param_ref @embed : tensor<11x8xf32>
  %x = bifocal.embedding %source, %embed {scale = 2.0 : f32, pad = 1 : i32} : (tensor<?x?xi32>, tensor<11x8xf32>) -> tensor<?x?x8xf32>
  %d = bifocal.dropout %x, %rng {rate = 0.1 : f32, site = 0 : i32} : (tensor<?x?x8xf32>, tensor<2xi64>) -> tensor<?x?x8xf32>
  %w1 = bifocal.param_ref @in.weight : tensor<16x8xf32>
  %b1 = bifocal.param_ref @in.bias : tensor<16xf32>
  %a = bifocal.linear %d, %w1 bias %b1 : (tensor<?x?x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<?x?x16xf32>
  %g = bifocal.glu %a : (tensor<?x?x16xf32>) -> tensor<?x?x8xf32>
  %m = bifocal.mask_padding %g, %mask : (tensor<?x?x8xf32>, tensor<?x?xi1>) -> tensor<?x?x8xf32>
  %taps = bifocal.param_ref @taps : tensor<2x1x3xf32>
  %s = bifocal.softmax %taps {group = 3 : i64} : (tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  %t = bifocal.dropout %s, %rng {rate = 0.1 : f32, site = 1 : i32} : (tensor<2x1x3xf32>, tensor<2xi64>) -> tensor<2x1x3xf32>
  %c = bifocal.light_conv %m, %t {left_padding = 1 : i64} : (tensor<?x?x8xf32>, tensor<2x1x3xf32>) -> tensor<?x?x8xf32>
  %mask2 = bifocal.padding_mask %source {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>
  %w2 = bifocal.param_ref @out.weight : tensor<8x8xf32>
  %b2 = bifocal.param_ref @out.bias : tensor<8xf32>
  %l = bifocal.linear %c, %w2 bias %b2 : (tensor<?x?x8xf32>, tensor<8x8xf32>, tensor<8xf32>) -> tensor<?x?x8xf32>
  %e = bifocal.dropout %l, %rng {rate = 0.1 : f32, site = 2 : i32} : (tensor<?x?x8xf32>, tensor<2xi64>) -> tensor<?x?x8xf32>
  %r = bifocal.add %d, %e : tensor<?x?x8xf32>
  %scale = bifocal.param_ref @norm.weight : tensor<8xf32>
  %shift = bifocal.param_ref @norm.bias : tensor<8xf32>
  %y, %mean, %rstd = bifocal.layer_norm %r, %scale, %shift : (tensor<?x?x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<?x?x8xf32>, tensor<?x?xf32>, tensor<?x?xf32>)
  %z = bifocal.mask_padding %y, %mask2 : (tensor<?x?x8xf32>, tensor<?x?xi1>) -> tensor<?x?x8xf32>
  %tied = bifocal.param_ref @embed : tensor<11x8xf32>
  %logits = bifocal.linear %z, %tied : (tensor<?x?x8xf32>, tensor<11x8xf32>) -> tensor<?x?x11xf32>
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {smoothing = 0.1 : f32, ignore_index = 1 : i32}
      : (tensor<?x?x11xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %loss, %nll, %count : tensor<f32>, tensor<f32>, tensor<f32>
}
