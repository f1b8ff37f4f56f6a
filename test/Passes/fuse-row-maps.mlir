// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-fuse-row-maps=remarks=true | FileCheck %s

// The end of a sublayer: the product is the input of one map that does the rest; its bias goes into the map.

// CHECK-LABEL: func @folds_end_of_sublayer
// CHECK:         %[[SUMS:.+]] = bifocal.linear %{{.+}}, %{{.+}} : (tensor<?x?x8xf32>, tensor<4x8xf32>)
// CHECK-NEXT:    %[[OUT:.+]] = bifocal.map (%[[IN:.+]] = %[[SUMS]] :
// CHECK-NEXT:      %[[A:.+]] = bifocal.add_bias %[[IN]]
// CHECK-NEXT:      %[[D:.+]] = bifocal.dropout %[[A]], %{{.+}} {rate = 3.000000e-01 : f32, site = 5 : i32}
// CHECK-NEXT:      %[[S:.+]] = bifocal.add %{{.+}}, %[[D]]
// CHECK-NEXT:      %[[Y:.+]], %{{.+}}, %{{.+}} = bifocal.layer_norm %[[S]]
// CHECK-NEXT:      bifocal.yield %[[Y]] :
// CHECK:         return %[[OUT]]
func.func @folds_end_of_sublayer(%x: tensor<?x?x8xf32>, %w: tensor<4x8xf32>, %b: tensor<4xf32>, %residual: tensor<?x?x4xf32>,
                                 %scale: tensor<4xf32>, %shift: tensor<4xf32>, %rng: tensor<2xi64>) -> tensor<?x?x4xf32> {
  // expected-remark@+1 {{fused: add_bias, dropout, add, layer_norm}}
  %l = bifocal.linear %x, %w bias %b : (tensor<?x?x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x?x4xf32>
  %d = bifocal.dropout %l, %rng {rate = 0.3 : f32, site = 5 : i32} : (tensor<?x?x4xf32>, tensor<2xi64>) -> tensor<?x?x4xf32>
  %s = bifocal.add %residual, %d : tensor<?x?x4xf32>
  %y, %mean, %rstd = bifocal.layer_norm %s, %scale, %shift : (tensor<?x?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x?x4xf32>, tensor<?x?xf32>, tensor<?x?xf32>)
  return %y : tensor<?x?x4xf32>
}

// -----

// What others read becomes a result of the map.

// CHECK-LABEL: func @keeps_values_that_others_read
// CHECK:         %[[OUT:.+]]:2 = bifocal.map
// CHECK:           %[[S:.+]] = bifocal.add
// CHECK:           %[[R:.+]] = bifocal.relu %[[S]]
// CHECK:           bifocal.yield %[[S]], %[[R]]
// CHECK:         return %[[OUT]]#0, %[[OUT]]#1
func.func @keeps_values_that_others_read(%x: tensor<?x?x4xf32>, %y: tensor<?x?x4xf32>) -> (tensor<?x?x4xf32>, tensor<?x?x4xf32>) {
  // expected-remark@+1 {{fused: add, relu}}
  %s = bifocal.add %x, %y : tensor<?x?x4xf32>
  %r = bifocal.relu %s : tensor<?x?x4xf32>
  return %s, %r : tensor<?x?x4xf32>, tensor<?x?x4xf32>
}

// -----

// Token and position rows, their sum and its dropout.

// CHECK-LABEL: func @folds_embeddings
// CHECK:         bifocal.map
// CHECK-NEXT:      bifocal.embedding
// CHECK-NEXT:      bifocal.embedding
// CHECK-NEXT:      bifocal.add
// CHECK-NEXT:      bifocal.dropout
func.func @folds_embeddings(%source: tensor<?x?xi32>, %positions: tensor<?x?xi32>, %table: tensor<9x4xf32>,
                            %places: tensor<20x4xf32>, %rng: tensor<2xi64>) -> tensor<?x?x4xf32> {
  // expected-remark@+1 {{fused: embedding, embedding, add, dropout}}
  %e = bifocal.embedding %source, %table {scale = 2.0 : f32, pad = 1 : i32} : (tensor<?x?xi32>, tensor<9x4xf32>) -> tensor<?x?x4xf32>
  %p = bifocal.embedding %positions, %places : (tensor<?x?xi32>, tensor<20x4xf32>) -> tensor<?x?x4xf32>
  %s = bifocal.add %e, %p : tensor<?x?x4xf32>
  %d = bifocal.dropout %s, %rng {rate = 0.3 : f32, site = 0 : i32} : (tensor<?x?x4xf32>, tensor<2xi64>) -> tensor<?x?x4xf32>
  return %d : tensor<?x?x4xf32>
}

// -----

// Backward of a sublayer's end: the sum of two gradients, the norm's gradient, the mask and the gradient of the bias.

// CHECK-LABEL: func @folds_backward_of_sublayer
// CHECK:         %{{.+}}:5 = bifocal.map
// CHECK-NEXT:      bifocal.add
// CHECK-NEXT:      bifocal.layer_norm_grad
// CHECK-NEXT:      bifocal.dropout
// CHECK-NEXT:      bifocal.column_sum
func.func @folds_backward_of_sublayer(%g: tensor<?x?x4xf32>, %h: tensor<?x?x4xf32>, %s: tensor<?x?x4xf32>, %scale: tensor<4xf32>,
                                      %mean: tensor<?x?xf32>, %rstd: tensor<?x?xf32>, %rng: tensor<2xi64>)
    -> (tensor<?x?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x?x4xf32>, tensor<4xf32>) {
  // expected-remark@+1 {{fused: add, layer_norm_grad, dropout, column_sum}}
  %sum = bifocal.add %g, %h : tensor<?x?x4xf32>
  %ds, %dscale, %dshift = bifocal.layer_norm_grad %sum, %s, %scale, %mean, %rstd
      : (tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<4xf32>, tensor<?x?xf32>, tensor<?x?xf32>) -> (tensor<?x?x4xf32>, tensor<4xf32>, tensor<4xf32>)
  %d = bifocal.dropout %ds, %rng {rate = 0.3 : f32, site = 5 : i32} : (tensor<?x?x4xf32>, tensor<2xi64>) -> tensor<?x?x4xf32>
  %db = bifocal.column_sum %d : (tensor<?x?x4xf32>) -> tensor<4xf32>
  return %ds, %dscale, %dshift, %d, %db : tensor<?x?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x?x4xf32>, tensor<4xf32>
}

// -----

// Both readers of a linear's result add the bias for themselves: the biased sums never reach memory.

// CHECK-LABEL: func @splits_bias_for_every_reader
// CHECK:         %[[SUMS:.+]] = bifocal.linear %{{.+}}, %{{.+}} : (tensor<?x?x4xf32>, tensor<6x4xf32>)
// CHECK:         bifocal.map ({{.*}} = %[[SUMS]] :
// CHECK-NEXT:      bifocal.add_bias
// CHECK-NEXT:      bifocal.glu
// CHECK-NEXT:      bifocal.mask_padding
// CHECK:         bifocal.light_conv
// CHECK:         bifocal.map ({{.*}} = %[[SUMS]] :
// CHECK:           bifocal.add_bias
// CHECK:           bifocal.glu_grad
func.func @splits_bias_for_every_reader(%x: tensor<?x?x4xf32>, %w: tensor<6x4xf32>, %b: tensor<6xf32>, %mask: tensor<?x?xi1>,
                                        %taps: tensor<1x1x3xf32>) -> tensor<?x?x6xf32> {
  // expected-remark@+1 {{fused: add_bias, glu, mask_padding}}
  %a = bifocal.linear %x, %w bias %b : (tensor<?x?x4xf32>, tensor<6x4xf32>, tensor<6xf32>) -> tensor<?x?x6xf32>
  %y = bifocal.glu %a : (tensor<?x?x6xf32>) -> tensor<?x?x3xf32>
  %m = bifocal.mask_padding %y, %mask : (tensor<?x?x3xf32>, tensor<?x?xi1>) -> tensor<?x?x3xf32>
  // A stand-in for what lies between forward and backward.
  %g = bifocal.light_conv %m, %taps {left_padding = 1 : i64} : (tensor<?x?x3xf32>, tensor<1x1x3xf32>) -> tensor<?x?x3xf32>
  // expected-remark@+1 {{fused: mask_padding, add_bias, glu_grad}}
  %dm = bifocal.mask_padding %g, %mask : (tensor<?x?x3xf32>, tensor<?x?xi1>) -> tensor<?x?x3xf32>
  %da = bifocal.glu_grad %dm, %a : (tensor<?x?x3xf32>, tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
  return %da : tensor<?x?x6xf32>
}

// -----

// The convolution needs the sum as a tensor, with its bias.

// CHECK-LABEL: func @keeps_bias_with_another_reader
// CHECK:         bifocal.linear {{.*}} bias
func.func @keeps_bias_with_another_reader(%x: tensor<?x?x4xf32>, %w: tensor<4x4xf32>, %b: tensor<4xf32>, %taps: tensor<2x1x3xf32>)
    -> tensor<?x?x4xf32> {
  // expected-remark@+1 {{not fused: the bias stays, 'bifocal.light_conv' at}}
  %a = bifocal.linear %x, %w bias %b : (tensor<?x?x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32>
  %c = bifocal.light_conv %a, %taps {left_padding = 1 : i64} : (tensor<?x?x4xf32>, tensor<2x1x3xf32>) -> tensor<?x?x4xf32>
  return %c : tensor<?x?x4xf32>
}

// -----

// A map has one row reduction: the second norm starts anew.

// CHECK-LABEL: func @keeps_second_row_reduction
// CHECK:         bifocal.map
// CHECK-NEXT:      bifocal.add
// CHECK-NEXT:      bifocal.layer_norm
// CHECK-NEXT:      bifocal.yield
// CHECK:         bifocal.layer_norm
func.func @keeps_second_row_reduction(%x: tensor<?x?x4xf32>, %scale: tensor<4xf32>, %shift: tensor<4xf32>) -> tensor<?x?x4xf32> {
  // expected-remark@+1 {{fused: add, layer_norm}}
  %s = bifocal.add %x, %x : tensor<?x?x4xf32>
  %y, %mean, %rstd = bifocal.layer_norm %s, %scale, %shift : (tensor<?x?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x?x4xf32>, tensor<?x?xf32>, tensor<?x?xf32>)
  // expected-remark@+1 {{not fused: second row reduction: 'bifocal.layer_norm' at}}
  %z, %mean2, %rstd2 = bifocal.layer_norm %y, %scale, %shift : (tensor<?x?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x?x4xf32>, tensor<?x?xf32>, tensor<?x?xf32>)
  return %z : tensor<?x?x4xf32>
}

// -----

// The residual comes around the convolution: one map of both sums would need its own result.

// CHECK-LABEL: func @keeps_map_free_of_cycles
// CHECK:         %[[FIRST:.+]] = bifocal.map
// CHECK-NEXT:      bifocal.add
// CHECK-NEXT:      bifocal.relu
// CHECK-NEXT:      bifocal.yield
// CHECK:         %[[CONV:.+]] = bifocal.light_conv %[[FIRST]]
// CHECK-NEXT:    bifocal.add %[[FIRST]], %[[CONV]]
func.func @keeps_map_free_of_cycles(%x: tensor<?x?x4xf32>, %y: tensor<?x?x4xf32>, %taps: tensor<2x1x3xf32>) -> tensor<?x?x4xf32> {
  // expected-remark@+1 {{fused: add, relu}}
  %s = bifocal.add %x, %y : tensor<?x?x4xf32>
  %r = bifocal.relu %s : tensor<?x?x4xf32>
  %c = bifocal.light_conv %r, %taps {left_padding = 1 : i64} : (tensor<?x?x4xf32>, tensor<2x1x3xf32>) -> tensor<?x?x4xf32>
  // expected-remark@+1 {{not fused: a map of both would depend on itself through 'bifocal.light_conv' at}}
  %z = bifocal.add %r, %c : tensor<?x?x4xf32>
  return %z : tensor<?x?x4xf32>
}

// -----

// Two maps must not wait for each other. Taken by itself, each pair of relu and add could be a map; both cannot.

// CHECK-LABEL: func @keeps_two_maps_free_of_cycles
// CHECK:         %[[B:.+]] = bifocal.relu
// CHECK:         %[[CB:.+]] = bifocal.light_conv %[[B]]
// CHECK:         %[[MAP:.+]]:2 = bifocal.map
// CHECK-NEXT:      bifocal.relu
// CHECK-NEXT:      bifocal.add
// CHECK-NEXT:      bifocal.yield
// CHECK:         %[[CA:.+]] = bifocal.light_conv %[[MAP]]#0
// CHECK:         bifocal.add %[[B]], %[[CA]]
func.func @keeps_two_maps_free_of_cycles(%x: tensor<?x?x4xf32>, %y: tensor<?x?x4xf32>, %taps: tensor<2x1x3xf32>)
    -> (tensor<?x?x4xf32>, tensor<?x?x4xf32>) {
  // expected-remark@+1 {{fused: relu, add}}
  %a1 = bifocal.relu %x : tensor<?x?x4xf32>
  %b1 = bifocal.relu %y : tensor<?x?x4xf32>
  %ca = bifocal.light_conv %a1, %taps {left_padding = 1 : i64} : (tensor<?x?x4xf32>, tensor<2x1x3xf32>) -> tensor<?x?x4xf32>
  %cb = bifocal.light_conv %b1, %taps {left_padding = 1 : i64} : (tensor<?x?x4xf32>, tensor<2x1x3xf32>) -> tensor<?x?x4xf32>
  %a2 = bifocal.add %a1, %cb : tensor<?x?x4xf32>
  // expected-remark@+1 {{not fused: a map of both would depend on itself through 'bifocal.light_conv' at}}
  %b2 = bifocal.add %b1, %ca : tensor<?x?x4xf32>
  return %a2, %b2 : tensor<?x?x4xf32>, tensor<?x?x4xf32>
}

// -----

// A sum over all rows is complete only after the last row.

// CHECK-LABEL: func @keeps_reader_of_column_sums
// CHECK:         %[[SUM:.+]] = bifocal.column_sum
// CHECK-NEXT:    bifocal.add_bias %{{.+}}, %[[SUM]]
func.func @keeps_reader_of_column_sums(%x: tensor<?x?x4xf32>) -> tensor<?x?x4xf32> {
  %s = bifocal.column_sum %x : (tensor<?x?x4xf32>) -> tensor<4xf32>
  %y = bifocal.add_bias %x, %s : (tensor<?x?x4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

// Rows of a table are read by id, not in order: the sum of two tables cannot share a map with their reader.

// CHECK-LABEL: func @keeps_sum_of_tables
// CHECK:         bifocal.add
// CHECK:         bifocal.embedding
func.func @keeps_sum_of_tables(%ids: tensor<?x?xi32>, %a: tensor<9x4xf32>, %b: tensor<9x4xf32>) -> tensor<?x?x4xf32> {
  %table = bifocal.add %a, %b : tensor<9x4xf32>
  %e = bifocal.embedding %ids, %table : (tensor<?x?xi32>, tensor<9x4xf32>) -> tensor<?x?x4xf32>
  return %e : tensor<?x?x4xf32>
}

// -----

// An rms_norm of whole rows is a row reduction like any other.

// CHECK-LABEL: func @folds_rms_norm
// CHECK:         bifocal.map
// CHECK:           bifocal.add
// CHECK-NEXT:      bifocal.rms_norm
// CHECK:           bifocal.yield
func.func @folds_rms_norm(%x: tensor<?x?x4xf32>, %r: tensor<?x?x4xf32>, %w: tensor<4xf32>) -> (tensor<?x?x4xf32>, tensor<?x?x4xf32>) {
  // expected-remark@+1 {{fused: add, rms_norm}}
  %s = bifocal.add %x, %r : tensor<?x?x4xf32>
  %y = bifocal.rms_norm %s, %w : (tensor<?x?x4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32>
  return %s, %y : tensor<?x?x4xf32>, tensor<?x?x4xf32>
}

// -----

// One norm per head has rows of its own, shorter than those of its neighbours.

// CHECK-LABEL: func @keeps_rms_norm_of_heads
// CHECK-NOT:     bifocal.map
// CHECK:         bifocal.add
// CHECK-NEXT:    bifocal.rms_norm
func.func @keeps_rms_norm_of_heads(%x: tensor<?x?x4xf32>, %r: tensor<?x?x4xf32>, %w: tensor<2xf32>) -> tensor<?x?x4xf32> {
  %s = bifocal.add %x, %r : tensor<?x?x4xf32>
  %y = bifocal.rms_norm %s, %w {group = 2 : i64} : (tensor<?x?x4xf32>, tensor<2xf32>) -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}
