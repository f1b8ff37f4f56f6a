// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-fuse-projected-cross-entropy=remarks=true | FileCheck %s

// CHECK-LABEL: func @folds_projection_and_loss
// CHECK-SAME:    %[[X:.+]]: tensor<?x?x4xf32>, %[[W:.+]]: tensor<9x4xf32>, %[[TARGET:.+]]: tensor<?x?xi32>
// CHECK-NEXT:    %[[LOSS:.+]], %{{.+}}, %{{.+}} = bifocal.projected_cross_entropy %[[X]], %[[W]], %[[TARGET]] {ignore_index = 1 : i32, smoothing = 1.000000e-01 : f32}
// CHECK-NEXT:    return %[[LOSS]]
func.func @folds_projection_and_loss(%x: tensor<?x?x4xf32>, %w: tensor<9x4xf32>, %target: tensor<?x?xi32>) -> tensor<f32> {
  %logits = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<9x4xf32>) -> tensor<?x?x9xf32>
  // expected-remark@+1 {{fused: projection and loss}}
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {smoothing = 0.1 : f32, ignore_index = 1 : i32}
      : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %loss : tensor<f32>
}

// -----

// In training both gradients come from the same sweep over the rows.

// CHECK-LABEL: func @folds_projection_loss_and_gradients
// CHECK-NEXT:    %[[LOSS:.+]], %{{.+}}, %{{.+}}, %[[GRADS:.+]]:2 = bifocal.projected_cross_entropy
// CHECK-NEXT:    return %[[LOSS]], %[[GRADS]]#0, %[[GRADS]]#1
func.func @folds_projection_loss_and_gradients(%x: tensor<?x?x4xf32>, %w: tensor<9x4xf32>, %target: tensor<?x?xi32>)
    -> (tensor<f32>, tensor<?x?x4xf32>, tensor<9x4xf32>) {
  %logits = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<9x4xf32>) -> tensor<?x?x9xf32>
  // expected-remark@+1 {{fused: projection, loss and both gradients}}
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  %dlogits = bifocal.cross_entropy_grad %logits, %target {ignore_index = 1 : i32} : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> tensor<?x?x9xf32>
  %dx = bifocal.linear_input_grad %dlogits, %w : (tensor<?x?x9xf32>, tensor<9x4xf32>) -> tensor<?x?x4xf32>
  %dw = bifocal.linear_weight_grad %dlogits, %x : (tensor<?x?x9xf32>, tensor<?x?x4xf32>) -> tensor<9x4xf32>
  return %loss, %dx, %dw : tensor<f32>, tensor<?x?x4xf32>, tensor<9x4xf32>
}

// -----

// The mask of the projection is that of the loss and both gradients.

// CHECK-LABEL: func @keeps_the_mask
// CHECK-SAME:    %[[X:.+]]: tensor<?x4xf32>, %[[W:.+]]: tensor<9x4xf32>, %[[TARGET:.+]]: tensor<?xi32>, %[[MASK:.+]]: tensor<?xi1>)
// CHECK-NEXT:    bifocal.projected_cross_entropy %[[X]], %[[W]], %[[TARGET]] mask %[[MASK]] {
// CHECK-NOT:     bifocal.linear
func.func @keeps_the_mask(%x: tensor<?x4xf32>, %w: tensor<9x4xf32>, %target: tensor<?xi32>, %mask: tensor<?xi1>)
    -> (tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>) {
  %logits = bifocal.linear %x, %w mask %mask : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi1>) -> tensor<?x9xf32>
  // expected-remark@+1 {{fused: projection, loss and both gradients}}
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x9xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  %dlogits = bifocal.cross_entropy_grad %logits, %target {ignore_index = 1 : i32} : (tensor<?x9xf32>, tensor<?xi32>) -> tensor<?x9xf32>
  %dx = bifocal.linear_input_grad %dlogits, %w mask %mask : (tensor<?x9xf32>, tensor<9x4xf32>, tensor<?xi1>) -> tensor<?x4xf32>
  %dw = bifocal.linear_weight_grad %dlogits, %x mask %mask : (tensor<?x9xf32>, tensor<?x4xf32>, tensor<?xi1>) -> tensor<9x4xf32>
  return %loss, %dx, %dw : tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>
}

// -----

// A gradient with another mask is that of another projection.

// CHECK-LABEL: func @keeps_logits_where_masks_differ
// CHECK:         bifocal.linear
// CHECK:         bifocal.cross_entropy
func.func @keeps_logits_where_masks_differ(%x: tensor<?x4xf32>, %w: tensor<9x4xf32>, %target: tensor<?xi32>, %mask: tensor<?xi1>)
    -> (tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>) {
  %logits = bifocal.linear %x, %w mask %mask : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi1>) -> tensor<?x9xf32>
  // expected-remark@+1 {{not fused: the gradient of the logits has another reader: 'bifocal.linear_weight_grad' at}}
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x9xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  %dlogits = bifocal.cross_entropy_grad %logits, %target {ignore_index = 1 : i32} : (tensor<?x9xf32>, tensor<?xi32>) -> tensor<?x9xf32>
  %dw = bifocal.linear_weight_grad %dlogits, %x : (tensor<?x9xf32>, tensor<?x4xf32>) -> tensor<9x4xf32>
  %dx = bifocal.linear_input_grad %dlogits, %w mask %mask : (tensor<?x9xf32>, tensor<9x4xf32>, tensor<?xi1>) -> tensor<?x4xf32>
  return %loss, %dx, %dw : tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>
}

// -----

// Somebody wants the logits, so they exist anyway.

// CHECK-LABEL: func @keeps_logits_with_second_reader
// CHECK:         bifocal.linear
// CHECK:         bifocal.cross_entropy
func.func @keeps_logits_with_second_reader(%x: tensor<?x?x4xf32>, %w: tensor<9x4xf32>, %target: tensor<?x?xi32>)
    -> (tensor<f32>, tensor<?x?x9xf32>) {
  %logits = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<9x4xf32>) -> tensor<?x?x9xf32>
  // expected-remark@+1 {{not fused: second reader of the logits: 'func.return' at}}
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %loss, %logits : tensor<f32>, tensor<?x?x9xf32>
}

// -----

// CHECK-LABEL: func @keeps_projection_with_bias
// CHECK:         bifocal.cross_entropy
func.func @keeps_projection_with_bias(%x: tensor<?x?x4xf32>, %w: tensor<9x4xf32>, %b: tensor<9xf32>, %target: tensor<?x?xi32>) -> tensor<f32> {
  %logits = bifocal.linear %x, %w bias %b : (tensor<?x?x4xf32>, tensor<9x4xf32>, tensor<9xf32>) -> tensor<?x?x9xf32>
  // expected-remark@+1 {{not fused: the projection has a bias}}
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %loss : tensor<f32>
}

// -----

// The fused op makes gradients for a loss gradient of 1.

// CHECK-LABEL: func @keeps_scaled_gradient
// CHECK:         bifocal.cross_entropy_grad
func.func @keeps_scaled_gradient(%x: tensor<?x?x4xf32>, %w: tensor<9x4xf32>, %target: tensor<?x?xi32>, %scale: tensor<f32>)
    -> (tensor<f32>, tensor<?x?x4xf32>, tensor<9x4xf32>) {
  %logits = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<9x4xf32>) -> tensor<?x?x9xf32>
  // expected-remark@+1 {{not fused: the gradient of the loss is not the constant 1}}
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  %dlogits = bifocal.cross_entropy_grad %logits, %target loss_grad %scale {ignore_index = 1 : i32}
      : (tensor<?x?x9xf32>, tensor<?x?xi32>, tensor<f32>) -> tensor<?x?x9xf32>
  %dx = bifocal.linear_input_grad %dlogits, %w : (tensor<?x?x9xf32>, tensor<9x4xf32>) -> tensor<?x?x4xf32>
  %dw = bifocal.linear_weight_grad %dlogits, %x : (tensor<?x?x9xf32>, tensor<?x?x4xf32>) -> tensor<9x4xf32>
  return %loss, %dx, %dw : tensor<f32>, tensor<?x?x4xf32>, tensor<9x4xf32>
}

// -----

// The gradient of another loss over the same logits.

// CHECK-LABEL: func @keeps_gradient_of_another_loss
// CHECK:         bifocal.cross_entropy_grad
func.func @keeps_gradient_of_another_loss(%x: tensor<?x?x4xf32>, %w: tensor<9x4xf32>, %target: tensor<?x?xi32>)
    -> (tensor<f32>, tensor<?x?x9xf32>) {
  %logits = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<9x4xf32>) -> tensor<?x?x9xf32>
  // expected-remark@+1 {{not fused: gradient of another loss: 'bifocal.cross_entropy_grad' at}}
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  %dlogits = bifocal.cross_entropy_grad %logits, %target {smoothing = 0.2 : f32, ignore_index = 1 : i32} : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> tensor<?x?x9xf32>
  return %loss, %dlogits : tensor<f32>, tensor<?x?x9xf32>
}

// -----

// CHECK-LABEL: func @keeps_gradient_with_third_reader
// CHECK:         bifocal.cross_entropy_grad
func.func @keeps_gradient_with_third_reader(%x: tensor<?x?x4xf32>, %w: tensor<9x4xf32>, %target: tensor<?x?xi32>)
    -> (tensor<?x?x9xf32>, tensor<?x?x4xf32>, tensor<9x4xf32>) {
  %logits = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<9x4xf32>) -> tensor<?x?x9xf32>
  // expected-remark@+1 {{not fused: the gradient of the logits has another reader: 'func.return' at}}
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  %dlogits = bifocal.cross_entropy_grad %logits, %target {ignore_index = 1 : i32} : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> tensor<?x?x9xf32>
  %dx = bifocal.linear_input_grad %dlogits, %w : (tensor<?x?x9xf32>, tensor<9x4xf32>) -> tensor<?x?x4xf32>
  %dw = bifocal.linear_weight_grad %dlogits, %x : (tensor<?x?x9xf32>, tensor<?x?x4xf32>) -> tensor<9x4xf32>
  return %dlogits, %dx, %dw : tensor<?x?x9xf32>, tensor<?x?x4xf32>, tensor<9x4xf32>
}
