// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect

// c1_no_stages
// expected-error@+1 {{'plan.kernel' op expects stages >= 1, but got 0}}
plan.kernel @relu "map" stages 0 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}

// -----

// c2_no_return
// expected-error@+1 {{'plan.kernel' op expects a body that ends in 'plan.return'}}
plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  "test.end"() : () -> ()
}

// -----

// expected-error@+1 {{'plan.kernel' op expects sites >= 0, but got -1}}
plan.kernel @c3_negative_sites "map" stages 1 sites -1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}

// -----

plan.kernel @c3_site_of_no_size "map" stages 1 sites 1 {
^bb0(%x: tensor<?x8xf32>, %rng: tensor<2xi64>):
  // expected-error@+1 {{'bifocal.dropout' op expects a site below the kernel's sites, 1, but got 1}}
  %y = bifocal.dropout %x, %rng {rate = 0.5 : f32, site = 1 : i32} : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  plan.return %y : tensor<?x8xf32>
}

// -----

// expected-error@+1 {{'plan.kernel' op expects a row stride for each of 2 arguments and returned values, but got 1}}
plan.kernel @c4_one_stride "map" stages 1 row_strides [16] {
^bb0(%x: tensor<?x8xf32>):
  %y = bifocal.relu %x : tensor<?x8xf32>
  plan.return %y : tensor<?x8xf32>
}

// -----

// expected-error@+1 {{'plan.kernel' op expects row stride 1 to be 0 or at least the 8 channels of its tensor, but got 4}}
plan.kernel @c4_short_stride "map" stages 1 row_strides [0, 4] {
^bb0(%x: tensor<?x8xf32>):
  %y = bifocal.relu %x : tensor<?x8xf32>
  plan.return %y : tensor<?x8xf32>
}
