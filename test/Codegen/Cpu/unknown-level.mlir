// RUN: not bifocal-opt %s --bifocal-generate-cpu-kernels=levels=armv8 2>&1 | FileCheck %s

// CHECK: error: expects the level x86-64-v3 or x86-64-v4, but got 'armv8'
module {}
