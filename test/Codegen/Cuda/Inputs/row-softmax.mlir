// Softmax of rows of 128 f32, a warp each: 4 numbers a lane, maximum and sum by butterflies of shuffles. Arguments: x, y, the number of
// rows. A block has 4 warps, so the grid has a quarter as many blocks as there are rows.
gpu.module @kernels {
  gpu.func @row_softmax(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>, %rows: i32)
      kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %c5 = arith.constant 5 : index
    %c32 = arith.constant 32 : index
    %one = arith.constant 1 : i32
    %width = arith.constant 32 : i32
    %log2e = arith.constant 1.44269504 : f32
    %zero = arith.constant dense<0.0> : vector<4xf32>
    %lane = gpu.lane_id
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %warp = arith.divui %thread, %c32 : index
    %firstRow = arith.muli %block, %c4 : index
    %row = arith.addi %firstRow, %warp : index
    %rowNumber = arith.index_cast %row : index to i32
    // The same for all lanes of a warp, so all of them reach the shuffles.
    %inside = arith.cmpi ult, %rowNumber, %rows : i32
    scf.if %inside {
      %begin = arith.muli %row, %c32 : index
      %index = arith.addi %begin, %lane : index
      %position = arith.index_cast %index : index to i64
      %place = llvm.getelementptr %x[%position] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, vector<4xf32>
      %values = llvm.load %place {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
      %own = vector.reduction <maxnumf>, %values : vector<4xf32> into f32
      %maximum, %lastMask = scf.for %step = %c0 to %c5 step %c1 iter_args(%best = %own, %mask = %one) -> (f32, i32) {
        %other, %valid = gpu.shuffle xor %best, %mask, %width : f32
        %better = arith.maxnumf %best, %other : f32
        %next = arith.shli %mask, %one : i32
        scf.yield %better, %next : f32, i32
      }
      %scaled = arith.mulf %maximum, %log2e : f32
      %offset = arith.negf %scaled : f32
      %exps = scf.for %i = %c0 to %c4 step %c1 iter_args(%done = %zero) -> vector<4xf32> {
        %value = vector.extractelement %values[%i : index] : vector<4xf32>
        %power = math.fma %value, %log2e, %offset : f32
        %exp = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%power) : (f32) -> f32
        %next = vector.insertelement %exp, %done[%i : index] : vector<4xf32>
        scf.yield %next : vector<4xf32>
      }
      %part = vector.reduction <add>, %exps : vector<4xf32> into f32
      %sum, %endMask = scf.for %step = %c0 to %c5 step %c1 iter_args(%total = %part, %mask = %one) -> (f32, i32) {
        %other, %valid = gpu.shuffle xor %total, %mask, %width : f32
        %both = arith.addf %total, %other : f32
        %next = arith.shli %mask, %one : i32
        scf.yield %both, %next : f32, i32
      }
      %reciprocal = nvvm.rcp.approx.ftz.f %sum : f32
      %factors = vector.splat %reciprocal : vector<4xf32>
      %result = arith.mulf %exps, %factors : vector<4xf32>
      %target = llvm.getelementptr %y[%position] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, vector<4xf32>
      llvm.store %result, %target {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
    }
    gpu.return
  }
}
