// RUN: not bifocal-opt %s --bifocal-generate-cpu-kernels=levels=armv8 2>&1 | FileCheck %s

// CHECK: error: expects the level x86-64-v3, x86-64-v4 or x86-64-v4-dot, but got 'armv8'
module {}
