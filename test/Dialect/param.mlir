// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Names are those of the state dict, dots included.

// CHECK: bifocal.param @decoder.layers.0.fc1.weight : tensor<1024x512xf32> init {gain = 1.000000e+00 : f64, kind = "xavier_uniform"}{{$}}
bifocal.param @decoder.layers.0.fc1.weight : tensor<1024x512xf32> init {gain = 1.000000e+00 : f64, kind = "xavier_uniform"}

// A tied table has further names.

// CHECK: bifocal.param @encoder.embed_tokens.weight : tensor<6000x512xf32> init {kind = "normal"} {aliases = ["decoder.embed_tokens.weight"]}
bifocal.param @encoder.embed_tokens.weight : tensor<6000x512xf32> init {kind = "normal"} {aliases = ["decoder.embed_tokens.weight"]}

// A table that its initialiser makes is neither trained nor stored.

// CHECK: bifocal.param @positions : tensor<1026x512xf32> init {kind = "sinusoidal"} frozen transient
bifocal.param @positions : tensor<1026x512xf32> init {kind = "sinusoidal"} frozen transient
