// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-verify-kernels-input

// What a kernel's code counts on, every launch gives: a plan that was edited by hand must not read behind its arguments.

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @too_few_buffers symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{expects the 2 buffers of its kernel, but got 1}}
  plan.launch @relu(%a) sizes [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv 32)>]
}

// -----

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @too_few_sizes symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{expects the 2 sizes of its kernel, but got 1}}
  plan.launch @relu(%a, %a) sizes [affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv 32)>]
}

// -----

plan.kernel @dropout "dropout" stages 1 sites 1 {
^bb0(%x: tensor<?x512xf32>, %rng: tensor<2xi64>):
  %y = bifocal.dropout %x, %rng {rate = 0.5 : f32, site = 0 : i32} : (tensor<?x512xf32>, tensor<2xi64>) -> tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @no_site symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{expects the 3 sizes of its kernel, but got 2}}
  plan.launch @dropout(%a, %a, %a) sizes [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv 32)>]
}

// -----

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @too_many_tiles symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{tiles in stage 0, as its kernel has, but got s0}}
  plan.launch @relu(%a, %a) sizes [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0)>]
}

// -----

// expected-error@+1 {{expects 1 stages, as its op has, but got 2}}
plan.kernel @relu "map" stages 2 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @two_stages symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  plan.launch @relu(%a, %a) sizes [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>]
}

// -----

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @other_rows_per_tile symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{rows per tile, as its epilogue has, but got 1}}
  plan.gemm %a, %a into %a m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (512)> k affine_map<()[s0] -> (8)>
    epilogue @relu(%a, %a) sizes [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>] rows_per_tile 1
}

// -----

plan.entry @unknown_symbol symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{expects expressions over at most 1 symbols}}
  plan.gemm %a, %a into %a m affine_map<()[s0, s1] -> (s1)> n affine_map<()[s0] -> (512)> k affine_map<()[s0] -> (8)>
}

// -----

// Inside slabs there is one more: the rows of the window.
plan.entry @accepts_the_window symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  plan.slabs affine_map<()[s0] -> (s0)> by 512 {
    plan.gemm %a, %a into %a m affine_map<()[s0, s1] -> (s1)> n affine_map<()[s0, s1] -> (512)> k affine_map<()[s0, s1] -> (8)>
  }
}
