// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The same for programs with a command line.
#include "cmake/RuntimePch.h"
#include <CLI/CLI.hpp>
