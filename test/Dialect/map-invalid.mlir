// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect

func.func @c1_no_argument_for_an_input(%x: tensor<5x8xf32>, %s: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.map' op expects one input per block argument, but got 1 and 0}}
  %y = "bifocal.map"(%x) ({
    %c = "test.make"() : () -> tensor<5x8xf32>
    bifocal.yield %c : tensor<5x8xf32>
  }) : (tensor<5x8xf32>) -> tensor<5x8xf32>
  return
}

// -----

func.func @c1_argument_of_another_type(%x: tensor<5x8xf32>, %s: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.map' op expects the types of input per block argument to be equal, but number 0 has 'tensor<5x8xf32>' and 'tensor<4x8xf32>'}}
  %y = "bifocal.map"(%x) ({
  ^bb0(%a: tensor<4x8xf32>):
    bifocal.yield %a : tensor<4x8xf32>
  }) : (tensor<5x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @c1_integers_for_floats(%x: tensor<5x8xi32>) {
  // expected-error@+1 {{'bifocal.map' op expects the types of input per block argument to be equal, but number 0 has 'tensor<5x8xi32>' and 'tensor<5x8xf32>'}}
  %y = "bifocal.map"(%x) ({
  ^bb0(%a: tensor<5x8xf32>):
    bifocal.yield %a : tensor<5x8xf32>
  }) : (tensor<5x8xi32>) -> tensor<5x8xf32>
  return
}

// -----

func.func @c2_no_result_for_a_yielded_value(%x: tensor<5x8xf32>, %s: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.map' op expects one result per yielded value, but got 1 and 2}}
  %y = bifocal.map (%a = %x : tensor<5x8xf32>) -> tensor<5x8xf32> {
    bifocal.yield %a, %a : tensor<5x8xf32>, tensor<5x8xf32>
  }
  return
}

// -----

func.func @c2_result_of_another_type(%x: tensor<5x8xf32>, %s: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.map' op expects the types of result per yielded value to be equal, but number 0 has 'tensor<4x8xf32>' and 'tensor<5x8xf32>'}}
  %y = bifocal.map (%a = %x : tensor<5x8xf32>) -> tensor<4x8xf32> {
    bifocal.yield %a : tensor<5x8xf32>
  }
  return
}

// -----

func.func @c3_matrix_product(%x: tensor<5x8xf32>, %w: tensor<8x8xf32>) {
  // expected-error@+1 {{'bifocal.map' op expects only row-wise ops in its body, but got 'bifocal.linear'}}
  %y = bifocal.map (%a = %x : tensor<5x8xf32>, %b = %w : tensor<8x8xf32>) -> tensor<5x8xf32> {
    %0 = bifocal.linear %a, %b : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
    bifocal.yield %0 : tensor<5x8xf32>
  }
  return
}

// -----

func.func @c4_two_norms(%x: tensor<5x8xf32>, %s: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.map' op expects at most one row reduction, but got 'bifocal.layer_norm' and 'bifocal.layer_norm'}}
  %y = bifocal.map (%a = %x : tensor<5x8xf32>, %b = %s : tensor<8xf32>) -> tensor<5x8xf32> {
    %0:3 = bifocal.layer_norm %a, %b, %b : (tensor<5x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<5x8xf32>, tensor<5xf32>, tensor<5xf32>)
    %1:3 = bifocal.layer_norm %0#0, %b, %b : (tensor<5x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<5x8xf32>, tensor<5xf32>, tensor<5xf32>)
    bifocal.yield %1#0 : tensor<5x8xf32>
  }
  return
}

// -----

func.func @c5_other_rows(%x: tensor<5x8xf32>, %z: tensor<4x8xf32>) {
  // expected-error@+1 {{'bifocal.map' op expects ops over the same rows, but 'bifocal.relu' runs over 5 and 'bifocal.relu' over 4}}
  %y:2 = bifocal.map (%a = %x : tensor<5x8xf32>, %b = %z : tensor<4x8xf32>) -> (tensor<5x8xf32>, tensor<4x8xf32>) {
    %0 = bifocal.relu %a : tensor<5x8xf32>
    %1 = bifocal.relu %b : tensor<4x8xf32>
    bifocal.yield %0, %1 : tensor<5x8xf32>, tensor<4x8xf32>
  }
  return
}

// -----

func.func @c6_sum_read_inside(%x: tensor<5x8xf32>, %s: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.map' op expects sums over rows to be only yielded, but 'bifocal.add_bias' reads one of 'bifocal.column_sum'}}
  %y = bifocal.map (%a = %x : tensor<5x8xf32>) -> tensor<5x8xf32> {
    %0 = bifocal.column_sum %a : (tensor<5x8xf32>) -> tensor<8xf32>
    %1 = bifocal.add_bias %a, %0 : (tensor<5x8xf32>, tensor<8xf32>) -> tensor<5x8xf32>
    bifocal.yield %1 : tensor<5x8xf32>
  }
  return
}

// -----

func.func @c2_no_yield(%x: tensor<5x8xf32>) {
  // expected-error@+1 {{'bifocal.map' op expects a body that ends in 'bifocal.yield'}}
  %y = "bifocal.map"(%x) ({
  ^bb0(%a: tensor<5x8xf32>):
    "test.end"() : () -> ()
  }) : (tensor<5x8xf32>) -> tensor<5x8xf32>
  return
}

// -----

func.func @c7_norm_of_groups(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.map' op expects norms of whole rows, but 'bifocal.rms_norm' has 2 groups}}
  %y = bifocal.map (%a = %x : tensor<2x6x8xf32>) -> tensor<2x6x8xf32> {
    %n = bifocal.rms_norm %a {group = 4 : i64} : (tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
    bifocal.yield %n : tensor<2x6x8xf32>
  }
  return
}
