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
