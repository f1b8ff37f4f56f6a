// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A mixer that is a list: mixers side by side, each on channels of its own (Lite Transformer's LSRA).

#include "frontend/Branches.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace bifocal;

static bool isConvolution(const BranchSpec &branch) { return branch.kind != Mixer::attention; }

static void readConvolution(TableReader &table, BranchSpec &branch) {
  branch.kernelSize = table.integer("kernel_size", 0, 1, 1 << 20);
  branch.glu = table.boolean("glu", false);
  branch.weightSoftmax = table.boolean("weight_softmax", true);
  if (isConvolution(branch))
    return;
  for (std::string_view key : {"kernel_size", "glu", "weight_softmax"})
    if (table.userHas(key) && !table.wrong("kind"))
      table.error(key, fmt::format("`{}` belongs to convolutions, but the kind of this branch is `attention`", key));
  branch = {branch.kind, branch.dim, branch.heads};
}

static BranchSpec readBranch(TableReader &table, const StackSpec &stack) {
  static constexpr TableReader::Choice kinds[] = {{"attention", int(Mixer::attention)},
                                                  {"light_conv", int(Mixer::lightConv)},
                                                  {"dynamic_conv", int(Mixer::dynamicConv)}};
  static constexpr std::string_view later[] = {"diff_attention"};
  BranchSpec branch;
  branch.kind = Mixer(table.choice("kind", int(branch.kind), kinds, later));
  branch.dim = table.integer("dim", 0, 1, 1 << 20);
  branch.heads = table.integer("heads", stack.heads, 1, 1 << 20);
  for (std::string_view key : {"kind", "dim"})
    if (!table.has(key))
      table.error(key, fmt::format("expects `{}` in {}, but it is missing", key, table.title()));
  readConvolution(table, branch);
  if (branch.dim % branch.heads != 0 && !table.wrong("heads") && !table.wrong("dim"))
    table.error(table.userHas("heads") ? "heads" : "dim",
                fmt::format("expects heads to divide dim in {}, but got {} heads and dim {}", table.title(),
                            branch.heads, branch.dim));
  table.finish();
  return branch;
}

/// The channels of all branches are those of the model.
static void checkDims(TableReader &table, const StackSpec &stack, int64_t dim) {
  std::vector<int64_t> dims;
  int64_t sum = 0;
  for (const BranchSpec &branch : stack.branches) {
    // A dim that is missing or wrong has been reported.
    if (branch.dim == 0)
      return;
    dims.push_back(branch.dim);
    sum += branch.dim;
  }
  if (sum == dim)
    return;
  std::string message = fmt::format("expects the dims of the branches in {} to add up to the model's dim {}, but got "
                                    "{} = {}",
                                    table.title(), dim, fmt::join(dims, " + "), sum);
  if (table.userHas("mixer"))
    table.error("mixer", std::move(message));
  else
    table.errorAt("model.dim", std::move(message));
}

/// Keys of a stack that say nothing where every branch has its own.
static void checkForeignKeys(TableReader &table, const StackSpec &stack, bool decoder) {
  for (std::string_view key : {"glu", "weight_softmax"}) {
    table.accept(key);
    if (table.userHas(key))
      table.error(key, fmt::format("`{}` belongs to each branch where the mixer is a list, as in `{{ kind = "
                                   "\"dynamic_conv\", {} = true }}`",
                                   key, key));
  }
  for (std::string_view key : {"conv_dim", "conv_bias"}) {
    table.accept(key);
    if (table.userHas(key))
      table.error(key, fmt::format("`{}` belongs to convolutions alone, but the mixer is a list of branches", key));
  }
  if (decoder && table.userHas("mask_before_linear"))
    table.error("mask_before_linear",
                "`mask_before_linear` belongs to [encoder]: no padding stands before the tokens of a decoder");
  const bool listed = std::ranges::any_of(
      stack.branches, [](const BranchSpec &branch) { return isConvolution(branch) && branch.kernelSize == 0; });
  if (!listed && table.userHas("kernel_sizes") && !table.wrong("mixer"))
    table.error("kernel_sizes", "`kernel_sizes` belongs to convolutions without a `kernel_size`, but no branch is one");
}

void bifocal::readBranches(TableReader &table, StackSpec &stack, int64_t dim, bool decoder) {
  stack.mixer = Mixer::branches;
  stack.convDim = dim;
  stack.glu = false;
  stack.maskBeforeLinear = table.boolean("mask_before_linear", false) && !decoder;
  std::vector<TableReader> tables = table.tables("mixer", "branch");
  for (TableReader &branch : tables)
    stack.branches.push_back(readBranch(branch, stack));
  if (tables.size() < 2 && !table.wrong("mixer"))
    table.error("mixer", fmt::format("expects at least two branches in `mixer`, but got {}", tables.size()));
  else if (!table.wrong("mixer"))
    checkDims(table, stack, dim);
  checkForeignKeys(table, stack, decoder);
}

std::string bifocal::printBranches(const StackSpec &stack) {
  std::vector<std::string> texts;
  for (const BranchSpec &branch : stack.branches) {
    std::string text =
        fmt::format("{{ kind = \"{}\", dim = {}, heads = {}", name(branch.kind), branch.dim, branch.heads);
    if (isConvolution(branch))
      text += (branch.kernelSize > 0 ? fmt::format(", kernel_size = {}", branch.kernelSize) : "") +
              fmt::format(", glu = {}, weight_softmax = {}", branch.glu, branch.weightSoftmax);
    texts.push_back(text + " }");
  }
  return fmt::format("[{}]", fmt::join(texts, ", "));
}
