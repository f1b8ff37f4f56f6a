// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.state @keys : tensor<?x8xf32> dims ["P", ""]
func.func @c1_no_such_state() -> tensor<?x8xf32> {
  // expected-error@+1 {{'bifocal.state_read' op expects the name of a 'bifocal.state', but there is none named 'v'}}
  %0 = bifocal.state_read @v : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

bifocal.state @keys : tensor<?x8xf32> dims ["P", ""]
func.func @c2_other_channels() -> tensor<?x16xf32> {
  // expected-error@+1 {{'bifocal.state_read' op expects the state's type 'tensor<?x8xf32>', but got 'tensor<?x16xf32>'}}
  %0 = bifocal.state_read @keys : tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// -----

bifocal.state @keys : tensor<?x8xf32> dims ["P", ""]
func.func @c3_written(%k: tensor<?x8xf32>) -> tensor<?x8xf32> {
  bifocal.state_write %k into @keys : tensor<?x8xf32>
  // expected-error@+1 {{'bifocal.state_read' op expects that nothing else in the function names 'keys', but 'bifocal.state_write' does}}
  %0 = bifocal.state_read @keys : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
