// RUN: bifocal-opt %s --split-input-file --bifocal-apply-precision=remarks=true --verify-diagnostics | FileCheck %s

// Activations and the state that caches them; parameters and statistics of rows stay as they are.

module attributes {bifocal.training = {precision = "bf16"}} {
  // CHECK: bifocal.param @w : tensor<8x8xf32>
  bifocal.param @w : tensor<8x8xf32> init {kind = "zeros"}
  bifocal.param @s : tensor<8xf32> init {kind = "zeros"}
  bifocal.param @taps : tensor<2x1x3xf32> init {kind = "zeros"}
  // CHECK: bifocal.state @cache : tensor<3x?x8xbf16>
  bifocal.state @cache : tensor<3x?x8xf32> dims ["", "R", ""]
  // CHECK-LABEL: @activations
  func.func @activations(%ids: tensor<?xi32>, %ancestors: tensor<?x?xi32>, %step: tensor<i32>) -> tensor<?xi32> {
    %w = bifocal.param_ref @w : tensor<8x8xf32>
    %s = bifocal.param_ref @s : tensor<8xf32>
    %taps = bifocal.param_ref @taps : tensor<2x1x3xf32>
    // CHECK: bifocal.embedding {{.*}} : (tensor<?xi32>, tensor<8x8xf32>) -> tensor<?x8xbf16>
    %x = bifocal.embedding %ids, %w : (tensor<?xi32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    // CHECK: bifocal.linear {{.*}} : (tensor<?x8xbf16>, tensor<8x8xf32>) -> tensor<?x8xbf16>
    %y = bifocal.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    // CHECK: bifocal.light_conv_step {{.*}} : (tensor<?x8xbf16>, tensor<2x1x3xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x8xbf16>
    %z = bifocal.light_conv_step %y, %taps cache @cache ancestors %ancestors step %step
        : (tensor<?x8xf32>, tensor<2x1x3xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x8xf32>
    // CHECK: bifocal.layer_norm {{.*}} : (tensor<?x8xbf16>, tensor<8xf32>, tensor<8xf32>) -> (tensor<?x8xbf16>, tensor<?xf32>, tensor<?xf32>)
    %n, %mean, %rstd = bifocal.layer_norm %z, %s, %s
        : (tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?xf32>, tensor<?xf32>)
    // CHECK: bifocal.layer_norm_grad {{.*}} -> (tensor<?x8xbf16>, tensor<8xf32>, tensor<8xf32>)
    %dz, %ds, %db = bifocal.layer_norm_grad %n, %z, %s, %mean, %rstd
        : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<8xf32>, tensor<?xf32>, tensor<?xf32>) -> (tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>)
    bifocal.store_gradient %ds into @s : tensor<8xf32>
    // CHECK: bifocal.linear_weight_grad {{.*}} : (tensor<?x8xbf16>, tensor<?x8xbf16>) -> tensor<8x8xf32>
    %dw = bifocal.linear_weight_grad %dz, %x : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<8x8xf32>
    bifocal.store_gradient %dw into @w : tensor<8x8xf32>
    return %ids : tensor<?xi32>
  }
}

// -----

// A map reads and writes 16 bits; its body stays f32, and so does the statistic that it yields.

module attributes {bifocal.training = {precision = "bf16"}} {
  // CHECK-LABEL: @maps
  func.func @maps(%ids: tensor<?xi32>, %table: tensor<9x8xf32>, %s: tensor<8xf32>) -> tensor<?xi32> {
    %x = bifocal.embedding %ids, %table : (tensor<?xi32>, tensor<9x8xf32>) -> tensor<?x8xf32>
    // CHECK: bifocal.map (%[[A:.*]] = %{{.*}} : tensor<?x8xbf16> as tensor<?x8xf32>, %{{.*}} : tensor<8xf32>) -> (tensor<?x8xbf16>, tensor<?xf32>) {
    // CHECK: bifocal.add %[[A]], %[[A]] : tensor<?x8xf32>
    // CHECK: bifocal.yield {{.*}} : tensor<?x8xf32>, tensor<?xf32>
    %y, %mean = bifocal.map (%a = %x : tensor<?x8xf32>, %b = %s : tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?xf32>) {
      %t = bifocal.add %a, %a : tensor<?x8xf32>
      %n, %m, %r = bifocal.layer_norm %t, %b, %b : (tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?xf32>, tensor<?xf32>)
      bifocal.yield %n, %m : tensor<?x8xf32>, tensor<?xf32>
    }
    // CHECK: bifocal.relu {{.*}} : tensor<?x8xbf16>
    %z = bifocal.relu %y : tensor<?x8xf32>
    return %ids : tensor<?xi32>
  }
}

// -----

// Logits stay f32 between the product and the loss; what a caller gets stays f32, be it the result of a map.

module attributes {bifocal.training = {precision = "bf16"}} {
  // CHECK-LABEL: @wide
  func.func @wide(%ids: tensor<?xi32>, %w: tensor<9x8xf32>) -> (tensor<?x9xf32>, tensor<?x8xf32>) {
    // CHECK: %[[X:.*]] = bifocal.embedding {{.*}} -> tensor<?x8xbf16>
    %x = bifocal.embedding %ids, %w : (tensor<?xi32>, tensor<9x8xf32>) -> tensor<?x8xf32>
    // CHECK: bifocal.linear %[[X]], {{.*}} : (tensor<?x8xbf16>, tensor<9x8xf32>) -> tensor<?x9xf32>
    %logits = bifocal.linear %x, %w : (tensor<?x8xf32>, tensor<9x8xf32>) -> tensor<?x9xf32>
    // expected-remark@+1 {{stays f32: logits}}
    %p = bifocal.log_softmax %logits : tensor<?x9xf32>
    // CHECK: %[[Y:.*]] = bifocal.map ({{.*}} = %[[X]] : tensor<?x8xbf16> as tensor<?x8xf32>) -> tensor<?x8xf32> {
    %y = bifocal.map (%a = %x : tensor<?x8xf32>) -> tensor<?x8xf32> {
      %t = bifocal.add %a, %a : tensor<?x8xf32>
      bifocal.yield %t : tensor<?x8xf32>
    }
    // The product rounds what the caller gets unrounded.
    // CHECK: bifocal.linear %[[Y]], {{.*}} : (tensor<?x8xf32>, tensor<9x8xf32>) -> tensor<?x9xbf16>
    %k = bifocal.linear %y, %w : (tensor<?x8xf32>, tensor<9x8xf32>) -> tensor<?x9xf32>
    %r = bifocal.relu %k : tensor<?x9xf32>
    // expected-remark@+1 {{stays f32: the caller gets it}}
    return %p, %y : tensor<?x9xf32>, tensor<?x8xf32>
  }
}

// -----

// An op with one type for all its activations keeps them f32 when one of them has to be.

module attributes {bifocal.training = {precision = "bf16"}} {
  // CHECK: bifocal.state @kept : tensor<?x?x8xf32>
  bifocal.state @kept : tensor<?x?x8xf32> dims ["B", "S", ""]
  // CHECK-LABEL: @tied
  // expected-remark@+1 {{stays f32: the caller gives it}}
  func.func @tied(%x: tensor<?x?x8xf32>, %w: tensor<8x8xf32>) {
    // CHECK: bifocal.linear {{.*}} : (tensor<?x?x8xf32>, tensor<8x8xf32>) -> tensor<?x?x8xf32>
    %y = bifocal.linear %x, %w : (tensor<?x?x8xf32>, tensor<8x8xf32>) -> tensor<?x?x8xf32>
    // CHECK: bifocal.add {{.*}} : tensor<?x?x8xf32>
    %z = bifocal.add %x, %y : tensor<?x?x8xf32>
    bifocal.state_write %z into @kept : tensor<?x?x8xf32>
    // CHECK: bifocal.linear {{.*}} : (tensor<?x?x8xf32>, tensor<8x8xf32>) -> tensor<?x?x8xbf16>
    %free = bifocal.linear %z, %w : (tensor<?x?x8xf32>, tensor<8x8xf32>) -> tensor<?x?x8xf32>
    %r = bifocal.relu %free : tensor<?x?x8xf32>
    return
  }
}

// -----

// What is read of a state has its type, and a state without dynamic axes stays what it is.

module attributes {bifocal.training = {precision = "bf16"}} {
  // CHECK: bifocal.state @left : tensor<?x8xbf16>
  bifocal.state @left : tensor<?x8xf32> dims ["P", ""]
  // CHECK: bifocal.state @fixed : tensor<4x8xf32>
  bifocal.state @fixed : tensor<4x8xf32> dims ["", ""]
  // CHECK-LABEL: @reads
  func.func @reads(%ids: tensor<?xi32>, %w: tensor<9x8xf32>, %v: tensor<8x8xf32>) {
    // CHECK: %[[R:.*]] = bifocal.state_read @left : tensor<?x8xbf16>
    %r = bifocal.state_read @left : tensor<?x8xf32>
    // CHECK: bifocal.linear %[[R]], {{.*}} : (tensor<?x8xbf16>, tensor<8x8xf32>) -> tensor<?x8xbf16>
    %y = bifocal.linear %r, %v : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    %z = bifocal.relu %y : tensor<?x8xf32>
    // CHECK: bifocal.state_read @fixed : tensor<4x8xf32>
    %f = bifocal.state_read @fixed : tensor<4x8xf32>
    return
  }
}

// -----

// Nothing happens in f32, or where no precision is given.

module attributes {bifocal.training = {precision = "f32"}} {
  // CHECK-LABEL: @f32
  func.func @f32(%ids: tensor<?xi32>, %w: tensor<9x8xf32>) {
    // CHECK: -> tensor<?x8xf32>
    %x = bifocal.embedding %ids, %w : (tensor<?xi32>, tensor<9x8xf32>) -> tensor<?x8xf32>
    return
  }
}

// -----

// CHECK-LABEL: @no_training
func.func @no_training(%ids: tensor<?xi32>, %w: tensor<9x8xf32>) {
  // CHECK: -> tensor<?x8xf32>
  %x = bifocal.embedding %ids, %w : (tensor<?xi32>, tensor<9x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

// expected-error@+1 {{expects the precision "f32", "bf16", "int8" or "int8_weight_only" in 'bifocal.training', but got "f16"}}
module attributes {bifocal.training = {precision = "f16"}} {
}

// -----

// Differential attention: log-sums and lambda stay f32, tables of rotations too.

module attributes {bifocal.training = {precision = "bf16"}} {
  // CHECK-LABEL: @difference
  func.func @difference(%ids: tensor<?x?xi32>, %table: tensor<9x8xf32>, %cos: tensor<5x2xf32>, %lambda: tensor<f32>) -> tensor<?x?xi32> {
    %x = bifocal.embedding %ids, %table : (tensor<?x?xi32>, tensor<9x8xf32>) -> tensor<?x?x8xf32>
    // CHECK: bifocal.rotary {{.*}} : (tensor<?x?x8xbf16>, tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<?x?x8xbf16>
    %q = bifocal.rotary %x, %cos, %cos {heads = 2 : i64} : (tensor<?x?x8xf32>, tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<?x?x8xf32>
    // CHECK: bifocal.diff_attention {{.*}} : (tensor<?x?x8xbf16>, tensor<?x?x8xbf16>, tensor<?x?x8xbf16>, tensor<f32>) -> (tensor<?x?x8xbf16>, tensor<?x4x?xf32>)
    %y, %lse = bifocal.diff_attention %q, %q, %x lambda %lambda {heads = 2 : i64, scale = 0.5 : f32}
        : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<f32>) -> (tensor<?x?x8xf32>, tensor<?x4x?xf32>)
    // CHECK: bifocal.rms_norm {{.*}} : (tensor<?x?x8xbf16>) -> tensor<?x?x8xbf16>
    %n = bifocal.rms_norm %y {group = 4 : i64} : (tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
    // CHECK: bifocal.diff_attention_grad {{.*}} -> (tensor<?x?x8xbf16>, tensor<?x?x8xbf16>, tensor<?x?x8xbf16>, tensor<f32>)
    %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %n, %q, %q, %x lambda %lambda lse %lse {heads = 2 : i64, scale = 0.5 : f32}
        : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<f32>, tensor<?x4x?xf32>)
        -> (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<f32>)
    return %ids : tensor<?x?xi32>
  }
}
