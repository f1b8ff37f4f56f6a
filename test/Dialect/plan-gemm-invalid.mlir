// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

plan.entry @c1_beta_of_two symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  %c = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects a beta of 0 or 1, but got 2.000000e+00}}
  plan.gemm %a, %b into %c m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)> beta 2.0
}

// -----

plan.entry @c2_m_with_dims symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  %c = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects 'm' to be one expression without dims, but got 1 expressions and 1 dims}}
  plan.gemm %a, %b into %c m affine_map<(d0) -> (d0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c3_windowed_for_one symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  %c = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects one element of 'windowed' per buffer, but got 1 elements and 3 buffers}}
  plan.gemm %a, %b into %c m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)> {windowed = array<i64: 4>}
}

// -----

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @c4_no_rows_per_tile symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  %c = plan.buffer arena class 0 at 0 size 64 "f32"
  %d = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects sizes and rows_per_tile >= 1 beside an epilogue, but got sizes and 0}}
  plan.gemm %a, %b into %c m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)> epilogue @relu(%c, %d) sizes [affine_map<()[s0] -> (s0)>] rows_per_tile 0
}

// -----

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @c4_no_such_kernel symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  %c = plan.buffer arena class 0 at 0 size 64 "f32"
  %d = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects the name of a 'plan.kernel', but there is none named 'other'}}
  plan.gemm %a, %b into %c m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)> epilogue @other(%c, %d) sizes [affine_map<()[s0] -> (s0)>] rows_per_tile 64
}

// -----

plan.kernel @relu "map" stages 2 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}
plan.entry @c4_two_stages symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  %c = plan.buffer arena class 0 at 0 size 64 "f32"
  %d = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects an epilogue of one stage, but 'relu' has 2}}
  plan.gemm %a, %b into %c m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)> epilogue @relu(%c, %d) sizes [affine_map<()[s0] -> (s0)>] rows_per_tile 64
}

// -----

plan.entry @c4_buffers_without_epilogue symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects no buffers without an epilogue, but got 1}}
  "plan.gemm"(%a, %a, %a, %a) <{m = affine_map<()[s0] -> (s0)>, n = affine_map<()[s0] -> (s0)>, k = affine_map<()[s0] -> (s0)>,
                               operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 1>}>
      : (!plan.buffer, !plan.buffer, !plan.buffer, !plan.buffer) -> ()
}

// -----

plan.entry @c5_workspace_of_integers symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %w = plan.buffer arena class 0 at 0 size 64 "i32"
  // expected-error@+1 {{'plan.gemm' op expects a workspace of f32 in the arena or in the panels, but got i32 in 'arena'}}
  plan.gemm %a, %a into %a workspace %w m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c7_product_of_integers symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "i32"
  // expected-error@+1 {{'plan.gemm' op expects 'b' of f32, bf16 or f16, but got i32}}
  plan.gemm %a, %b into %a m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c7_two_types_of_16_bits symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "bf16"
  %b = plan.buffer arena class 0 at 0 size 64 "f16"
  // expected-error@+1 {{'plan.gemm' op expects one type of 16 bits, but got bf16 and f16}}
  plan.gemm %a, %b into %a m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c5_workspace_is_a_parameter symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %w = plan.buffer parameter class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects a workspace of f32 in the arena or in the panels, but got f32 in 'parameter'}}
  plan.gemm %a, %a into %a workspace %w m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c5_panels_of_an_activation symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %w = plan.buffer panels class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects panels of a parameter, but got b in 'arena'}}
  plan.gemm %a, %a into %a workspace %w m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c5_panels_of_a_window symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer parameter class 0 at 0 size 64 "f32"
  %w = plan.buffer panels class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects panels of a whole parameter, but b moves with the window}}
  plan.gemm %a, %b into %a workspace %w m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)> {windowed = array<i64: 0, 4, 0>}
}

// -----

plan.entry @c5_workspace_is_a_matrix symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %c = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects a workspace that is none of its other buffers}}
  plan.gemm %a, %a into %c workspace %a m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c6_mask_of_floats symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects a mask of i1, but got f32}}
  plan.gemm %a, %a into %a mask %a m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c6_mask_of_two_transposed symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %m = plan.buffer arena class 0 at 0 size 64 "i1"
  // expected-error@+1 {{'plan.gemm' op expects no mask where both matrices are transposed, but got one}}
  plan.gemm %a transposed, %a transposed into %a mask %m m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c3_windowed_counts_the_mask symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %m = plan.buffer arena class 0 at 0 size 64 "i1"
  // expected-error@+1 {{'plan.gemm' op expects one element of 'windowed' per buffer, but got 3 elements and 4 buffers}}
  plan.gemm %a, %a into %a mask %m m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)> {windowed = array<i64: 4, 0, 0>}
}

// -----

plan.entry @c8_quantized_and_narrow symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "bf16"
  // expected-error@+1 {{'plan.gemm' op expects 'c' of f32 in a quantised product, but got bf16}}
  plan.gemm %a, %a transposed into %b quantized factors m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c8_quantized_and_not_transposed symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{'plan.gemm' op expects b alone to be transposed in a quantised product}}
  plan.gemm %a, %a into %a quantized weights m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.entry @c9_view_as_a_mask symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  %m = plan.buffer arena class 0 at 0 size 64 "i1"
  %v = plan.view %m column 4 width 4 of 16
  // expected-error@+1 {{'plan.gemm' op expects 'mask' to be a whole buffer, but got a view}}
  plan.gemm %a, %b into %a mask %v m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (s0)>
}

// -----

plan.kernel @relu "map" stages 1 {
^bb0(%x: tensor<?x8xf32>):
  %y = bifocal.relu %x : tensor<?x8xf32>
  plan.return %y : tensor<?x8xf32>
}
plan.entry @c9_view_for_a_kernel_without symbols ["N"] attributes {inputs = [], outputs = []} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 0 size 64 "f32"
  %c = plan.buffer arena class 0 at 0 size 64 "f32"
  %v = plan.view %c column 0 width 8 of 16
  // expected-error@+1 {{'plan.gemm' op expects buffer 0 with a row stride of 0, as its kernel has, but got 16}}
  plan.gemm %a, %b into %v m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (8)> k affine_map<()[s0] -> (8)> epilogue @relu(%v, %b) sizes [affine_map<()[s0] -> (s0)>] rows_per_tile 64
}
