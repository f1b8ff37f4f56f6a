// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-verify-memory

plan.entry @accepts_places_apart symbols [] attributes {inputs = [], outputs = [], classes = [affine_map<() -> (1)>], peak = array<i64: 128>} {
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  %b = plan.buffer arena class 0 at 64 size 64 "f32"
  plan.copy %a to %b
}

// -----

plan.entry @overlap symbols [] attributes {inputs = [], outputs = [], classes = [affine_map<() -> (1)>], peak = array<i64: 128>} {
  // expected-note@+1 {{of this buffer, which lives at the same time}}
  %a = plan.buffer arena class 0 at 0 size 64 "f32"
  // expected-error@+1 {{expects a place of its own while it lives, but got [32, 96)}}
  %b = plan.buffer arena class 0 at 32 size 64 "f32"
  plan.copy %a to %b
}

// -----

plan.entry @behind_the_peak symbols [] attributes {inputs = [], outputs = [], classes = [affine_map<() -> (1)>], peak = array<i64: 64>} {
  // expected-error@+1 {{expects an aligned place within the peak of its class, but got [32, 96)}}
  %a = plan.buffer arena class 0 at 32 size 64 "f32"
  plan.fill %a with 0.0
}
