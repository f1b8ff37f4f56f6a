// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-recompute=remarks=true | FileCheck %s

// The gradient of the layer norm reads the sum anyway; only the weight's gradient reads the norm.

// CHECK-LABEL: func @norm_of_a_kept_sum
// CHECK-SAME:    %[[X:.+]]: tensor<?x4xf32>, %[[Y:.+]]: tensor<?x4xf32>, %[[S:[^:]+]]: tensor<4xf32>
// CHECK:         %[[FORWARD:.+]]:4 = bifocal.map
// CHECK:           bifocal.dropout
// CHECK:         bifocal.projected_cross_entropy %[[FORWARD]]#1
// CHECK-NEXT:    %[[AGAIN:.+]] = bifocal.map (%[[SUM:.+]] = %[[FORWARD]]#0 : {{.+}} = %[[S]] : {{.+}}) -> tensor<?x4xf32> {
// CHECK-NEXT:      %[[N:.+]], %{{.+}}, %{{.+}} = bifocal.layer_norm %[[SUM]]
// CHECK-NEXT:      bifocal.yield %[[N]]
// CHECK:         bifocal.linear_weight_grad %{{.+}}, %[[AGAIN]]
// CHECK:         bifocal.layer_norm_grad %{{.+}}, %[[FORWARD]]#0
func.func @norm_of_a_kept_sum(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>, %s: tensor<4xf32>, %g: tensor<2xi64>, %w: tensor<9x4xf32>,
    %targets: tensor<?xi32>) -> (tensor<9x4xf32>, tensor<?x4xf32>) {
  // expected-remark@+2 {{not computed again: 'bifocal.dropout' at}}
  // expected-remark@+1 {{computed again: for 'bifocal.linear_weight_grad' at}}
  %sum, %n, %mean, %rstd = bifocal.map (%a = %x : tensor<?x4xf32>, %b = %y : tensor<?x4xf32>, %c = %s : tensor<4xf32>, %r = %g : tensor<2xi64>)
      -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xf32>, tensor<?xf32>) {
    %dropped = bifocal.dropout %b, %r {rate = 0.1 : f32, site = 0 : i32} : (tensor<?x4xf32>, tensor<2xi64>) -> tensor<?x4xf32>
    %add = bifocal.add %a, %dropped : tensor<?x4xf32>
    %norm, %m, %rs = bifocal.layer_norm %add, %c, %c : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x4xf32>, tensor<?xf32>, tensor<?xf32>)
    bifocal.yield %add, %norm, %m, %rs : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xf32>, tensor<?xf32>
  }
  %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %n, %w, %targets {ignore_index = 1 : i32}
      : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>)
  %dw = bifocal.linear_weight_grad %grads#0, %n : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
  %dsum, %ds, %db = bifocal.layer_norm_grad %grads#0, %sum, %s, %mean, %rstd
      : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?xf32>, tensor<?xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %grads#1, %dsum : tensor<9x4xf32>, tensor<?x4xf32>
}

// -----

// The gradient of the gated linear unit reads the sums anyway.

// CHECK-LABEL: func @glu_of_kept_sums
// CHECK:         %{{.+}}, %[[SUMS:.+]] = bifocal.linear
// CHECK:         bifocal.projected_cross_entropy
// CHECK-NEXT:    %[[AGAIN:.+]] = bifocal.glu %[[SUMS]]
// CHECK-NEXT:    bifocal.linear_weight_grad %{{.+}}, %[[AGAIN]]
// CHECK-NEXT:    bifocal.glu_grad %{{.+}}, %[[SUMS]]
func.func @glu_of_kept_sums(%x: tensor<?x4xf32>, %v: tensor<8x4xf32>, %w: tensor<9x4xf32>, %targets: tensor<?xi32>) -> (tensor<4x4xf32>, tensor<?x8xf32>) {
  // expected-remark@+1 {{computed again: for 'bifocal.linear_weight_grad' at}}
  %y, %sums = bifocal.linear %x, %v activation glu : (tensor<?x4xf32>, tensor<8x4xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>)
  %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %y, %w, %targets {ignore_index = 1 : i32}
      : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>)
  %dw = bifocal.linear_weight_grad %grads#0, %y : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
  %dsums = bifocal.glu_grad %grads#0, %sums : (tensor<?x4xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %dw, %dsums : tensor<4x4xf32>, tensor<?x8xf32>
}

// -----

// Nothing reads what the sum is made of that late: making it again would keep two tensors instead of one.

// CHECK-LABEL: func @keeps_a_sum_of_what_dies
// CHECK:         %[[SUM:.+]] = bifocal.add
// CHECK:         bifocal.projected_cross_entropy
// CHECK-NEXT:    bifocal.linear_weight_grad %{{.+}}, %[[SUM]]
func.func @keeps_a_sum_of_what_dies(%x: tensor<?x4xf32>, %v: tensor<4x4xf32>, %w: tensor<9x4xf32>, %targets: tensor<?xi32>) -> tensor<4x4xf32> {
  %y = bifocal.linear %x, %v : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  // expected-remark@+1 {{not computed again: nothing else reads an operand as late as 'bifocal.linear_weight_grad' at}}
  %sum = bifocal.add %x, %y : tensor<?x4xf32>
  %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %sum, %w, %targets {ignore_index = 1 : i32}
      : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>)
  %dw = bifocal.linear_weight_grad %grads#0, %sum : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
  return %dw : tensor<4x4xf32>
}

// -----

// A dropout would draw its mask a third time.

// CHECK-LABEL: func @keeps_what_was_dropped
// CHECK:         %[[D:.+]] = bifocal.dropout
// CHECK:         bifocal.projected_cross_entropy
// CHECK-NEXT:    bifocal.linear_weight_grad %{{.+}}, %[[D]]
func.func @keeps_what_was_dropped(%x: tensor<?x4xf32>, %g: tensor<2xi64>, %w: tensor<9x4xf32>, %targets: tensor<?xi32>) -> tensor<4x4xf32> {
  // expected-remark@+1 {{not computed again: 'bifocal.dropout' at}}
  %d = bifocal.dropout %x, %g {rate = 0.1 : f32, site = 0 : i32} : (tensor<?x4xf32>, tensor<2xi64>) -> tensor<?x4xf32>
  %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %d, %w, %targets {ignore_index = 1 : i32}
      : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>)
  %dw = bifocal.linear_weight_grad %grads#0, %d : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
  return %dw : tensor<4x4xf32>
}

// -----

// Ops that no map holds. The norm stays, since what it is made of is made again already.

// CHECK-LABEL: func @gates_of_an_argument
// CHECK-SAME:    %[[SUMS:.+]]: tensor<?x8xf32>, %[[S:[^:]+]]: tensor<4xf32>
// CHECK:         %[[N:.+]], %{{.+}}, %{{.+}} = bifocal.layer_norm
// CHECK:         bifocal.projected_cross_entropy
// CHECK-NEXT:    %[[GATES:.+]] = bifocal.map (%[[A:.+]] = %[[SUMS]] : {{.+}}) -> tensor<?x4xf32> {
// CHECK-NEXT:      bifocal.glu %[[A]]
// CHECK:         bifocal.linear_weight_grad %{{.+}}, %[[GATES]]
// CHECK-NEXT:    bifocal.linear_weight_grad %{{.+}}, %[[N]]
func.func @gates_of_an_argument(%sums: tensor<?x8xf32>, %s: tensor<4xf32>, %w: tensor<9x4xf32>, %targets: tensor<?xi32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  // expected-remark@+1 {{computed again: for 'bifocal.linear_weight_grad' at}}
  %y = bifocal.glu %sums : (tensor<?x8xf32>) -> tensor<?x4xf32>
  // expected-remark@+1 {{not computed again: nothing else reads an operand as late as 'bifocal.linear_weight_grad' at}}
  %n, %mean, %rstd = bifocal.layer_norm %y, %s, %s : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x4xf32>, tensor<?xf32>, tensor<?xf32>)
  %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %n, %w, %targets {ignore_index = 1 : i32}
      : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>)
  %dv = bifocal.linear_weight_grad %grads#0, %y : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
  %dw = bifocal.linear_weight_grad %grads#0, %n : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
  return %dv, %dw : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// The norm is made from the sum, so the sum lives on, although it could be made again itself.

// CHECK-LABEL: func @keeps_what_a_recipe_reads
// CHECK:         %[[FORWARD:.+]]:2 = bifocal.map
// CHECK:         bifocal.projected_cross_entropy
// CHECK-NEXT:    %[[NORM:.+]] = bifocal.map (%{{.+}} = %[[FORWARD]]#1 : {{.+}}) -> tensor<?x4xf32> {
// CHECK:         bifocal.linear_weight_grad %{{.+}}, %[[NORM]]
// CHECK-NEXT:    bifocal.linear_weight_grad %{{.+}}, %[[FORWARD]]#1
func.func @keeps_what_a_recipe_reads(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>, %s: tensor<4xf32>, %w: tensor<9x4xf32>, %targets: tensor<?xi32>)
    -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  // expected-remark@+1 {{computed again: for 'bifocal.linear_weight_grad' at}}
  %n, %sum = bifocal.map (%a = %x : tensor<?x4xf32>, %b = %y : tensor<?x4xf32>, %c = %s : tensor<4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
    %add = bifocal.add %a, %b : tensor<?x4xf32>
    %norm, %m, %rs = bifocal.layer_norm %add, %c, %c : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x4xf32>, tensor<?xf32>, tensor<?xf32>)
    bifocal.yield %norm, %add : tensor<?x4xf32>, tensor<?x4xf32>
  }
  %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %n, %w, %targets {ignore_index = 1 : i32}
      : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>)
  %dw = bifocal.linear_weight_grad %grads#0, %n : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
  %dv = bifocal.linear_weight_grad %grads#0, %sum : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
  return %dw, %dv : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// A loss that is only measured has no backward pass, and who returns a value reads it where it is.

// CHECK-LABEL: func @keeps_what_is_returned
// CHECK:         %[[N:.+]], %{{.+}}, %{{.+}} = bifocal.layer_norm
// CHECK:         bifocal.projected_cross_entropy %[[N]]
// CHECK-NEXT:    return %{{.+}}, %[[N]]
func.func @keeps_what_is_returned(%x: tensor<?x4xf32>, %s: tensor<4xf32>, %w: tensor<9x4xf32>, %targets: tensor<?xi32>) -> (tensor<f32>, tensor<?x4xf32>) {
  %n, %mean, %rstd = bifocal.layer_norm %x, %s, %s : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x4xf32>, tensor<?xf32>, tensor<?xf32>)
  %loss, %nll, %count = bifocal.projected_cross_entropy %n, %w, %targets {ignore_index = 1 : i32}
      : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %loss, %n : tensor<f32>, tensor<?x4xf32>
}

// -----

// Without a loss there is no backward pass behind it.

// CHECK-LABEL: func @keeps_without_a_loss
// CHECK:         %[[N:.+]], %{{.+}}, %{{.+}} = bifocal.layer_norm
// CHECK-NEXT:    bifocal.linear_weight_grad %{{.+}}, %[[N]]
func.func @keeps_without_a_loss(%x: tensor<?x4xf32>, %s: tensor<4xf32>) -> tensor<4x4xf32> {
  %n, %mean, %rstd = bifocal.layer_norm %x, %s, %s : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x4xf32>, tensor<?xf32>, tensor<?xf32>)
  %dw = bifocal.linear_weight_grad %x, %n : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
  return %dw : tensor<4x4xf32>
}

// -----

// CHECK-LABEL: func @attention_again
// CHECK-SAME:    %[[Q:.+]]: tensor<?x?x8xf32>, %{{.+}}: tensor<9x8xf32>
// CHECK:         %[[O:.+]], %[[LSE:.+]] = bifocal.attention %[[Q]], %[[Q]], %[[Q]] {
// CHECK:         bifocal.projected_cross_entropy %[[O]]
// CHECK-NEXT:    %[[AGAIN:.+]], %{{.+}} = bifocal.attention %[[Q]], %[[Q]], %[[Q]] {
// CHECK-NEXT:    bifocal.linear_weight_grad %{{.+}}, %[[AGAIN]]
// CHECK-NEXT:    bifocal.attention_grad %{{.+}}, %[[Q]], %[[Q]], %[[Q]], %[[AGAIN]], %[[LSE]]
module attributes {bifocal.training = {recompute = "attention"}} {
  func.func @attention_again(%q: tensor<?x?x8xf32>, %w: tensor<9x8xf32>, %targets: tensor<?x?xi32>) -> (tensor<8x8xf32>, tensor<?x?x8xf32>) {
    // expected-remark@+1 {{computed again: for 'bifocal.linear_weight_grad' at}}
    %o, %lse = bifocal.attention %q, %q, %q {heads = 2 : i64, scale = 0.5 : f32} : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x8xf32>, tensor<?x2x?xf32>)
    %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %o, %w, %targets {ignore_index = 1 : i32}
        : (tensor<?x?x8xf32>, tensor<9x8xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x?x8xf32>, tensor<9x8xf32>)
    %dw = bifocal.linear_weight_grad %grads#0, %o : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<8x8xf32>
    %dq, %dk, %dv = bifocal.attention_grad %grads#0, %q, %q, %q, %o, %lse {heads = 2 : i64, scale = 0.5 : f32}
        : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x2x?xf32>) -> (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>)
    return %dw, %dq : tensor<8x8xf32>, tensor<?x?x8xf32>
  }
}

// -----

// CHECK-LABEL: func @keeps_all_when_told_so
// CHECK:         %[[Y:.+]], %{{.+}} = bifocal.linear
// CHECK:         bifocal.projected_cross_entropy
// CHECK-NEXT:    bifocal.linear_weight_grad %{{.+}}, %[[Y]]
module attributes {bifocal.training = {recompute = "none"}} {
  func.func @keeps_all_when_told_so(%x: tensor<?x4xf32>, %v: tensor<8x4xf32>, %w: tensor<9x4xf32>, %targets: tensor<?xi32>) -> (tensor<4x4xf32>, tensor<?x8xf32>) {
    %y, %sums = bifocal.linear %x, %v activation glu : (tensor<?x4xf32>, tensor<8x4xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>)
    %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %y, %w, %targets {ignore_index = 1 : i32}
        : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>)
    %dw = bifocal.linear_weight_grad %grads#0, %y : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
    %dsums = bifocal.glu_grad %grads#0, %sums : (tensor<?x4xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
    return %dw, %dsums : tensor<4x4xf32>, tensor<?x8xf32>
  }
}

// -----

// expected-error@+1 {{expects `recompute` in 'bifocal.training' to be "none", "rows" or "attention", but got "all"}}
module attributes {bifocal.training = {recompute = "all"}} {
  func.func @expects_a_known_setting() {
    return
  }
}

// -----

// expected-error@+1 {{expects `recompute` in 'bifocal.training' to be "none", "rows" or "attention", but got 1 : i64}}
module attributes {bifocal.training = {recompute = 1 : i64}} {
}

// -----

// A function without a body is left alone.

// CHECK-LABEL: func private @elsewhere
func.func private @elsewhere(tensor<4xf32>)

// -----

// A part is a view of the norm: backward takes its own of the norm that it makes again.

// CHECK-LABEL: func @norm_of_which_parts_are_read
// CHECK:         bifocal.projected_cross_entropy
// CHECK-NEXT:    %[[AGAIN:.+]] = bifocal.map
// CHECK:           bifocal.layer_norm
// CHECK:         %[[PARTS:.+]]:2 = bifocal.split %[[AGAIN]]
// CHECK-NEXT:    bifocal.linear_weight_grad %{{.+}}, %[[PARTS]]#1
func.func @norm_of_which_parts_are_read(%x: tensor<?x4xf32>, %s: tensor<4xf32>, %v: tensor<4x2xf32>, %w: tensor<9x4xf32>, %targets: tensor<?xi32>)
    -> (tensor<4x2xf32>, tensor<?x4xf32>) {
  // expected-remark@+2 {{computed again: for 'bifocal.layer_norm_grad' at}}
  // expected-remark@+1 {{computed again: for 'bifocal.split' at}}
  %sum, %n, %mean, %rstd = bifocal.map (%a = %x : tensor<?x4xf32>, %c = %s : tensor<4xf32>)
      -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xf32>, tensor<?xf32>) {
    %add = bifocal.add %a, %a : tensor<?x4xf32>
    %norm, %m, %rs = bifocal.layer_norm %add, %c, %c : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x4xf32>, tensor<?xf32>, tensor<?xf32>)
    bifocal.yield %add, %norm, %m, %rs : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xf32>, tensor<?xf32>
  }
  %p, %q = bifocal.split %n : (tensor<?x4xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>)
  %h = bifocal.linear %q, %v : (tensor<?x2xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %h, %w, %targets {ignore_index = 1 : i32}
      : (tensor<?x4xf32>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x4xf32>, tensor<9x4xf32>)
  %dv = bifocal.linear_weight_grad %grads#0, %q : (tensor<?x4xf32>, tensor<?x2xf32>) -> tensor<4x2xf32>
  %dsum, %ds, %db = bifocal.layer_norm_grad %grads#0, %sum, %s, %mean, %rstd
      : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?xf32>, tensor<?xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %dv, %dsum : tensor<4x2xf32>, tensor<?x4xf32>
}
