// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Static axes have no name.

// CHECK: bifocal.state @conv.input : tensor<7x?x512xf32> dims ["", "R", ""]
bifocal.state @conv.input : tensor<7x?x512xf32> dims ["", "R", ""]

// A mask is a state like any other.

// CHECK: bifocal.state @source_mask : tensor<?x?xi1> dims ["B", "S"]
bifocal.state @source_mask : tensor<?x?xi1> dims ["B", "S"]
