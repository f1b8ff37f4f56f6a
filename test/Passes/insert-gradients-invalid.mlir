// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-insert-gradients

// `log_softmax` only serves decoding.
func.func @op_without_gradient(%x: tensor<?x4xf32> {bifocal.name = "x"}) -> (tensor<?x4xf32> {bifocal.name = "y"}) attributes {bifocal.gradient} {
  // expected-error@+1 {{'bifocal.log_softmax' op expects an op with a gradient between a parameter and the loss, but this op has none}}
  %y = bifocal.log_softmax %x : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// expected-error@+1 {{expects every float argument to reach a result, but no gradient reaches 'unused'}}
func.func @argument_without_gradient(%x: tensor<?x4xf32> {bifocal.name = "x"}, %unused: tensor<?x4xf32> {bifocal.name = "unused"})
    -> (tensor<?x4xf32> {bifocal.name = "y"}) attributes {bifocal.gradient} {
  %y = bifocal.relu %x : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

bifocal.param @w : tensor<4x4xf32> init {kind = "zeros"}
// expected-error@+1 {{expects a gradient for every trained parameter, but none reaches this one}}
bifocal.param @unused : tensor<4x4xf32> init {kind = "zeros"}

func.func @loss(%x: tensor<?x?x4xf32> {bifocal.name = "x"}, %target: tensor<?x?xi32> {bifocal.name = "target"})
    -> (tensor<f32> {bifocal.name = "loss"}, tensor<f32> {bifocal.name = "count"})
    attributes {bifocal.train = {optimizer = "adam", beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.1 : f32}} {
  %w = bifocal.param_ref @w : tensor<4x4xf32>
  %logits = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<4x4xf32>) -> tensor<?x?x4xf32>
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x?x4xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %loss, %count : tensor<f32>, tensor<f32>
}
