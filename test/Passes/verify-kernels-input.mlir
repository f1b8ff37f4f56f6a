// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-verify-kernels-input

bifocal.param @w : tensor<4xf32> init {kind = "zeros"}

plan.entry @accepts_placed_buffers symbols [] attributes {inputs = [], outputs = []} {
  %b = plan.buffer arena class 0 at 64 size 16 "f32"
}

// -----

plan.entry @unplaced_buffer symbols [] attributes {inputs = [], outputs = []} {
  // expected-error@+1 {{expects a place in its region, but the offset is -1}}
  %b = plan.buffer arena class 0 at -1 size 16 "f32"
}

// -----

// expected-error@+1 {{expects only parameters, states, 'plan.entry' and 'plan.kernel' in the module}}
func.func @function() {
  return
}
