// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{'plan.entry' op expects a string 'name', a string 'dtype' and an array 'dims' in every input, but number 0 is {name = "x"}}}
plan.entry @c1_input_without_type symbols ["N"] attributes {inputs = [{name = "x"}], outputs = []} {
}

// -----

// expected-error@+1 {{'plan.entry' op expects every dim to be an integer or a symbol of the entry, but output number 0 has "M"}}
plan.entry @c2_unknown_symbol symbols ["N"] attributes {inputs = [], outputs = [{dims = ["M"], dtype = "f32", name = "y"}]} {
}

// -----

// expected-error@+1 {{'plan.entry' op expects one peak per size class, but got 2 peaks and 0 classes}}
plan.entry @c3_peak_without_class symbols ["N"] attributes {inputs = [], outputs = [], peak = array<i64: 1, 2>} {
}

// -----

// expected-error@+1 {{'plan.entry' op expects every class to be an affine map, but got 1 : i64}}
plan.entry @c4_class_is_a_number symbols ["N"] attributes {inputs = [], outputs = [], classes = [1], peak = array<i64: 1>} {
}

// -----

// expected-error@+1 {{'plan.entry' op expects 'classes' to be one expression without dims, but got 2 expressions and 0 dims}}
plan.entry @c4_class_of_two symbols ["N"] attributes {inputs = [], outputs = [], classes = [affine_map<()[s0] -> (s0, 1)>], peak = array<i64: 1>} {
}

// -----

// expected-error@+1 {{'plan.entry' op expects classes over the symbols of the entry, but got 2 and 1 symbols}}
plan.entry @c4_class_over_more_symbols symbols ["N"] attributes {inputs = [], outputs = [], classes = [affine_map<()[s0, s1] -> (s1)>], peak = array<i64: 1>} {
}
