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

// -----

// 40 columns need room for 64, 17 steps for 32; a class of 1 counts 16 times.
plan.entry @workspace_too_small symbols ["N"] attributes {inputs = [], outputs = [], classes = [affine_map<()[s0] -> (1)>], peak = array<i64: 0>} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %w = plan.buffer arena class 0 at 0 size 511 "f32"
  // expected-error@+1 {{expects a workspace of 8192 bytes, but got 8176}}
  plan.gemm %a, %a into %a workspace %w m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (40)> k affine_map<()[s0] -> (17)>
}

// -----

plan.entry @workspace_too_small_per_step symbols ["N"] attributes {inputs = [], outputs = [], classes = [affine_map<()[s0] -> (s0)>], peak = array<i64: 0>} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %w = plan.buffer arena class 0 at 0 size 255 "f32"
  // expected-error@+1 {{expects a workspace of 256 bytes per unit of its class, but got 255}}
  plan.gemm %a, %a into %a workspace %w m affine_map<()[s0] -> (7)> n affine_map<()[s0] -> (40)> k affine_map<()[s0] -> (s0)>
}

// -----

// What is known only when the program runs is left to the runtime.
plan.entry @accepts_workspaces symbols ["N"] attributes {inputs = [], outputs = [], classes = [affine_map<()[s0] -> (1)>, affine_map<()[s0] -> (s0)>], peak = array<i64: 0, 0>} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %v = plan.buffer arena class 0 at 0 size 512 "f32"
  %w = plan.buffer arena class 1 at 0 size 256 "f32"
  plan.gemm %a, %a into %a workspace %v m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (40)> k affine_map<()[s0] -> (17)>
  plan.gemm %a, %a into %a workspace %w m affine_map<()[s0] -> (7)> n affine_map<()[s0] -> (40)> k affine_map<()[s0] -> (s0)>
  plan.gemm %a, %a into %a workspace %v m affine_map<()[s0] -> (7)> n affine_map<()[s0] -> (40)> k affine_map<()[s0] -> (s0)>
  plan.gemm %a, %a into %a workspace %v m affine_map<()[s0] -> (7)> n affine_map<()[s0] -> (s0)> k affine_map<()[s0] -> (17)>
}

// -----

// Quantised, 64 columns have two scales each for 520 steps, and 544 bytes.
plan.entry @quantized_workspace_too_small symbols ["N"] attributes {inputs = [], outputs = [], classes = [affine_map<()[s0] -> (1)>], peak = array<i64: 0>} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %p = plan.buffer parameter class 0 at 0 size 64 "f32"
  %w = plan.buffer panels class 0 at 0 size 35327 "f32"
  // expected-error@+1 {{expects a workspace of 35328 bytes, but got 35327}}
  plan.gemm %a, %p transposed into %a workspace %w quantized factors m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (40)> k affine_map<()[s0] -> (520)>
}
