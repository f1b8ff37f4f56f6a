// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

// c1_too_few_dims
// expected-error@+1 {{'bifocal.state' op expects one entry of 'dims' per axis, but got 1 entries and 2 axes}}
bifocal.state @s : tensor<?x8xf32> dims ["R"]

// -----

// c2_dynamic_without_name
// expected-error@+1 {{'bifocal.state' op expects a name in 'dims' exactly where an axis is dynamic, but axis 0 has size ? and the name ''}}
bifocal.state @s : tensor<?x8xf32> dims ["", ""]

// -----

// c2_static_with_name
// expected-error@+1 {{'bifocal.state' op expects a name in 'dims' exactly where an axis is dynamic, but axis 1 has size 8 and the name 'C'}}
bifocal.state @s : tensor<?x8xf32> dims ["R", "C"]
