// RUN: bifocal-kernel %s --emit=llvm | FileCheck %s --check-prefix=IR
// RUN: bifocal-kernel %s --emit=ptx | FileCheck %s --check-prefix=PTX

// Every instruction says which line of the spec it comes from: its own, the first of several, and the kernel's where the line is unknown or
// of another file.

// IR-LABEL: define {{.*}}void @scale(
// IR-SAME:    !dbg [[KERNEL:![0-9]+]]
// IR:         call {{.*}}@llvm.nvvm.read.ptx.sreg.tid.x(){{.*}} !dbg [[OWN:![0-9]+]]
// IR:         getelementptr {{.*}} !dbg [[WHOLE:![0-9]+]]
// IR:         load {{.*}} !dbg [[FIRST:![0-9]+]]
// IR:         fmul {{.*}} !dbg [[WHOLE]]
// IR:         ret void, !dbg
// IR-DAG:     !DIFile(filename: "spec.toml", directory: "models")
// IR-DAG:     emissionKind: DebugDirectivesOnly
// IR-DAG:     [[KERNEL]] = distinct !DISubprogram(name: "scale", {{.*}}line: 7,
// IR-DAG:     [[OWN]] = !DILocation(line: 8, column: 3, scope: [[KERNEL]])
// IR-DAG:     [[FIRST]] = !DILocation(line: 9, column: 1, scope: [[KERNEL]])
// IR-DAG:     [[WHOLE]] = !DILocation(line: 7, {{.*}}scope: [[KERNEL]])

// No `, debug` behind the target: it would keep ptxas from optimising.
// PTX:      .target sm_80{{$}}
// PTX:      .loc [[FILE:[0-9]+]] 8 3
// PTX-NOT:  .debug_info
// PTX:      .file [[FILE]] "models/spec.toml"
gpu.module @m {
  gpu.func @scale(%x: !llvm.ptr<1>, %factor: f32) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %thread = gpu.thread_id x loc("models/spec.toml":8:3)
    %position = arith.index_cast %thread : index to i64 loc("models/spec.toml":8:3)
    %place = llvm.getelementptr %x[%position] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32 loc(unknown)
    %value = llvm.load %place : !llvm.ptr<1> -> f32 loc(fused["models/spec.toml":9:1, "models/spec.toml":10:1])
    %result = arith.mulf %value, %factor : f32 loc("other.toml":3:1)
    llvm.store %result, %place : f32, !llvm.ptr<1> loc("models/spec.toml":11:1)
    gpu.return loc("models/spec.toml":12:1)
  } loc("models/spec.toml":7:1)
}
