// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_PASSES_TD
#define BIFOCAL_PASSES_PASSES_TD
include "mlir/Pass/PassBase.td"

defvar remarksOption = Option<"remarks", "remarks", "bool", /*default=*/"false",
    "say at every candidate whether it was rewritten, and if not, why">;

//--- Contracts of the phases -------------------------------------------------------------------------------------

def VerifyDifferentiateInputPass : Pass<"bifocal-verify-differentiate-input", "::mlir::ModuleOp"> {
  let summary = "check what the phase `differentiate` expects";
  let description = [{
    The phase reads what the importer writes:
    - every function has one block, and `bifocal.dims` (where present) has one string per axis;
    - the training graph `@loss`, where present, has the dictionary `bifocal.train` with `optimizer`, the mnemonic of an
      optimizer, and its f32 settings (for `adam`: `beta1`, `beta2`, `epsilon` and `weight_decay`), and rank-0 f32 results
      named `loss` and `count`.
  }];
}

def VerifyOptimizeInputPass : Pass<"bifocal-verify-optimize-input", "::mlir::ModuleOp"> {
  let summary = "check what the phase `optimize` expects";
  let description = [{
    Differentiation is over: there is no `@loss` and no function marked `bifocal.gradient`. Every function has one block,
    because fusion reasons about the order of its ops.
  }];
}

def VerifyScheduleInputPass : Pass<"bifocal-verify-schedule-input", "::mlir::ModuleOp"> {
  let summary = "check what the phase `schedule` expects";
  let description = [{
    Every function is an entry point: one block, bifocal ops only, and every dynamic axis of an argument named in
    `bifocal.dims`, because buffer sizes are expressions over these names.
  }];
}

def VerifyKernelsInputPass : Pass<"bifocal-verify-kernels-input", "::mlir::ModuleOp"> {
  let summary = "check what the phase `kernels` expects";
  let description = [{
    Only parameters, states, `plan.entry` and `plan.kernel` are left, every buffer of an entry has its offset, and the
    workspace of a product holds its panels, as far as its size is known before the program runs.
  }];
}

//--- Phase differentiate -----------------------------------------------------------------------------------------

def FuseTapsIntoConvPass : Pass<"bifocal-fuse-taps-into-conv", "::mlir::func::FuncOp"> {
  let summary = "fold the softmax and the DropConnect of taps into their convolution";
  let description = [{
    The convolution normalises its taps while it loads them and draws the mask of its DropConnect itself: no tensor of
    normalised or masked taps reaches memory, forward or backward.

        %w = bifocal.softmax %taps {group = 7}
        %d = bifocal.dropout %w, %rng {rate = 0.1, site = 3}
        %o = bifocal.light_conv %x, %d
    becomes
        %o = bifocal.light_conv %x, %taps rng %rng normalized {drop_rate = 0.1, site = 3}

    The draw of a tap does not change: its element index is its index in the tensor of taps in both forms. The pass
    runs before differentiation, because then the gradient of the fused op is one op with the same attributes; afterwards
    it would have to find and match the three backward ops again.

    Left alone: a softmax or dropout with a second reader (it would be computed twice), a softmax whose groups are not
    the taps of one filter, and a dropout in front of the softmax.
  }];
  let options = [remarksOption];
}

def InsertGradientsPass : Pass<"bifocal-insert-gradients", "::mlir::ModuleOp"> {
  let summary = "write backward passes and training steps as ordinary ops";
  let description = [{
    Reverse mode over `DifferentiableOpInterface`.

    - `@loss(inputs...) -> (loss, nll, count)` becomes `@train_step` (forward, backward, `store_gradient` for every
      parameter, `global_norm`, `clip`, one `adam` or other optimizer per parameter), `@accumulate_gradients` (adds to the gradients) and
      `@apply_gradients` (the update alone, leaving gradients of zero). `@loss` itself disappears.
    - A function with the unit attribute `bifocal.gradient` gets a sibling `@<name>_gradient` that takes one gradient per
      float result after the arguments, and returns one gradient per float argument after the float results.

    Saved for backward: exactly the forward values that a gradient op reads, as SSA values; nothing is recomputed, but
    dropout masks are drawn again, as they are a function of the generator, the site and the element. Forward ops that
    only backward needs do not exist: what is not read is erased.

    Contributions to the gradient of one value are added in the order in which the backward pass meets its readers, from
    the last to the first, each as soon as it exists. References to one parameter count as one value; an
    `embedding_grad` takes what has come before as its `initial`, so that a tied table needs no extra pass over memory.
    A gradient is stored right after the last contribution.

    An op without a gradient between a parameter and the loss is an error at that op; so is a trained parameter
    that no gradient reaches.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::bifocal::BifocalDialect"];
}

//--- Phase optimize ----------------------------------------------------------------------------------------------

def FoldPaddingMasksPass : Pass<"bifocal-fold-padding-masks", "::mlir::func::FuncOp"> {
  let summary = "keep one padding mask per tokens";
  let description = [{
    Every layer asks for the mask of its input; all masks of the same tokens and pad id become the first one.

        %m = bifocal.padding_mask %source {pad = 1 : i32}
        %n = bifocal.padding_mask %source {pad = 1 : i32}
    becomes one mask that both readers share. Left alone: masks of other tokens or of another pad id.
  }];
  let options = [remarksOption];
}

def FuseProjectedCrossEntropyPass : Pass<"bifocal-fuse-projected-cross-entropy", "::mlir::func::FuncOp"> {
  let summary = "join the output projection and the cross-entropy, with both gradients in training";
  let description = [{
    The fused op goes through the rows in slabs, so no tensor of tokens times vocabulary lives as a whole.

        %logits = bifocal.linear %x, %w
        %loss, %nll, %count = bifocal.cross_entropy %logits, %targets
        %dlogits = bifocal.cross_entropy_grad %logits, %targets
        %dx = bifocal.linear_input_grad %dlogits, %w
        %dw = bifocal.linear_weight_grad %dlogits, %x
    becomes
        %loss, %nll, %count, %dx, %dw = bifocal.projected_cross_entropy %x, %w, %targets

    Left alone: a projection with a bias or an activation, logits with another reader (they must exist anyway), and a
    gradient scaled by anything but 1.
  }];
  let options = [remarksOption];
}

def FuseActivationIntoLinearPass : Pass<"bifocal-fuse-activation-into-linear", "::mlir::func::FuncOp"> {
  let summary = "apply relu and glu where their linear writes its result";
  let description = [{
        %a = bifocal.linear %x, %w bias %b
        %y = bifocal.glu %a
    becomes
        %y = bifocal.linear %x, %w bias %b activation glu

    In training the backward pass of glu reads `%a`: the fused linear then has it as its second result,
    `preactivation`. The gradient of relu needs the output alone.

    Left alone: a sum with any other reader, and an activation whose result goes through further row ops (dropout, a
    padding mask, ...): bias, activation and these together become one map, which saves more.
  }];
  let options = [remarksOption];
}

def FuseRowMapsPass : Pass<"bifocal-fuse-row-maps", "::mlir::func::FuncOp"> {
  let summary = "join row-wise ops into maps that go through memory once";
  let description = [{
    Neighbouring ops with `FusibleOpInterface` over the same rows become one `bifocal.map`: each row is loaded once, and
    only what others read is stored.

        %s = bifocal.linear %x, %w bias %b
        %d = bifocal.dropout %s, %rng
        %a = bifocal.add %residual, %d
        %y, %mean, %rstd = bifocal.layer_norm %a, %scale, %shift
    becomes
        %s = bifocal.linear %x, %w
        %y, %mean, %rstd = bifocal.map(%s, %b, %rng, %residual, %scale, %shift) {add_bias, dropout, add, layer_norm}

    Ops join the group of their latest producer, in program order, so a map begins at the result of a product whenever
    one is among its inputs, and can run as the epilogue of that product. A linear without activation whose
    readers are all row ops gives up its bias; each of the maps adds it again for itself.

    Left alone: a second row reduction (a map has at most one), a join that would make a cycle through an op outside of the
    map, readers of column sums (they need all rows), and single ops.
  }];
  let options = [remarksOption];
  let dependentDialects = ["::bifocal::BifocalDialect"];
}

def FuseOptimizerPass : Pass<"bifocal-fuse-optimizer", "::mlir::func::FuncOp"> {
  let summary = "update all parameters by one op";
  let description = [{
    Neighbouring updates by one optimizer with the same factor, hyperparameters and attributes become one that lists the
    parameters of all: parameters, gradients and moments each are one range of memory, so this is one kernel instead of
    hundreds, unless an update needs the norm of its parameter.
    `global_norm` has one list from the start.

    Left alone: updates with other attributes (no decay for some parameters), and updates with an op that has an effect
    between them, as it may read what they write.
  }];
  let options = [remarksOption];
}

def RecomputePass : Pass<"bifocal-recompute", "::mlir::ModuleOp"> {
  let summary = "compute cheap forward values again in backward instead of keeping them";
  let description = [{
    A forward value that the backward pass reads lives from one to the other. Where row ops can make it from values that
    live as long anyway, these row ops run again right before its first reader in backward, and its memory is free in
    between: layer norms from the sums that their gradients read, gated linear units from theirs. In f32 that gives the same
    bits; in bf16 the second time starts from sums that were rounded on their way through memory.

    `recompute = "attention"` in `bifocal.training` does the same for the output of attention, from its queries, keys and
    values; `"none"` turns the pass off. Without a setting it is `"rows"`.

        %sum, %n, %mean, %rstd = bifocal.map (...) { ... %norm, %m, %r = bifocal.layer_norm %add, ... }
        ... the loss ...
        %dw = bifocal.linear_weight_grad %g, %n
    becomes
        %sum, %n, %mean, %rstd = bifocal.map (...) { ... %norm, %m, %r = bifocal.layer_norm %add, ... }
        ... the loss ...
        %again = bifocal.map (%a = %sum, ...) { %norm, %m, %r = bifocal.layer_norm %a, ... }
        %dw = bifocal.linear_weight_grad %g, %again

    It runs behind every fusion and `cse`, which would join both again.

    Left alone: functions without the gradient of a loss, values of products, convolutions and attention, those behind a
    dropout (its mask would be drawn once more), and those made of values that die before.
  }];
  let options = [remarksOption];
  let dependentDialects = ["::bifocal::BifocalDialect"];
}

def ApplyPrecisionPass : Pass<"bifocal-apply-precision", "::mlir::ModuleOp"> {
  let summary = "hold activations in bf16 where the spec asks for it";
  let description = [{
    With `precision = "bf16"` in `bifocal.training`, every activation and every gradient of one becomes a tensor of bf16, and so do the
    states of a decoder: half the memory, and products of bf16 factors. Kernels compute in f32 whatever lies in memory, so
    nothing is inserted: only the types of values change.

        %s = bifocal.linear %x, %w : (tensor<?x?x512xf32>, tensor<512x512xf32>) -> tensor<?x?x512xf32>
    becomes
        %s = bifocal.linear %x, %w : (tensor<?x?x512xbf16>, tensor<512x512xf32>) -> tensor<?x?x512xbf16>

    It runs after all fusions, so a program has the same launches in bf16 as in f32, and what a map keeps to itself is not
    rounded. The bodies of maps stay f32.

    Left alone: parameters, their gradients and scalars, which have no dynamic axis; statistics of rows; logits, their gradients and
    log-probabilities; what a caller gives or gets; and what an op has to have in the type of one of these.
  }];
  let options = [remarksOption];
  let dependentDialects = ["::bifocal::BifocalDialect"];
}

def QuantizeLinearsPass : Pass<"bifocal-quantize-linears", "::mlir::ModuleOp"> {
  let summary = "round the factors of inference's products to 8 bits where the spec asks for it";
  let description = [{
    With `precision = "int8"` in `bifocal.training`, linears get `quantization factors`, with `"int8_weight_only"`
    `quantization weights`. The type of no value changes: weights are rounded when their panels are packed, activations when a
    product reads them.

        %y = bifocal.linear %x, %w : (tensor<?x512xf32>, tensor<512x512xf32>) -> tensor<?x512xf32>
    becomes
        %y = bifocal.linear %x, %w quantization factors : (tensor<?x512xf32>, tensor<512x512xf32>) -> tensor<?x512xf32>

    Left alone: functions with a loss or an update, which train a model or judge it, and linears whose weight is no parameter.
  }];
  let options = [remarksOption];
  let dependentDialects = ["::bifocal::BifocalDialect"];
}

//--- Phase schedule ----------------------------------------------------------------------------------------------

def LowerToPlanPass : Pass<"bifocal-lower-to-plan", "::mlir::ModuleOp"> {
  let summary = "turn functions into steps on buffers";
  let description = [{
    Every function becomes a `plan.entry`, every op a step that writes into buffers:

    - `linear` and its gradients become `plan.gemm`. Bias and activation are its epilogue; so is the first reader of a plain
      product, where its kernel runs over the same rows and sums over none.
    - `projected_cross_entropy` becomes a `plan.slabs` over windows of 512 rows: logits, loss, gradient of the logits in place,
      gradients of input and weight. Sums over windows have a fixed order.
    - Every other op becomes a `plan.kernel`, shared by equal ops, and a `plan.launch` of the stages that its schedule has.

    Sizes are expressions over the names in `bifocal.dims`. A value that is returned, written to a state or stored as a
    gradient is written straight to that place by its producer; an accumulated gradient is added there by the product that
    makes it. What cannot is copied. The gradient of a tied table grows in one buffer.

        %y = bifocal.linear %x, %w bias %b activation relu
    becomes
        plan.gemm %0, %1 transposed into %2 m ... epilogue @map_0(%2, %3, %4) sizes [...] rows_per_tile 16
  }];
  let dependentDialects = ["::bifocal::BifocalDialect", "::bifocal::plan::PlanDialect"];
}

def AssignMemoryPass : Pass<"bifocal-assign-memory", "::mlir::ModuleOp"> {
  let summary = "give every buffer of the arena its place";
  let description = [{
    Buffers that do not live at the same time share memory. A buffer lives from the first to the last step that names it; the
    body of a `plan.slabs` is one step, within which only workspaces of different products take turns. Buffers of one size class have offsets in bytes per unit of the class, so the plan holds for
    every batch; the largest are placed first, each into the smallest gap that fits. `peak` gets the bytes per unit of each class.

    The result of a row-wise kernel takes the place of an input of the same type that dies there, where the kernel reads every
    element of that input before it writes to its place.
  }];
  let dependentDialects = ["::bifocal::plan::PlanDialect"];
}

def VerifyMemoryPass : Pass<"bifocal-verify-memory", "::mlir::ModuleOp"> {
  let summary = "check that no two live buffers overlap";
  let description = [{
    Recomputes lifetimes from the steps and compares all pairs of buffers, so that tests and edited plans need not trust
    `bifocal-assign-memory`.
  }];
}

//--- Phase kernels -----------------------------------------------------------------------------------------------

#endif
