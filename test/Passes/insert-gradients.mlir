// RUN: bifocal-opt %s --split-input-file --bifocal-insert-gradients | FileCheck %s

bifocal.param @w : tensor<4x4xf32> init {kind = "zeros"}
bifocal.param @table : tensor<9x4xf32> init {kind = "zeros"} frozen

// A step is forward, backward, the stored gradients and the update; the same graph without the update accumulates.

// CHECK-LABEL: func.func @train_step
// CHECK-SAME:    %[[IDS:.+]]: tensor<?x?xi32> {bifocal.dims = ["B", "T"], bifocal.name = "ids"}
// CHECK-SAME:    %[[TARGET:[a-z0-9]+]]: tensor<?x?xi32>
// CHECK-SAME:    %[[HYPER:[a-z0-9]+]]: tensor<4xf32> {bifocal.name = "hyper"}
// CHECK-SAME:    -> (tensor<f32> {bifocal.name = "loss"}, tensor<f32> {bifocal.name = "count"}, tensor<f32> {bifocal.name = "gradient_norm"})
// CHECK:         %[[TABLE:.+]] = bifocal.param_ref @table
// CHECK:         %[[W:.+]] = bifocal.param_ref @w
// CHECK:         %[[X:.+]] = bifocal.embedding %[[IDS]], %[[TABLE]]
// CHECK:         %[[LOGITS:.+]] = bifocal.linear %[[X]], %[[W]]
// CHECK:         %[[LOSS:.+]], %{{.+}}, %[[COUNT:.+]] = bifocal.cross_entropy %[[LOGITS]]
// The gradient of the loss for itself is 1, which `cross_entropy_grad` takes for granted.
// CHECK-NEXT:    %[[DLOGITS:.+]] = bifocal.cross_entropy_grad %[[LOGITS]], %[[TARGET]] {
// A frozen table and what only it needs have no gradient.
// CHECK-NEXT:    %[[DW:.+]] = bifocal.linear_weight_grad %[[DLOGITS]], %[[X]]
// CHECK-NEXT:    bifocal.store_gradient %[[DW]] into @w :
// CHECK-NEXT:    %[[NORM:.+]] = bifocal.global_norm %[[COUNT]] of [@w]
// CHECK-NEXT:    %[[FACTOR:.+]] = bifocal.clip %[[NORM]], %[[COUNT]], %[[HYPER]]
// CHECK-NEXT:    bifocal.adam %[[FACTOR]], %[[HYPER]] of [@w] {beta1 = 0.899999976 : f32
// CHECK-NEXT:    return %[[LOSS]], %[[COUNT]], %[[NORM]]

// CHECK-LABEL: func.func @accumulate_gradients
// CHECK:         bifocal.store_gradient %{{.+}} into @w accumulate :
// CHECK-NEXT:    return

// CHECK-LABEL: func.func @apply_gradients
// CHECK-SAME:    %[[COUNT:.+]]: tensor<f32> {bifocal.name = "count"}, %[[HYPER:.+]]: tensor<4xf32> {bifocal.name = "hyper"}) -> (tensor<f32> {bifocal.name = "gradient_norm"})
// CHECK-NEXT:    %[[NORM:.+]] = bifocal.global_norm %[[COUNT]] of [@w]
// CHECK-NEXT:    %[[FACTOR:.+]] = bifocal.clip %[[NORM]], %[[COUNT]], %[[HYPER]]
// CHECK-NEXT:    bifocal.adam %[[FACTOR]], %[[HYPER]] of [@w] clear_gradients
// CHECK-NEXT:    return %[[NORM]]

// CHECK-NOT:   @loss
func.func @loss(%ids: tensor<?x?xi32> {bifocal.name = "ids", bifocal.dims = ["B", "T"]},
                %target: tensor<?x?xi32> {bifocal.name = "target", bifocal.dims = ["B", "T"]})
    -> (tensor<f32> {bifocal.name = "loss"}, tensor<f32> {bifocal.name = "count"})
    attributes {bifocal.train = {optimizer = "adam", beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.1 : f32}} {
  %table = bifocal.param_ref @table : tensor<9x4xf32>
  %w = bifocal.param_ref @w : tensor<4x4xf32>
  %x = bifocal.embedding %ids, %table : (tensor<?x?xi32>, tensor<9x4xf32>) -> tensor<?x?x4xf32>
  %logits = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<4x4xf32>) -> tensor<?x?x4xf32>
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x?x4xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %loss, %count : tensor<f32>, tensor<f32>
}

// -----

bifocal.param @table : tensor<9x4xf32> init {kind = "zeros"}

// One table reads ids twice and projects: each scatter starts from the sum so far, and one gradient is stored.

// CHECK-LABEL: func.func @train_step
// CHECK:         %[[DTABLE:.+]] = bifocal.linear_weight_grad
// CHECK-NOT:     bifocal.store_gradient
// CHECK:         %[[FIRST:.+]] = bifocal.embedding_grad %{{.+}}, %{{.+}} initial %[[DTABLE]]
// CHECK-NEXT:    %[[BOTH:.+]] = bifocal.embedding_grad %{{.+}}, %{{.+}} initial %[[FIRST]]
// CHECK-NEXT:    bifocal.store_gradient %[[BOTH]] into @table
// CHECK-NOT:     bifocal.store_gradient
// CHECK:         return
func.func @loss(%ids: tensor<?x?xi32> {bifocal.name = "ids"}, %more: tensor<?x?xi32> {bifocal.name = "more"},
                %target: tensor<?x?xi32> {bifocal.name = "target"})
    -> (tensor<f32> {bifocal.name = "loss"}, tensor<f32> {bifocal.name = "count"})
    attributes {bifocal.train = {optimizer = "adam", beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.1 : f32}} {
  %table = bifocal.param_ref @table : tensor<9x4xf32>
  %x = bifocal.embedding %ids, %table : (tensor<?x?xi32>, tensor<9x4xf32>) -> tensor<?x?x4xf32>
  %y = bifocal.embedding %more, %table : (tensor<?x?xi32>, tensor<9x4xf32>) -> tensor<?x?x4xf32>
  %s = bifocal.add %x, %y : tensor<?x?x4xf32>
  %again = bifocal.param_ref @table : tensor<9x4xf32>
  %logits = bifocal.linear %s, %again : (tensor<?x?x4xf32>, tensor<9x4xf32>) -> tensor<?x?x9xf32>
  %loss, %nll, %count = bifocal.cross_entropy %logits, %target {ignore_index = 1 : i32}
      : (tensor<?x?x9xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %loss, %count : tensor<f32>, tensor<f32>
}

// -----

// A function on its own: gradients of the results come in, gradients of the float arguments go out.

// CHECK-LABEL: func.func @sublayer(
// CHECK-NOT:     bifocal.gradient
// CHECK-LABEL: func.func @sublayer_gradient
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<?x4xf32> {bifocal.dims = ["N", ""], bifocal.name = "x"}
// CHECK-SAME:    %[[RNG:[a-z0-9]+]]: tensor<2xi64>
// CHECK-SAME:    %[[DY:[a-z0-9]+]]: tensor<?x4xf32> {bifocal.dims = ["N", ""], bifocal.name = "y_grad"}
// CHECK-SAME:    -> (tensor<?x4xf32> {bifocal.dims = ["N", ""], bifocal.name = "y"}, tensor<?x4xf32> {bifocal.dims = ["N", ""], bifocal.name = "x_grad"})
// CHECK:         %[[R:.+]] = bifocal.relu %[[X]]
// CHECK:         %[[D:.+]] = bifocal.dropout %[[R]], %[[RNG]]
// CHECK:         %[[Y:.+]] = bifocal.add %[[X]], %[[D]]
// The mask is drawn again from the same site.
// CHECK:         %[[DD:.+]] = bifocal.dropout %[[DY]], %[[RNG]] {rate = 5.000000e-01 : f32, site = 7 : i32}
// CHECK:         %[[DR:.+]] = bifocal.relu_grad %[[DD]], %[[R]]
// The last reader's contribution comes first.
// CHECK:         %[[DX:.+]] = bifocal.add %[[DY]], %[[DR]]
// CHECK:         return %[[Y]], %[[DX]]
func.func @sublayer(%x: tensor<?x4xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}, %rng: tensor<2xi64> {bifocal.name = "rng"})
    -> (tensor<?x4xf32> {bifocal.name = "y", bifocal.dims = ["N", ""]}) attributes {bifocal.gradient} {
  %r = bifocal.relu %x : tensor<?x4xf32>
  %d = bifocal.dropout %r, %rng {rate = 0.5 : f32, site = 7 : i32} : (tensor<?x4xf32>, tensor<2xi64>) -> tensor<?x4xf32>
  %y = bifocal.add %x, %d : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Entry points that do not train stay as they are.

// CHECK-LABEL: func.func @keeps_other_functions
// CHECK-NEXT:    bifocal.relu
// CHECK-NEXT:    return
// CHECK-NOT:   func.func
func.func @keeps_other_functions(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = bifocal.relu %x : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
