// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The headers that nearly every source of the runtime needs, precompiled once.
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
