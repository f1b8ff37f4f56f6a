// C = A B^T in bf16 with sums in f32: A [64, 96], B [64, 96], C [64, 64] as pairs. A block of 4 warps has a tile of 32 x 32, a warp one of
// 16 x 16; a grid of 2 x 2 blocks. Tiles of 32 steps of the sum go through two buffers: while one is multiplied, the next is copied. Rows have
// 40 numbers, so that the 8 rows that ldmatrix reads at a time lie in different banks. Arguments: A, B, C.
gpu.module @kernels {
  gpu.func @gemm_bf16(%A: memref<64x96xbf16, 1>, %B: memref<64x96xbf16, 1>, %C: memref<64x32xvector<2xbf16>, 1>)
      workgroup(%tileA : memref<2x32x40xbf16, #gpu.address_space<workgroup>> {llvm.align = 16 : i64},
                %tileB : memref<2x32x40xbf16, #gpu.address_space<workgroup>> {llvm.align = 16 : i64})
      kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %c16 = arith.constant 16 : index
    %c32 = arith.constant 32 : index
    %zero = arith.constant 0.0 : f32
    %thread = gpu.thread_id x
    %blockM = gpu.block_id x
    %blockN = gpu.block_id y
    %lane = arith.remui %thread, %c32 : index
    %warp = arith.divui %thread, %c32 : index
    %warpM = arith.remui %warp, %c2 : index
    %warpN = arith.divui %warp, %c2 : index
    %warpRow = arith.muli %warpM, %c16 : index
    %warpColumn = arith.muli %warpN, %c16 : index
    %m0 = arith.muli %blockM, %c32 : index
    %n0 = arith.muli %blockN, %c32 : index
    // Copies: a thread moves 8 numbers of one row of each tile.
    %copyRow = arith.divui %thread, %c4 : index
    %copyQuarter = arith.remui %thread, %c4 : index
    %copyColumn = arith.muli %copyQuarter, %c8 : index
    %sourceA = arith.addi %m0, %copyRow : index
    %sourceB = arith.addi %n0, %copyRow : index
    %firstA = nvgpu.device_async_copy %A[%sourceA, %copyColumn], %tileA[%c0, %copyRow, %copyColumn], 8 {bypassL1}
        : memref<64x96xbf16, 1> to memref<2x32x40xbf16, #gpu.address_space<workgroup>>
    %firstB = nvgpu.device_async_copy %B[%sourceB, %copyColumn], %tileB[%c0, %copyRow, %copyColumn], 8 {bypassL1}
        : memref<64x96xbf16, 1> to memref<2x32x40xbf16, #gpu.address_space<workgroup>>
    %first = nvgpu.device_async_create_group %firstA, %firstB
    // The rows whose addresses a lane gives to ldmatrix: of A in the order rows, then steps; of B in the order steps, then rows.
    %lane16 = arith.remui %lane, %c16 : index
    %laneHigh = arith.divui %lane, %c16 : index
    %rowA = arith.addi %warpRow, %lane16 : index
    %stepA = arith.muli %laneHigh, %c8 : index
    %lane8 = arith.remui %lane, %c8 : index
    %matrix = arith.divui %lane, %c8 : index
    %matrixLow = arith.remui %matrix, %c2 : index
    %matrixHigh = arith.divui %matrix, %c2 : index
    %stepB = arith.muli %matrixLow, %c8 : index
    %rowsB = arith.muli %matrixHigh, %c8 : index
    %rowInB = arith.addi %rowsB, %lane8 : index
    %rowB = arith.addi %warpColumn, %rowInB : index
    %sums:8 = scf.for %tile = %c0 to %c3 step %c1
        iter_args(%s0 = %zero, %s1 = %zero, %s2 = %zero, %s3 = %zero, %s4 = %zero, %s5 = %zero, %s6 = %zero, %s7 = %zero) -> (f32, f32, f32, f32, f32, f32, f32, f32) {
      %current = arith.remui %tile, %c2 : index
      %following = arith.addi %tile, %c1 : index
      %other = arith.remui %following, %c2 : index
      // Behind the last tile nothing is read, and zeros are written.
      %more = arith.cmpi ult, %following, %c3 : index
      %count = arith.select %more, %c8, %c0 : index
      %nextTile = arith.select %more, %following, %c0 : index
      %nextStep = arith.muli %nextTile, %c32 : index
      %nextColumn = arith.addi %nextStep, %copyColumn : index
      // The barrier: all threads' copies of this tile have landed, and all have read the other buffer.
      nvgpu.device_async_wait %first {numGroups = 0 : i32}
      gpu.barrier
      %nextA = nvgpu.device_async_copy %A[%sourceA, %nextColumn], %tileA[%other, %copyRow, %copyColumn], 8, %count {bypassL1}
          : memref<64x96xbf16, 1> to memref<2x32x40xbf16, #gpu.address_space<workgroup>>
      %nextB = nvgpu.device_async_copy %B[%sourceB, %nextColumn], %tileB[%other, %copyRow, %copyColumn], 8, %count {bypassL1}
          : memref<64x96xbf16, 1> to memref<2x32x40xbf16, #gpu.address_space<workgroup>>
      %next = nvgpu.device_async_create_group %nextA, %nextB
      %inner:8 = scf.for %step = %c0 to %c32 step %c16
          iter_args(%t0 = %s0, %t1 = %s1, %t2 = %s2, %t3 = %s3, %t4 = %s4, %t5 = %s5, %t6 = %s6, %t7 = %s7) -> (f32, f32, f32, f32, f32, f32, f32, f32) {
        %columnA = arith.addi %step, %stepA : index
        %columnB = arith.addi %step, %stepB : index
        %readA = nvgpu.ldmatrix %tileA[%current, %rowA, %columnA] {numTiles = 4 : i32, transpose = false} : memref<2x32x40xbf16, #gpu.address_space<workgroup>> -> vector<4x2xbf16>
        %readB = nvgpu.ldmatrix %tileB[%current, %rowB, %columnB] {numTiles = 4 : i32, transpose = false} : memref<2x32x40xbf16, #gpu.address_space<workgroup>> -> vector<4x2xbf16>
        %aWords = vector.bitcast %readA : vector<4x2xbf16> to vector<4x1xi32>
        %a0 = vector.extract %aWords[0, 0] : i32 from vector<4x1xi32>
        %a1 = vector.extract %aWords[1, 0] : i32 from vector<4x1xi32>
        %a2 = vector.extract %aWords[2, 0] : i32 from vector<4x1xi32>
        %a3 = vector.extract %aWords[3, 0] : i32 from vector<4x1xi32>
        %bWords = vector.bitcast %readB : vector<4x2xbf16> to vector<4x1xi32>
        %b0 = vector.extract %bWords[0, 0] : i32 from vector<4x1xi32>
        %b1 = vector.extract %bWords[1, 0] : i32 from vector<4x1xi32>
        %b2 = vector.extract %bWords[2, 0] : i32 from vector<4x1xi32>
        %b3 = vector.extract %bWords[3, 0] : i32 from vector<4x1xi32>
        %left = llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%a0, %a1, %a2, %a3, %b0, %b1, %t0, %t1, %t2, %t3)
            : (i32, i32, i32, i32, i32, i32, f32, f32, f32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
        %l0 = llvm.extractvalue %left[0] : !llvm.struct<(f32, f32, f32, f32)>
        %l1 = llvm.extractvalue %left[1] : !llvm.struct<(f32, f32, f32, f32)>
        %l2 = llvm.extractvalue %left[2] : !llvm.struct<(f32, f32, f32, f32)>
        %l3 = llvm.extractvalue %left[3] : !llvm.struct<(f32, f32, f32, f32)>
        %right = llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%a0, %a1, %a2, %a3, %b2, %b3, %t4, %t5, %t6, %t7)
            : (i32, i32, i32, i32, i32, i32, f32, f32, f32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
        %r0 = llvm.extractvalue %right[0] : !llvm.struct<(f32, f32, f32, f32)>
        %r1 = llvm.extractvalue %right[1] : !llvm.struct<(f32, f32, f32, f32)>
        %r2 = llvm.extractvalue %right[2] : !llvm.struct<(f32, f32, f32, f32)>
        %r3 = llvm.extractvalue %right[3] : !llvm.struct<(f32, f32, f32, f32)>
        scf.yield %l0, %l1, %l2, %l3, %r0, %r1, %r2, %r3 : f32, f32, f32, f32, f32, f32, f32, f32
      }
      scf.yield %inner#0, %inner#1, %inner#2, %inner#3, %inner#4, %inner#5, %inner#6, %inner#7 : f32, f32, f32, f32, f32, f32, f32, f32
    }
    // A lane has pairs of the rows lane / 4 and 8 behind it.
    %group = arith.divui %lane, %c4 : index
    %inGroup = arith.remui %lane, %c4 : index
    %row0 = arith.addi %m0, %warpRow : index
    %row = arith.addi %row0, %group : index
    %lowerRow = arith.addi %row, %c8 : index
    %column0 = arith.addi %n0, %warpColumn : index
    %pairs = arith.divui %column0, %c2 : index
    %pair = arith.addi %pairs, %inGroup : index
    %rightPair = arith.addi %pair, %c4 : index
    %upperLeftLow = vector.splat %sums#0 : vector<2xf32>
    %upperLeftBoth = vector.insert %sums#1, %upperLeftLow [1] : f32 into vector<2xf32>
    %upperLeft = arith.truncf %upperLeftBoth : vector<2xf32> to vector<2xbf16>
    memref.store %upperLeft, %C[%row, %pair] : memref<64x32xvector<2xbf16>, 1>
    %lowerLeftLow = vector.splat %sums#2 : vector<2xf32>
    %lowerLeftBoth = vector.insert %sums#3, %lowerLeftLow [1] : f32 into vector<2xf32>
    %lowerLeft = arith.truncf %lowerLeftBoth : vector<2xf32> to vector<2xbf16>
    memref.store %lowerLeft, %C[%lowerRow, %pair] : memref<64x32xvector<2xbf16>, 1>
    %upperRightLow = vector.splat %sums#4 : vector<2xf32>
    %upperRightBoth = vector.insert %sums#5, %upperRightLow [1] : f32 into vector<2xf32>
    %upperRight = arith.truncf %upperRightBoth : vector<2xf32> to vector<2xbf16>
    memref.store %upperRight, %C[%row, %rightPair] : memref<64x32xvector<2xbf16>, 1>
    %lowerRightLow = vector.splat %sums#6 : vector<2xf32>
    %lowerRightBoth = vector.insert %sums#7, %lowerRightLow [1] : f32 into vector<2xf32>
    %lowerRight = arith.truncf %lowerRightBoth : vector<2xf32> to vector<2xbf16>
    memref.store %lowerRight, %C[%lowerRow, %rightPair] : memref<64x32xvector<2xbf16>, 1>
    gpu.return
  }
}
