// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-fuse-optimizer=remarks=true | FileCheck %s

bifocal.param @a : tensor<4xf32> init {kind = "zeros"}
bifocal.param @b : tensor<8xf32> init {kind = "zeros"}

// CHECK-LABEL: func @folds_equal_updates
// CHECK:         bifocal.adam %{{.+}}, %{{.+}} of [@a, @b]
// CHECK-NOT:     bifocal.adam
func.func @folds_equal_updates(%factor: tensor<f32>, %hyper: tensor<4xf32>) {
  // expected-remark@+1 {{fused: updates of 2 parameters}}
  bifocal.adam %factor, %hyper of [@a] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  bifocal.adam %factor, %hyper of [@b] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @a : tensor<4xf32> init {kind = "zeros"}
bifocal.param @b : tensor<8xf32> init {kind = "zeros"}

// Vectors are often trained without decay.

// CHECK-LABEL: func @keeps_updates_with_other_decay
// CHECK:         bifocal.adam %{{.+}}, %{{.+}} of [@a]
// CHECK:         bifocal.adam %{{.+}}, %{{.+}} of [@b]
func.func @keeps_updates_with_other_decay(%factor: tensor<f32>, %hyper: tensor<4xf32>) {
  bifocal.adam %factor, %hyper of [@a] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.1 : f32} : tensor<f32>, tensor<4xf32>
  // expected-remark@+1 {{not fused: other factor, hyperparameters or attributes than 'bifocal.adam' at}}
  bifocal.adam %factor, %hyper of [@b] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @a : tensor<4xf32> init {kind = "zeros"}
bifocal.param @b : tensor<8xf32> init {kind = "zeros"}

// The reference sees @b before its update.

// CHECK-LABEL: func @keeps_updates_around_a_reader
// CHECK:         bifocal.adam %{{.+}}, %{{.+}} of [@a]
// CHECK:         bifocal.param_ref @b
// CHECK:         bifocal.adam %{{.+}}, %{{.+}} of [@b]
func.func @keeps_updates_around_a_reader(%factor: tensor<f32>, %hyper: tensor<4xf32>) -> tensor<8xf32> {
  bifocal.adam %factor, %hyper of [@a] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  %b = bifocal.param_ref @b : tensor<8xf32>
  // expected-remark@+1 {{not fused: 'bifocal.param_ref' at}}
  bifocal.adam %factor, %hyper of [@b] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return %b : tensor<8xf32>
}

// -----

bifocal.param @a : tensor<4xf32> init {kind = "zeros"}
bifocal.param @b : tensor<8xf32> init {kind = "zeros"}

// Every optimizer; one does not continue another.

// CHECK-LABEL: func @folds_updates_of_one_optimizer
// CHECK:         bifocal.nag %{{.+}}, %{{.+}} of [@a, @b]
// CHECK-NEXT:    bifocal.sgd %{{.+}}, %{{.+}} of [@a]
// CHECK-NEXT:    return
func.func @folds_updates_of_one_optimizer(%factor: tensor<f32>, %hyper: tensor<4xf32>) {
  // expected-remark@+1 {{fused: updates of 2 parameters}}
  bifocal.nag %factor, %hyper of [@a] {momentum = 0.9 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  bifocal.nag %factor, %hyper of [@b] {momentum = 0.9 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  // expected-remark@+1 {{not fused: other factor, hyperparameters or attributes}}
  bifocal.sgd %factor, %hyper of [@a] {momentum = 0.9 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}
