// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/AttentionSpec.h"
#include "frontend/RecurrentSpec.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

using namespace bifocal;

static bool attends(Mixer mixer) { return mixer == Mixer::attention || mixer == Mixer::diffAttention; }

static std::string ownerOf(const StackSpec &stack) {
  return stack.mixer == Mixer::branches ? "a list of branches" : fmt::format("`{}`", name(stack.mixer));
}

/// Keys that say nothing beside the mixer.
static void rejectForeignKeys(TableReader &table, const StackSpec &stack) {
  for (std::string_view key : {"kv_heads", "head_dim"}) {
    table.accept(key);
    if (!attends(stack.mixer) && table.userHas(key))
      table.error(key, fmt::format("`{}` belongs to the mixers `attention` and `diff_attention`, but the mixer is {}",
                                   key, ownerOf(stack)));
  }
  table.accept("diff_variant");
  if (stack.mixer != Mixer::diffAttention && table.userHas("diff_variant"))
    table.error("diff_variant", fmt::format("`diff_variant` belongs to the mixer `diff_attention`, but the mixer is {}",
                                            ownerOf(stack)));
}

/// At the key out of `keys` that the user wrote, else at the model's dim.
static void reportAt(TableReader &table, std::initializer_list<std::string_view> keys, std::string message) {
  if (std::ranges::any_of(keys, [&](std::string_view key) { return table.wrong(key); }))
    return;
  for (std::string_view key : keys)
    if (table.userHas(key))
      return table.error(key, std::move(message));
  table.errorAt("model.dim", std::move(message));
}

/// The size of a head is given, or the model's dim is shared out.
static void readHeadDim(TableReader &table, StackSpec &stack, const ModelSpec &model) {
  const bool paired = stack.mixer == Mixer::diffAttention && stack.diffVariant == DiffVariant::v1;
  const int64_t parts = (paired ? 2 : 1) * stack.heads;
  if (table.userHas("head_dim")) {
    stack.headDim = table.integer("head_dim", std::max<int64_t>(1, model.dim / parts), 1, 1 << 16);
  } else {
    stack.headDim = std::max<int64_t>(1, model.dim / parts);
    if (model.dim % parts != 0)
      reportAt(table, {"heads"},
               fmt::format("expects {} to divide dim in {}, but got {} heads and dim {}",
                           paired ? "twice the heads, which count pairs of maps," : "heads", table.title(), stack.heads,
                           model.dim));
  }
  if (model.positions == PositionKind::rotary && stack.headDim % 2 != 0)
    reportAt(
        table, {"head_dim", "heads"},
        fmt::format("rotary positions expect an even size of heads in {}, but got {}", table.title(), stack.headDim));
}

void bifocal::readAttention(TableReader &table, StackSpec &stack, const ModelSpec &model) {
  static constexpr TableReader::Choice variants[] = {{"v1", int(DiffVariant::v1)}, {"v2", int(DiffVariant::v2)}};
  rejectForeignKeys(table, stack);
  if (!attends(stack.mixer))
    return;
  if (stack.mixer == Mixer::diffAttention)
    stack.diffVariant = DiffVariant(table.choice("diff_variant", int(stack.diffVariant), variants));
  stack.kvHeads = table.integer("kv_heads", stack.heads, 1, 1 << 20);
  if (stack.heads % stack.kvHeads != 0)
    reportAt(table, {"kv_heads", "heads"},
             fmt::format("expects kv_heads to divide heads in {}, but got {} kv_heads and {} heads", table.title(),
                         stack.kvHeads, stack.heads));
  readHeadDim(table, stack, model);
}

void bifocal::readRotary(TableReader &table, ModelSpec &model) {
  model.rotaryBase = table.number("rotary_base", model.rotaryBase, 1, 1e12);
  if (model.positions != PositionKind::rotary && table.userHas("rotary_base") && !table.wrong("positions"))
    table.error("rotary_base", fmt::format("`rotary_base` belongs to the positions `rotary`, but the positions are "
                                           "`{}`",
                                           name(model.positions)));
}

static bool hasAttention(const StackSpec &stack) {
  return attends(stack.mixer) ||
         std::ranges::any_of(stack.branches, [](const BranchSpec &branch) { return attends(branch.kind); });
}

void bifocal::checkRotary(TableReader &root, const Spec &spec) {
  if (spec.model.positions != PositionKind::rotary)
    return;
  if (!hasAttention(spec.encoder) && !hasAttention(spec.decoder))
    root.errorAt("model.positions", "rotary positions expect a mixer with attention, whose queries and keys they turn, "
                                    "but no layer has one");
  for (const auto &[side, stack] : {std::pair{"encoder", &spec.encoder}, {"decoder", &spec.decoder}})
    for (size_t number = 0; number < stack->branches.size(); ++number)
      if (const BranchSpec &branch = stack->branches[number];
          attends(branch.kind) && branch.dim % (2 * branch.heads) != 0 && branch.dim % branch.heads == 0)
        root.errorAt(fmt::format("{}.mixer[{}]", side, number),
                     fmt::format("rotary positions expect an even size of heads, but this branch has {}",
                                 branch.dim / branch.heads));
}

void bifocal::readSoftCap(TableReader &table, ModelSpec &model) {
  constexpr double least = 0.001;
  // -0.0 is 0.
  model.attentionSoftCap = std::abs(table.number("attention_soft_cap", model.attentionSoftCap, 0, 1e6));
  if (model.attentionSoftCap > 0 && model.attentionSoftCap < least)
    table.error("attention_soft_cap",
                fmt::format("expects attention_soft_cap of 0, for none, or of at least {}, but got {}", least,
                            model.attentionSoftCap));
}

void bifocal::checkSoftCap(TableReader &root, const Spec &spec) {
  // The decoder of a translation model attends to the encoder whatever its mixers.
  if (spec.model.attentionSoftCap > 0 && spec.isLanguageModel() && !hasAttention(spec.decoder) &&
      !isRecurrent(spec.decoder.mixer))
    root.errorAt("model.attention_soft_cap", "expects a mixer with attention, whose scores it bounds, but no layer has "
                                             "one");
}

std::string bifocal::printAttention(const StackSpec &stack) {
  if (!attends(stack.mixer))
    return {};
  std::string text = fmt::format("kv_heads = {}\nhead_dim = {}\n", stack.kvHeads, stack.headDim);
  if (stack.mixer == Mixer::diffAttention)
    text += fmt::format("diff_variant = \"{}\"\n", name(stack.diffVariant));
  return text;
}
