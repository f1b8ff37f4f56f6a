// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What sources that use LibTorch need, precompiled once: each would read it for half a minute.
#include "cmake/MlirPch.h"
#include <ATen/ATen.h>
#include <torch/autograd.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>
#include <torch/utils.h>
