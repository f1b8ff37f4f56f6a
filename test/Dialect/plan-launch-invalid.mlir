// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @c1_no_such_kernel symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.launch' op expects the name of a 'plan.kernel', but there is none named 'other'}}
  plan.launch @other(%a, %b) sizes [affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0)>]
}

// -----

plan.kernel @relu "map" stages 2 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @c1_other_stages symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.launch' op expects one number of tiles per stage of the kernel, but got 1 numbers and 2 stages}}
  plan.launch @relu(%a, %b) sizes [affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0)>]
}

// -----

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @c2_windowed_for_one symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.launch' op expects one element of 'windowed' per buffer, but got 1 elements and 2 buffers}}
  plan.launch @relu(%a, %b) sizes [affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0)>] {windowed = array<i64: 4>}
}

// -----

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @c3_size_with_dims symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.launch' op expects 'sizes' to be one expression without dims, but got 1 expressions and 1 dims}}
  plan.launch @relu(%a, %b) sizes [affine_map<(d0) -> (d0)>] stages [affine_map<()[s0] -> (s0)>]
}

// -----

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @c3_stage_of_two symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.launch' op expects 'stages' to be one expression without dims, but got 2 expressions and 0 dims}}
  plan.launch @relu(%a, %b) sizes [affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0, s0)>]
}

// -----

plan.kernel @relu "map" stages 1 row_strides [16, 0] {
^bb0(%x: tensor<?x8xf32>):
  %y = bifocal.relu %x : tensor<?x8xf32>
  plan.return %y : tensor<?x8xf32>
}
plan.entry @c4_buffer_instead_of_a_view symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.launch' op expects buffer 0 with a row stride of 16, as its kernel has, but got 0}}
  plan.launch @relu(%a, %b) sizes [affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv 64)>]
}

// -----

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x8xf32>):
  %y = bifocal.relu %x : tensor<?x8xf32>
  plan.return %y : tensor<?x8xf32>
}
plan.entry @c4_view_instead_of_a_buffer symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  %v = plan.view %b column 8 width 8 of 16
  // expected-error@+1 {{'plan.launch' op expects buffer 1 with a row stride of 0, as its kernel has, but got 16}}
  plan.launch @relu(%a, %v) sizes [affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv 64)>]
}
