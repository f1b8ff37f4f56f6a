// LightConv on tensor cores: y[b, t, c] = sum over k < 31 of w[c / 64, k] * x[b, t + k - 15, c], x and y [2, 128, 128] in bf16, w [2, 31] in f32.
// All 64 channels of a head share their taps, so 16 steps of output are a banded 16 x 48 matrix of taps times 48 steps of x. An entry of that
// matrix depends on its diagonal alone: 7 registers of pairs hold what a thread needs of it. A block of 4 warps has 64 steps of one head, a
// warp 16 of them; a grid of 2 (steps) x 2 (heads) x 2 (batch). Arguments: x, w, y.
gpu.module @kernels {
  gpu.func @light_conv_bf16(%x: memref<2x128x128xbf16, 1>, %w: memref<2x31xf32, 1>, %y: memref<2x128x64xvector<2xbf16>, 1>)
      workgroup(%slab : memref<96x72xbf16, #gpu.address_space<workgroup>> {llvm.align = 16 : i64},
                %taps : memref<80xf32, #gpu.address_space<workgroup>> {llvm.align = 16 : i64})
      kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c6 = arith.constant 6 : index
    %c8 = arith.constant 8 : index
    %c15 = arith.constant 15 : index
    %c16 = arith.constant 16 : index
    %c31 = arith.constant 31 : index
    %c32 = arith.constant 32 : index
    %c64 = arith.constant 64 : index
    %c80 = arith.constant 80 : index
    %c128 = arith.constant 128 : index
    %zero = arith.constant 0.0 : f32
    %thread = gpu.thread_id x
    %tile = gpu.block_id x
    %head = gpu.block_id y
    %batch = gpu.block_id z
    %lane = arith.remui %thread, %c32 : index
    %warp = arith.divui %thread, %c32 : index
    %t0 = arith.muli %tile, %c64 : index
    %channel0 = arith.muli %head, %c64 : index
    // Copies of 8 channels: 8 threads a step, 16 steps a trip.
    %copyStep = arith.divui %thread, %c8 : index
    %copyEighth = arith.remui %thread, %c8 : index
    %copyChannel = arith.muli %copyEighth, %c8 : index
    %channel = arith.addi %channel0, %copyChannel : index
    %begin = arith.subi %t0, %c15 : index
    scf.for %trip = %c0 to %c6 step %c1 {
      %tripStep = arith.muli %trip, %c16 : index
      %row = arith.addi %copyStep, %tripStep : index
      %time = arith.addi %begin, %row : index
      // Unsigned, so it also rejects steps before the first; what is rejected is filled with zeros.
      %inside = arith.cmpi ult, %time, %c128 : index
      %source = arith.select %inside, %time, %c0 : index
      %count = arith.select %inside, %c8, %c0 : index
      %copy = nvgpu.device_async_copy %x[%batch, %source, %channel], %slab[%row, %copyChannel], 8, %count {bypassL1}
          : memref<2x128x128xbf16, 1> to memref<96x72xbf16, #gpu.address_space<workgroup>>
    }
    nvvm.cp.async.commit.group
    // Taps with 16 zeros before and 33 behind.
    %writes = arith.cmpi ult, %thread, %c80 : index
    scf.if %writes {
      %tap = arith.subi %thread, %c16 : index
      %real = arith.cmpi ult, %tap, %c31 : index
      %value = scf.if %real -> f32 {
        %loaded = memref.load %w[%head, %tap] : memref<2x31xf32, 1>
        scf.yield %loaded : f32
      } else {
        scf.yield %zero : f32
      }
      memref.store %value, %taps[%thread] : memref<80xf32, #gpu.address_space<workgroup>>
    }
    nvvm.cp.async.wait.group 0
    gpu.barrier
    %laneRow = arith.divui %lane, %c4 : index
    %laneInRow = arith.remui %lane, %c4 : index
    %laneColumn = arith.muli %laneInRow, %c2 : index
    %difference = arith.subi %laneColumn, %laneRow : index
    // Diagonal j - i - 8 of the first pair.
    %d0 = arith.addi %difference, %c8 : index
    %e0 = arith.addi %d0, %c1 : index
    %low0 = memref.load %taps[%d0] : memref<80xf32, #gpu.address_space<workgroup>>
    %high0 = memref.load %taps[%e0] : memref<80xf32, #gpu.address_space<workgroup>>
    %both0 = llvm.call_intrinsic "llvm.nvvm.ff2bf16x2.rn"(%high0, %low0) : (f32, f32) -> vector<2xbf16>
    %a0 = llvm.bitcast %both0 : vector<2xbf16> to i32
    %d1 = arith.addi %d0, %c8 : index
    %e1 = arith.addi %d1, %c1 : index
    %low1 = memref.load %taps[%d1] : memref<80xf32, #gpu.address_space<workgroup>>
    %high1 = memref.load %taps[%e1] : memref<80xf32, #gpu.address_space<workgroup>>
    %both1 = llvm.call_intrinsic "llvm.nvvm.ff2bf16x2.rn"(%high1, %low1) : (f32, f32) -> vector<2xbf16>
    %a1 = llvm.bitcast %both1 : vector<2xbf16> to i32
    %d2 = arith.addi %d1, %c8 : index
    %e2 = arith.addi %d2, %c1 : index
    %low2 = memref.load %taps[%d2] : memref<80xf32, #gpu.address_space<workgroup>>
    %high2 = memref.load %taps[%e2] : memref<80xf32, #gpu.address_space<workgroup>>
    %both2 = llvm.call_intrinsic "llvm.nvvm.ff2bf16x2.rn"(%high2, %low2) : (f32, f32) -> vector<2xbf16>
    %a2 = llvm.bitcast %both2 : vector<2xbf16> to i32
    %d3 = arith.addi %d2, %c8 : index
    %e3 = arith.addi %d3, %c1 : index
    %low3 = memref.load %taps[%d3] : memref<80xf32, #gpu.address_space<workgroup>>
    %high3 = memref.load %taps[%e3] : memref<80xf32, #gpu.address_space<workgroup>>
    %both3 = llvm.call_intrinsic "llvm.nvvm.ff2bf16x2.rn"(%high3, %low3) : (f32, f32) -> vector<2xbf16>
    %a3 = llvm.bitcast %both3 : vector<2xbf16> to i32
    %d4 = arith.addi %d3, %c8 : index
    %e4 = arith.addi %d4, %c1 : index
    %low4 = memref.load %taps[%d4] : memref<80xf32, #gpu.address_space<workgroup>>
    %high4 = memref.load %taps[%e4] : memref<80xf32, #gpu.address_space<workgroup>>
    %both4 = llvm.call_intrinsic "llvm.nvvm.ff2bf16x2.rn"(%high4, %low4) : (f32, f32) -> vector<2xbf16>
    %a4 = llvm.bitcast %both4 : vector<2xbf16> to i32
    %d5 = arith.addi %d4, %c8 : index
    %e5 = arith.addi %d5, %c1 : index
    %low5 = memref.load %taps[%d5] : memref<80xf32, #gpu.address_space<workgroup>>
    %high5 = memref.load %taps[%e5] : memref<80xf32, #gpu.address_space<workgroup>>
    %both5 = llvm.call_intrinsic "llvm.nvvm.ff2bf16x2.rn"(%high5, %low5) : (f32, f32) -> vector<2xbf16>
    %a5 = llvm.bitcast %both5 : vector<2xbf16> to i32
    %d6 = arith.addi %d5, %c8 : index
    %e6 = arith.addi %d6, %c1 : index
    %low6 = memref.load %taps[%d6] : memref<80xf32, #gpu.address_space<workgroup>>
    %high6 = memref.load %taps[%e6] : memref<80xf32, #gpu.address_space<workgroup>>
    %both6 = llvm.call_intrinsic "llvm.nvvm.ff2bf16x2.rn"(%high6, %low6) : (f32, f32) -> vector<2xbf16>
    %a6 = llvm.bitcast %both6 : vector<2xbf16> to i32
    %warpStep = arith.muli %warp, %c16 : index
    %lane16 = arith.remui %lane, %c16 : index
    %laneHigh = arith.divui %lane, %c16 : index
    %row0 = arith.addi %warpStep, %lane16 : index
    %row1 = arith.addi %row0, %c16 : index
    %row2 = arith.addi %row0, %c32 : index
    %laneChannel = arith.muli %laneHigh, %c8 : index
    %time0 = arith.addi %t0, %warpStep : index
    %outTime = arith.addi %time0, %laneRow : index
    %lowerTime = arith.addi %outTime, %c8 : index
    %headPair = arith.divui %channel0, %c2 : index
    %outPair0 = arith.addi %headPair, %laneInRow : index
    scf.for %channels = %c0 to %c64 step %c16 {
      %column = arith.addi %channels, %laneChannel : index
      %x0 = nvgpu.ldmatrix %slab[%row0, %column] {numTiles = 4 : i32, transpose = true} : memref<96x72xbf16, #gpu.address_space<workgroup>> -> vector<4x2xbf16>
      %b0_Words = vector.bitcast %x0 : vector<4x2xbf16> to vector<4x1xi32>
      %b0_0 = vector.extract %b0_Words[0, 0] : i32 from vector<4x1xi32>
      %b0_1 = vector.extract %b0_Words[1, 0] : i32 from vector<4x1xi32>
      %b0_2 = vector.extract %b0_Words[2, 0] : i32 from vector<4x1xi32>
      %b0_3 = vector.extract %b0_Words[3, 0] : i32 from vector<4x1xi32>
      %left0 = llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%a1, %a0, %a2, %a1, %b0_0, %b0_1, %zero, %zero, %zero, %zero)
          : (i32, i32, i32, i32, i32, i32, f32, f32, f32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
      %l0_0 = llvm.extractvalue %left0[0] : !llvm.struct<(f32, f32, f32, f32)>
      %l0_1 = llvm.extractvalue %left0[1] : !llvm.struct<(f32, f32, f32, f32)>
      %l0_2 = llvm.extractvalue %left0[2] : !llvm.struct<(f32, f32, f32, f32)>
      %l0_3 = llvm.extractvalue %left0[3] : !llvm.struct<(f32, f32, f32, f32)>
      %right0 = llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%a1, %a0, %a2, %a1, %b0_2, %b0_3, %zero, %zero, %zero, %zero)
          : (i32, i32, i32, i32, i32, i32, f32, f32, f32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
      %r0_0 = llvm.extractvalue %right0[0] : !llvm.struct<(f32, f32, f32, f32)>
      %r0_1 = llvm.extractvalue %right0[1] : !llvm.struct<(f32, f32, f32, f32)>
      %r0_2 = llvm.extractvalue %right0[2] : !llvm.struct<(f32, f32, f32, f32)>
      %r0_3 = llvm.extractvalue %right0[3] : !llvm.struct<(f32, f32, f32, f32)>
      %x1 = nvgpu.ldmatrix %slab[%row1, %column] {numTiles = 4 : i32, transpose = true} : memref<96x72xbf16, #gpu.address_space<workgroup>> -> vector<4x2xbf16>
      %b1_Words = vector.bitcast %x1 : vector<4x2xbf16> to vector<4x1xi32>
      %b1_0 = vector.extract %b1_Words[0, 0] : i32 from vector<4x1xi32>
      %b1_1 = vector.extract %b1_Words[1, 0] : i32 from vector<4x1xi32>
      %b1_2 = vector.extract %b1_Words[2, 0] : i32 from vector<4x1xi32>
      %b1_3 = vector.extract %b1_Words[3, 0] : i32 from vector<4x1xi32>
      %left1 = llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%a3, %a2, %a4, %a3, %b1_0, %b1_1, %l0_0, %l0_1, %l0_2, %l0_3)
          : (i32, i32, i32, i32, i32, i32, f32, f32, f32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
      %l1_0 = llvm.extractvalue %left1[0] : !llvm.struct<(f32, f32, f32, f32)>
      %l1_1 = llvm.extractvalue %left1[1] : !llvm.struct<(f32, f32, f32, f32)>
      %l1_2 = llvm.extractvalue %left1[2] : !llvm.struct<(f32, f32, f32, f32)>
      %l1_3 = llvm.extractvalue %left1[3] : !llvm.struct<(f32, f32, f32, f32)>
      %right1 = llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%a3, %a2, %a4, %a3, %b1_2, %b1_3, %r0_0, %r0_1, %r0_2, %r0_3)
          : (i32, i32, i32, i32, i32, i32, f32, f32, f32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
      %r1_0 = llvm.extractvalue %right1[0] : !llvm.struct<(f32, f32, f32, f32)>
      %r1_1 = llvm.extractvalue %right1[1] : !llvm.struct<(f32, f32, f32, f32)>
      %r1_2 = llvm.extractvalue %right1[2] : !llvm.struct<(f32, f32, f32, f32)>
      %r1_3 = llvm.extractvalue %right1[3] : !llvm.struct<(f32, f32, f32, f32)>
      %x2 = nvgpu.ldmatrix %slab[%row2, %column] {numTiles = 4 : i32, transpose = true} : memref<96x72xbf16, #gpu.address_space<workgroup>> -> vector<4x2xbf16>
      %b2_Words = vector.bitcast %x2 : vector<4x2xbf16> to vector<4x1xi32>
      %b2_0 = vector.extract %b2_Words[0, 0] : i32 from vector<4x1xi32>
      %b2_1 = vector.extract %b2_Words[1, 0] : i32 from vector<4x1xi32>
      %b2_2 = vector.extract %b2_Words[2, 0] : i32 from vector<4x1xi32>
      %b2_3 = vector.extract %b2_Words[3, 0] : i32 from vector<4x1xi32>
      %left2 = llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%a5, %a4, %a6, %a5, %b2_0, %b2_1, %l1_0, %l1_1, %l1_2, %l1_3)
          : (i32, i32, i32, i32, i32, i32, f32, f32, f32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
      %l2_0 = llvm.extractvalue %left2[0] : !llvm.struct<(f32, f32, f32, f32)>
      %l2_1 = llvm.extractvalue %left2[1] : !llvm.struct<(f32, f32, f32, f32)>
      %l2_2 = llvm.extractvalue %left2[2] : !llvm.struct<(f32, f32, f32, f32)>
      %l2_3 = llvm.extractvalue %left2[3] : !llvm.struct<(f32, f32, f32, f32)>
      %right2 = llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%a5, %a4, %a6, %a5, %b2_2, %b2_3, %r1_0, %r1_1, %r1_2, %r1_3)
          : (i32, i32, i32, i32, i32, i32, f32, f32, f32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
      %r2_0 = llvm.extractvalue %right2[0] : !llvm.struct<(f32, f32, f32, f32)>
      %r2_1 = llvm.extractvalue %right2[1] : !llvm.struct<(f32, f32, f32, f32)>
      %r2_2 = llvm.extractvalue %right2[2] : !llvm.struct<(f32, f32, f32, f32)>
      %r2_3 = llvm.extractvalue %right2[3] : !llvm.struct<(f32, f32, f32, f32)>
      %pairs = arith.divui %channels, %c2 : index
      %pair = arith.addi %outPair0, %pairs : index
      %rightPair = arith.addi %pair, %c4 : index
      %upperLeftLow = vector.splat %l2_0 : vector<2xf32>
      %upperLeftBoth = vector.insert %l2_1, %upperLeftLow [1] : f32 into vector<2xf32>
      %upperLeft = arith.truncf %upperLeftBoth : vector<2xf32> to vector<2xbf16>
      memref.store %upperLeft, %y[%batch, %outTime, %pair] : memref<2x128x64xvector<2xbf16>, 1>
      %lowerLeftLow = vector.splat %l2_2 : vector<2xf32>
      %lowerLeftBoth = vector.insert %l2_3, %lowerLeftLow [1] : f32 into vector<2xf32>
      %lowerLeft = arith.truncf %lowerLeftBoth : vector<2xf32> to vector<2xbf16>
      memref.store %lowerLeft, %y[%batch, %lowerTime, %pair] : memref<2x128x64xvector<2xbf16>, 1>
      %upperRightLow = vector.splat %r2_0 : vector<2xf32>
      %upperRightBoth = vector.insert %r2_1, %upperRightLow [1] : f32 into vector<2xf32>
      %upperRight = arith.truncf %upperRightBoth : vector<2xf32> to vector<2xbf16>
      memref.store %upperRight, %y[%batch, %outTime, %rightPair] : memref<2x128x64xvector<2xbf16>, 1>
      %lowerRightLow = vector.splat %r2_2 : vector<2xf32>
      %lowerRightBoth = vector.insert %r2_3, %lowerRightLow [1] : f32 into vector<2xf32>
      %lowerRight = arith.truncf %lowerRightBoth : vector<2xf32> to vector<2xbf16>
      memref.store %lowerRight, %y[%batch, %lowerTime, %rightPair] : memref<2x128x64xvector<2xbf16>, 1>
    }
    gpu.return
  }
}
