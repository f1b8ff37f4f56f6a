// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-fuse-taps-into-conv=remarks=true | FileCheck %s

// The convolution normalises and drops the taps while it loads them; the site keeps the draws.

// CHECK-LABEL: func @folds_softmax_and_dropout_of_light_conv
// CHECK-SAME:    %[[X:.+]]: tensor<?x?x8xf32>, %[[TAPS:.+]]: tensor<2x1x3xf32>, %[[RNG:.+]]: tensor<2xi64>
// CHECK-NEXT:    bifocal.light_conv %[[X]], %[[TAPS]] rng %[[RNG]] normalized
// CHECK-SAME:    drop_rate = 1.000000e-01 : f32
// CHECK-SAME:    site = 3 : i32
func.func @folds_softmax_and_dropout_of_light_conv(%x: tensor<?x?x8xf32>, %taps: tensor<2x1x3xf32>, %rng: tensor<2xi64>)
    -> tensor<?x?x8xf32> {
  %w = bifocal.softmax %taps {group = 3 : i64} : (tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  %d = bifocal.dropout %w, %rng {rate = 0.1 : f32, site = 3 : i32} : (tensor<2x1x3xf32>, tensor<2xi64>) -> tensor<2x1x3xf32>
  // expected-remark@+1 {{fused: softmax and dropout of 3 taps}}
  %y = bifocal.light_conv %x, %d {left_padding = 1 : i64} : (tensor<?x?x8xf32>, tensor<2x1x3xf32>) -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

// CHECK-LABEL: func @folds_softmax_of_dynamic_conv
// CHECK-NOT:     bifocal.softmax
// CHECK:         bifocal.dynamic_conv %{{.+}}, %{{.+}} normalized {{{.*}}heads = 2
func.func @folds_softmax_of_dynamic_conv(%x: tensor<?x?x8xf32>, %taps: tensor<?x?x6xf32>) -> tensor<?x?x8xf32> {
  %w = bifocal.softmax %taps {group = 3 : i64} : (tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
  // expected-remark@+1 {{fused: softmax of 3 taps}}
  %y = bifocal.dynamic_conv %x, %w {heads = 2 : i64, left_padding = 2 : i64} : (tensor<?x?x8xf32>, tensor<?x?x6xf32>) -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

// Taps that are not normalised may still be dropped.

// CHECK-LABEL: func @folds_dropout_alone
// CHECK-NOT:     bifocal.dropout
// CHECK:         bifocal.light_conv %{{.+}}, %{{.+}} rng %{{.+}} {drop_rate
func.func @folds_dropout_alone(%x: tensor<?x?x8xf32>, %taps: tensor<2x1x3xf32>, %rng: tensor<2xi64>) -> tensor<?x?x8xf32> {
  %d = bifocal.dropout %taps, %rng {rate = 0.1 : f32, site = 3 : i32} : (tensor<2x1x3xf32>, tensor<2xi64>) -> tensor<2x1x3xf32>
  // expected-remark@+1 {{fused: dropout of 3 taps}}
  %y = bifocal.light_conv %x, %d {left_padding = 1 : i64} : (tensor<?x?x8xf32>, tensor<2x1x3xf32>) -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

// A second reader keeps the softmax: fusing would compute it twice.

// CHECK-LABEL: func @keeps_softmax_with_second_reader
// CHECK:         bifocal.softmax
// CHECK-NOT:     normalized
func.func @keeps_softmax_with_second_reader(%x: tensor<?x?x8xf32>, %taps: tensor<2x1x3xf32>)
    -> (tensor<?x?x8xf32>, tensor<2x1x3xf32>) {
  %w = bifocal.softmax %taps {group = 3 : i64} : (tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  // expected-remark@+1 {{not fused: second reader of the taps: 'func.return' at}}
  %y = bifocal.light_conv %x, %w {left_padding = 1 : i64} : (tensor<?x?x8xf32>, tensor<2x1x3xf32>) -> tensor<?x?x8xf32>
  return %y, %w : tensor<?x?x8xf32>, tensor<2x1x3xf32>
}

// -----

// A softmax over all heads at once is not the one that the convolution takes.

// CHECK-LABEL: func @keeps_softmax_over_other_groups
// CHECK:         bifocal.softmax
// CHECK-NOT:     normalized
func.func @keeps_softmax_over_other_groups(%x: tensor<?x?x8xf32>, %taps: tensor<?x?x6xf32>) -> tensor<?x?x8xf32> {
  %w = bifocal.softmax %taps {group = 6 : i64} : (tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
  // expected-remark@+1 {{not fused: the softmax has groups of 6, a filter has 3 taps}}
  %y = bifocal.dynamic_conv %x, %w {heads = 2 : i64, left_padding = 2 : i64} : (tensor<?x?x8xf32>, tensor<?x?x6xf32>) -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

// Dropping before the softmax is another function.

// CHECK-LABEL: func @keeps_softmax_behind_dropout
// CHECK:         bifocal.dropout
// CHECK:         bifocal.light_conv {{.*}} normalized
func.func @keeps_softmax_behind_dropout(%x: tensor<?x?x8xf32>, %taps: tensor<2x1x3xf32>, %rng: tensor<2xi64>) -> tensor<?x?x8xf32> {
  %d = bifocal.dropout %taps, %rng {rate = 0.1 : f32, site = 3 : i32} : (tensor<2x1x3xf32>, tensor<2xi64>) -> tensor<2x1x3xf32>
  %w = bifocal.softmax %d {group = 3 : i64} : (tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  // expected-remark@+1 {{fused: softmax of 3 taps}}
  %y = bifocal.light_conv %x, %w {left_padding = 1 : i64} : (tensor<?x?x8xf32>, tensor<2x1x3xf32>) -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

bifocal.state @cache : tensor<3x?x8xf32> dims ["", "R", ""]

// A decoding step normalises the taps as the training graph does.

// CHECK-LABEL: func @folds_softmax_of_a_decoding_step
// CHECK-NOT:     bifocal.softmax
// CHECK:         bifocal.light_conv_step {{.*}} normalized
func.func @folds_softmax_of_a_decoding_step(%x: tensor<?x8xf32>, %taps: tensor<2x1x3xf32>, %ancestors: tensor<?x?xi32>,
                                            %step: tensor<i32>) -> tensor<?x8xf32> {
  %w = bifocal.softmax %taps {group = 3 : i64} : (tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  // expected-remark@+1 {{fused: softmax of 3 taps}}
  %y = bifocal.light_conv_step %x, %w cache @cache ancestors %ancestors step %step
      : (tensor<?x8xf32>, tensor<2x1x3xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
