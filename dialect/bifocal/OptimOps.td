// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_OPTIMOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_OPTIMOPS_TD
include "dialect/bifocal/BifocalDialect.td"

// Gradients and moments are no values: they live in slabs with the offsets of the parameters. The ops below that touch
// a slab have memory effects, so nothing merges, moves or deletes them.

def Bifocal_StoreGradientOp : Bifocal_Op<"store_gradient", [DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>]> {
  let summary = "write of a parameter's gradient into the gradient slab";
  let description = [{
        slab[param] = gradient, with `accumulate` slab[param] + gradient

    `gradient` has the type of the parameter.

    Constraints:
    - (C1) `param` names a `bifocal.param`.
    - (C2) `gradient` has its type.

    Example:

    ```mlir
    bifocal.store_gradient %dw into @fc1.weight accumulate : tensor<1024x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$gradient, FlatSymbolRefAttr:$param, UnitAttr:$accumulate);
  let assemblyFormat = "$gradient `into` $param (`accumulate` $accumulate^)? attr-dict `:` type($gradient)";
}

def Bifocal_GlobalNormOp : Bifocal_Op<"global_norm", [MemoryEffects<[MemRead]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>]> {
  let summary = "norm of the gradients of an update";
  let description = [{
        norm = sqrt(sum over all elements g of the gradients of `params` of g^2) / count

    `count` and `norm` are f32 scalars. Short runs are summed in f32,
    the runs in f64, in an order that the sizes alone fix.

    Constraints:
    - (C1) There is at least one parameter.
    - (C2) No parameter is listed twice.
    - (C3) Every name is that of a trained `bifocal.param`.

    Example:

    ```mlir
    %norm = bifocal.global_norm %count of [@fc1.weight, @fc1.bias] : (tensor<f32>) -> tensor<f32>
    ```
  }];
  let arguments = (ins Bifocal_Scalar:$count, TypedArrayAttrBase<FlatSymbolRefAttr, "parameters">:$params);
  let results = (outs Bifocal_Scalar:$norm);
  let assemblyFormat = "$count `of` $params attr-dict `:` functional-type(operands, results)";
}

def Bifocal_ClipOp : Bifocal_PureOp<"clip"> {
  let summary = "factor that bounds the global norm and makes a sum a mean";
  let description = [{
        factor = min(1, hyper[2] / (norm + 1e-6)) / count, with hyper[2] = 0: 1 / count

    `hyper` is `[4]`: learning rate, the rate as the optimizer corrects it, clip norm, reserved. All elements are f32.

    Example:

    ```mlir
    %factor = bifocal.clip %norm, %count, %hyper : (tensor<f32>, tensor<f32>, tensor<4xf32>) -> tensor<f32>
    ```
  }];
  let arguments = (ins Bifocal_Scalar:$norm, Bifocal_Scalar:$count, Bifocal_Hyper:$hyper);
  let results = (outs Bifocal_Scalar:$factor);
  let assemblyFormat = "$norm `,` $count `,` $hyper attr-dict `:` functional-type(operands, results)";
}

// An update of parameters. With `bounds` [low, high] an element that the update takes below or above them becomes the
// nearer one. `hyper[1]` is the caller's: it depends on the number of the update, which no op knows.
class Bifocal_UpdateOp<string mnemonic, list<string> overridden = []> : Bifocal_Op<mnemonic,
    [DeclareOpInterfaceMethods<SymbolUserOpInterface>, DeclareOpInterfaceMethods<CostOpInterface, ["getBytes"]>,
     DeclareOpInterfaceMethods<OptimizerOpInterface, overridden>]> {
  let assemblyFormat = "$factor `,` $hyper `of` $params (`clear_gradients` $clear_gradients^)? attr-dict `:` type(operands)";
  let hasVerifier = 1;
}

def Bifocal_AdamOp : Bifocal_UpdateOp<"adam"> {
  let summary = "one Adam update of the listed parameters, in place";
  let description = [{
    For every element p of the parameters, with its gradient and its moments m and v:

        g = factor * gradient
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        p = p - weight_decay * hyper[0] * p
        p = p - hyper[1] * m / (sqrt(v) + epsilon)

    hyper[1] holds the learning rate times sqrt(1 - beta2^t) / (1 - beta1^t): the correction is the caller's, epsilon is
    added to the uncorrected root. With `bounds` [low, high] p becomes min(max(p, low), high) at the end. With
    `clear_gradients` the gradients are set to zero. Everything is f32.

    Constraints:
    - (C1) There is at least one parameter.
    - (C2) No parameter is listed twice.
    - (C3) Every name is that of a trained `bifocal.param`.
    - (C4) `beta1` and `beta2` are in [0, 1).
    - (C5) `epsilon` > 0.
    - (C6) `weight_decay` >= 0.
    - (C7) `bounds` are two numbers with low <= 0 <= high: what lies between parameters is 0 and stays so.

    Example:

    ```mlir
    bifocal.adam %factor, %hyper of [@fc1.weight, @fc1.bias] clear_gradients
        {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 1.0e-4 : f32} : tensor<f32>, tensor<4xf32>
    ```
  }];
  let arguments = (ins Bifocal_Scalar:$factor, Bifocal_Hyper:$hyper, TypedArrayAttrBase<FlatSymbolRefAttr, "parameters">:$params,
    F32Attr:$beta1, F32Attr:$beta2, F32Attr:$epsilon, F32Attr:$weight_decay, OptionalAttr<DenseF32ArrayAttr>:$bounds,
    UnitAttr:$clear_gradients);
}

def Bifocal_AdagradOp : Bifocal_UpdateOp<"adagrad", ["isElementwise"]> {
  let summary = "one Adagrad update of the listed parameters, in place, each clipped by itself";
  let description = [{
    For every parameter, whose elements are p, with their gradients and their sums of squares s:

        g = factor * gradient + weight_decay * p
        norm = sqrt(sum over the elements of this parameter of g^2)
        rate = hyper[1], with clip > 0 and norm > clip: hyper[1] * clip / (norm + 1e-10)
        s = s + g^2
        p = p - rate * g / (sqrt(s) + epsilon)

    The clip makes a step shorter, not the gradient that is remembered (Sukhbaatar et al. 2019, section 4.1, and the code
    published with it). hyper[1] holds the learning rate divided by 1 + (t - 1) * lr_decay: the caller knows t. With
    `clear_gradients` the gradients are set to zero. Everything is f32; norms are summed in f64, in an order that the
    sizes alone fix.

    `bounds` and constraints (C1) to (C3) and (C7) as for `bifocal.adam`.
    - (C4) `clip` >= 0; 0 leaves every step as it is.
    - (C5) `epsilon` > 0.
    - (C6) `weight_decay` >= 0.

    Example:

    ```mlir
    bifocal.adagrad %factor, %hyper of [@fc1.weight]
        {clip = 0.03 : f32, epsilon = 1.0e-10 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
    ```
  }];
  let arguments = (ins Bifocal_Scalar:$factor, Bifocal_Hyper:$hyper, TypedArrayAttrBase<FlatSymbolRefAttr, "parameters">:$params,
    F32Attr:$clip, F32Attr:$epsilon, F32Attr:$weight_decay, OptionalAttr<DenseF32ArrayAttr>:$bounds,
    UnitAttr:$clear_gradients);
}

def Bifocal_NagOp : Bifocal_UpdateOp<"nag"> {
  let summary = "one update by Nesterov's accelerated gradient of the listed parameters, in place";
  let description = [{
    For every element p of the parameters, with its gradient and its velocity u:

        g = factor * gradient
        p = p - weight_decay * hyper[0] * p
        p = p + momentum^2 * hyper[1] * u - (1 + momentum) * hyper[0] * g
        u = momentum * hyper[1] * u - hyper[0] * g

    hyper[1] holds the learning rate divided by that of the update before (1 at the first), because u is a sum of steps:
    Sutskever et al. 2013, section 3, in the form in which fairseq's `nag` takes it. With `clear_gradients` the
    gradients are set to zero. Everything is f32.

    `bounds` and constraints (C1) to (C3) and (C7) as for `bifocal.adam`.
    - (C4) `momentum` is in [0, 1).
    - (C5) `weight_decay` >= 0.

    Example:

    ```mlir
    bifocal.nag %factor, %hyper of [@fc1.weight, @fc1.bias]
        {momentum = 0.99 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
    ```
  }];
  let arguments = (ins Bifocal_Scalar:$factor, Bifocal_Hyper:$hyper, TypedArrayAttrBase<FlatSymbolRefAttr, "parameters">:$params,
    F32Attr:$momentum, F32Attr:$weight_decay, OptionalAttr<DenseF32ArrayAttr>:$bounds,
    UnitAttr:$clear_gradients);
}

def Bifocal_SgdOp : Bifocal_UpdateOp<"sgd"> {
  let summary = "one update by stochastic gradient descent with momentum of the listed parameters, in place";
  let description = [{
    For every element p of the parameters, with its gradient and its velocity u:

        g = factor * gradient + weight_decay * p
        u = momentum * u + g
        p = p - hyper[0] * u

    This is `torch.optim.SGD` without dampening. With `clear_gradients` the gradients are set to zero. Everything is f32.

    `bounds` and constraints (C1) to (C3) and (C7) as for `bifocal.adam`.
    - (C4) `momentum` is in [0, 1).
    - (C5) `weight_decay` >= 0.

    Example:

    ```mlir
    bifocal.sgd %factor, %hyper of [@fc1.weight, @fc1.bias]
        {momentum = 0.9 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
    ```
  }];
  let arguments = (ins Bifocal_Scalar:$factor, Bifocal_Hyper:$hyper, TypedArrayAttrBase<FlatSymbolRefAttr, "parameters">:$params,
    F32Attr:$momentum, F32Attr:$weight_decay, OptionalAttr<DenseF32ArrayAttr>:$bounds,
    UnitAttr:$clear_gradients);
}
#endif
