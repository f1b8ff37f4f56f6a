// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

plan.entry @c1_negative_size symbols ["N"] attributes {inputs = [], outputs = []} {
  // expected-error@+1 {{'plan.buffer' op expects size >= 0, class >= 0 and offset >= -1, but got size -4, class 0 and offset 0}}
  %x = plan.buffer arena class 0 at 0 size -4 "f32"
}

// -----

plan.entry @c1_offset_below symbols ["N"] attributes {inputs = [], outputs = []} {
  // expected-error@+1 {{'plan.buffer' op expects size >= 0, class >= 0 and offset >= -1, but got size 4, class 0 and offset -2}}
  %x = plan.buffer arena class 0 at -2 size 4 "f32"
}

// -----

plan.entry @c2_unknown_type symbols ["N"] attributes {inputs = [], outputs = []} {
  // expected-error@+1 {{'plan.buffer' op expects an element type f32, bf16, f16, i32, i64 or i1, but got 'f64'}}
  %x = plan.buffer arena class 0 at 0 size 4 "f64"
}

// -----

plan.entry @c3_input_without_index symbols ["N"] attributes {inputs = [], outputs = []} {
  // expected-error@+1 {{'plan.buffer' op expects an index exactly where the region is input or output, but got none in the region input}}
  %x = plan.buffer input class 0 at 0 size 4 "f32"
}

// -----

plan.entry @c3_arena_with_index symbols ["N"] attributes {inputs = [], outputs = []} {
  // expected-error@+1 {{'plan.buffer' op expects an index exactly where the region is input or output, but got one in the region arena}}
  %x = plan.buffer arena[1] class 0 at 0 size 4 "f32"
}

// -----

plan.entry @c4_state_without_name symbols ["N"] attributes {inputs = [], outputs = []} {
  // expected-error@+1 {{'plan.buffer' op expects the name of the state, but got none}}
  %x = plan.buffer state class 0 at 0 size 4 "f32"
}
