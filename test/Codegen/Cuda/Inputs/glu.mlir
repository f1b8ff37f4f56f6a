// y = a * sigmoid(b), bf16 in memory and f32 in registers: 8 numbers a thread, one access of 16 bytes each. Arguments: a, b, y, their
// size in vectors of 8. A grid of 256-thread blocks covers the vectors.
gpu.module @kernels {
  gpu.func @glu_bf16(%a: !llvm.ptr, %b: !llvm.ptr, %y: !llvm.ptr, %vectors: i32)
      kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
    %one = arith.constant 1.0 : f32
    %minusLog2e = arith.constant dense<-1.44269504> : vector<8xf32>
    %zero = arith.constant dense<0.0> : vector<8xf32>
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %index = arith.addi %first, %thread : index
    %position = arith.index_cast %index : index to i32
    %inside = arith.cmpi ult, %position, %vectors : i32
    scf.if %inside {
      %placeA = llvm.getelementptr %a[%position] : (!llvm.ptr, i32) -> !llvm.ptr, vector<8xbf16>
      %placeB = llvm.getelementptr %b[%position] : (!llvm.ptr, i32) -> !llvm.ptr, vector<8xbf16>
      %placeY = llvm.getelementptr %y[%position] : (!llvm.ptr, i32) -> !llvm.ptr, vector<8xbf16>
      %narrowA = llvm.load %placeA {alignment = 16 : i64} : !llvm.ptr -> vector<8xbf16>
      %narrowB = llvm.load %placeB {alignment = 16 : i64} : !llvm.ptr -> vector<8xbf16>
      %wideA = arith.extf %narrowA : vector<8xbf16> to vector<8xf32>
      %wideB = arith.extf %narrowB : vector<8xbf16> to vector<8xf32>
      %powers = arith.mulf %wideB, %minusLog2e : vector<8xf32>
      %gated = scf.for %lane = %c0 to %c8 step %c1 iter_args(%sum = %zero) -> vector<8xf32> {
        %power = vector.extractelement %powers[%lane : index] : vector<8xf32>
        %value = vector.extractelement %wideA[%lane : index] : vector<8xf32>
        %exp = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%power) : (f32) -> f32
        %denominator = arith.addf %exp, %one : f32
        %sigmoid = nvvm.rcp.approx.ftz.f %denominator : f32
        %product = arith.mulf %value, %sigmoid : f32
        %next = vector.insertelement %product, %sum[%lane : index] : vector<8xf32>
        scf.yield %next : vector<8xf32>
      }
      %narrowY = arith.truncf %gated : vector<8xf32> to vector<8xbf16>
      llvm.store %narrowY, %placeY {alignment = 16 : i64} : vector<8xbf16>, !llvm.ptr
    }
    gpu.return
  }
}
