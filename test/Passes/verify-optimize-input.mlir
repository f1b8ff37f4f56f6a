// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-verify-optimize-input

func.func @accepts_one_block(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// expected-error@+1 {{expects the phase 'differentiate' to have replaced '@loss'}}
func.func @loss() {
  return
}

// -----

// expected-error@+1 {{expects the phase 'differentiate' to have removed 'bifocal.gradient'}}
func.func @still_marked() attributes {bifocal.gradient} {
  return
}

// -----

// expected-error@+1 {{expects one block, but got 0}}
func.func private @declaration()
