// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

plan.entry @c1_view_of_a_view symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %v = plan.view %a column 4 width 4 of 16
  // expected-error@+1 {{'plan.view' op expects a view of a 'plan.buffer'}}
  %w = plan.view %v column 2 width 2 of 16
}

// -----

plan.entry @c1_view_of_panels symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer panels class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.view' op expects a view of a buffer with rows, but got panels}}
  %v = plan.view %a column 4 width 4 of 16
}

// -----

plan.entry @c2_column_behind_the_row symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.view' op expects columns within the row, but got 4 from 16 of 16}}
  %v = plan.view %a column 16 width 4 of 16
}

// -----

plan.entry @fill_c1_view symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %v = plan.view %a column 4 width 4 of 16
  // expected-error@+1 {{'plan.fill' op expects 'buffer' to be a whole buffer, but got a view}}
  plan.fill %v with 0.0
}

// -----

plan.entry @copy_c1_view symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %v = plan.view %a column 4 width 4 of 16
  // expected-error@+1 {{'plan.copy' op expects 'to' to be a whole buffer, but got a view}}
  plan.copy %a to %v
}
