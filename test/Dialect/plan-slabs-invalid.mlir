// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

plan.entry @c1_no_rows symbols ["N"] attributes {inputs = [], outputs = []} {
  // expected-error@+1 {{'plan.slabs' op expects windows of at least 1 row, but got 0}}
  plan.slabs affine_map<()[s0] -> (s0)> by 0 {
  }
}

// -----

plan.entry @c2_rows_with_dims symbols ["N"] attributes {inputs = [], outputs = []} {
  // expected-error@+1 {{'plan.slabs' op expects 'rows' to be one expression without dims, but got 1 expressions and 1 dims}}
  plan.slabs affine_map<(d0) -> (d0)> by 256 {
  }
}
