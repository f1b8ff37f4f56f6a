// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Import.h"
#include "dialect/bifocal/BifocalOps.h"

#include "mlir/IR/Verifier.h"
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <set>

using namespace bifocal;
using namespace mlir;

namespace {
struct Imported {
  MLIRContext context;
  OwningOpRef<ModuleOp> module;

  explicit Imported(std::string_view text) {
    context.disableMultithreading();
    Result<Spec> spec = parseSpec(text, "m.toml");
    if (!spec.ok()) {
      ADD_FAILURE() << spec.status().message();
      return;
    }
    module = importSpec(*spec, context);
  }
  func::FuncOp function(StringRef name) { return module->lookupSymbol<func::FuncOp>(name); }
};
} // namespace

static constexpr std::string_view small = R"([model]
dim = 32
vocabulary = 41
dropout = 0.1
weight_dropout = 0.1
input_dropout = 0.1
relu_dropout = 0.1
attention_dropout = 0.1
[encoder]
layers = 2
mixer = {}
heads = 4
ffn_dim = 64
{}
[decoder]
layers = 2
mixer = {}
heads = 4
ffn_dim = 64
{}
)";

static std::string smallSpec(std::string_view mixer) {
  std::string_view kernels = mixer.ends_with("attention") ? "" : "kernel_sizes = [3, 7]";
  const std::string value = mixer.starts_with('[') ? std::string(mixer) : fmt::format("\"{}\"", mixer);
  return fmt::format(small, value, kernels, value, kernels);
}

class ImportMixer : public testing::TestWithParam<const char *> {};

TEST_P(ImportMixer, makes_a_valid_module_with_all_functions) {
  Imported imported(smallSpec(GetParam()));
  ASSERT_TRUE(imported.module);
  EXPECT_TRUE(succeeded(verify(*imported.module)));
  for (StringRef name : {"loss", "evaluate", "forward", "encode", "decode_step", "decode_candidates"})
    EXPECT_TRUE(imported.function(name)) << name.str();
}

// A step from a short list multiplies the rows of its tokens alone, and draws nothing.
TEST_P(ImportMixer, large_vocabularies_have_short_lists) {
  for (const auto &[vocabulary, listed] : {std::pair(41, 0), {2047, 0}, {2048, 512}, {6632, 1600}, {100000, 4096}}) {
    std::string text = smallSpec(GetParam());
    const std::string_view key = "vocabulary = 41";
    Imported imported(text.replace(text.find(key), key.size(), fmt::format("vocabulary = {}", vocabulary)));
    func::FuncOp step = imported.function("decode_short_list");
    ASSERT_EQ(static_cast<bool>(step), listed > 0) << vocabulary;
    if (!step)
      continue;
    EXPECT_EQ(cast<RankedTensorType>(step.getArgumentTypes().back()).getShape(), ArrayRef<int64_t>{listed});
    EXPECT_EQ(cast<RankedTensorType>(step.getResultTypes()[0]).getShape().back(), listed);
    step.walk([](DropoutOp) { ADD_FAILURE() << "dropout in a step"; });
  }
}

TEST_P(ImportMixer, numbers_dropout_sites_once) {
  Imported imported(smallSpec(GetParam()));
  std::set<uint32_t> sites;
  int64_t count = 0;
  imported.function("loss").walk([&](Operation *op) {
    auto site = op->getAttrOfType<IntegerAttr>("site");
    bool draws = isa<DropoutOp>(op) || (isa<AttentionOp>(op) && cast<AttentionOp>(op).getRng()) ||
                 (isa<DiffAttentionOp>(op) && cast<DiffAttentionOp>(op).getRng());
    if (draws && site) {
      sites.insert(site.getValue().getZExtValue());
      ++count;
    }
  });
  EXPECT_GT(count, 10);
  EXPECT_EQ(static_cast<int64_t>(sites.size()), count);
}

TEST_P(ImportMixer, draws_nothing_outside_training) {
  Imported imported(smallSpec(GetParam()));
  for (StringRef name : {"evaluate", "forward", "encode", "decode_step", "decode_candidates"})
    imported.function(name).walk([&](DropoutOp op) { ADD_FAILURE() << "dropout in " << name.str(); });
}

// Linears of whole sequences leave padding out, by the mask of the text that their rows stand for. Whoever asks for all
// logits gets all.
TEST_P(ImportMixer, linears_leave_padding_out) {
  Imported imported(smallSpec(GetParam()));
  for (StringRef name : {"loss", "evaluate", "encode", "forward"}) {
    func::FuncOp function = imported.function(name);
    llvm::DenseMap<Value, int> products;
    for (auto linear : function.front().getOps<LinearOp>()) {
      auto mask = linear.getMask() ? linear.getMask().getDefiningOp<PaddingMaskOp>() : PaddingMaskOp();
      ++products[mask ? mask.getTokens() : Value()];
    }
    const int ofSource = products.lookup(function.getArgument(0)), ofNone = products.lookup(Value());
    EXPECT_GT(ofSource, 0) << name.str();
    if (name == "forward")
      EXPECT_GT(ofNone, 0);
    else
      EXPECT_EQ(ofNone, 0) << name.str();
    if (name == "loss" || name == "evaluate") {
      EXPECT_GT(products.lookup(function.getArgument(2)), 0) << name.str();
    }
  }
}

static constexpr const char *branches =
    R"([{ kind = "attention", dim = 16 }, { kind = "dynamic_conv", dim = 16, glu = true }])";

INSTANTIATE_TEST_SUITE_P(Mixers, ImportMixer,
                         testing::Values("light_conv", "dynamic_conv", "attention", "diff_attention", branches));

// Each layer takes its input apart and puts together what the branches give, in a step of decoding as well.
TEST(Import, branches_split_and_concat) {
  Imported imported(smallSpec(branches));
  for (const auto &[name, layers] : {std::pair<StringRef, int>{"loss", 4}, {"encode", 2}, {"decode_step", 2}}) {
    int splits = 0, concats = 0;
    imported.function(name).walk([&](SplitOp) { ++splits; });
    imported.function(name).walk([&](ConcatOp) { ++concats; });
    EXPECT_EQ(splits, layers) << name.str();
    EXPECT_EQ(concats, layers) << name.str();
  }
  for (StringRef state : {"decoder.layers.1.self_attn.branches.0.keys", "decoder.layers.1.self_attn.branches.1.input"})
    EXPECT_TRUE(imported.module->lookupSymbol<StateOp>(state)) << state.str();
}

// Unless the spec asks for the published order, padding is zero where a convolution reads it.
TEST(Import, padding_is_masked_where_it_is_convolved) {
  for (const bool published : {false, true}) {
    std::string text = smallSpec(branches);
    if (published)
      text.insert(text.find("kernel_sizes"), "mask_before_linear = true\n");
    Imported imported(text);
    int masks = 0;
    imported.function("encode").walk([&](MaskPaddingOp) { ++masks; });
    EXPECT_EQ(masks, published ? 0 : 2);
    imported.function("encode").walk(
        [&](DynamicConvOp conv) { EXPECT_EQ(conv.getInput().getDefiningOp<MaskPaddingOp>() != nullptr, !published); });
  }
}

static std::string languageModel(std::string_view mixer) {
  return fmt::format("[model]\nkind = \"language_model\"\ndim = 32\nvocabulary = 41\nnorm = \"pre\"\n[decoder]\n"
                     "layers = 2\nmixer = {}\nheads = 4\nffn_dim = 64\n{}",
                     mixer.starts_with("[") ? std::string(mixer) : fmt::format("\"{}\"", mixer),
                     mixer.ends_with("attention") ? "" : "kernel_sizes = [3, 7]\n");
}

TEST_P(ImportMixer, language_models_have_no_encoder) {
  Imported imported(languageModel(GetParam()));
  ASSERT_TRUE(imported.module);
  EXPECT_TRUE(succeeded(verify(*imported.module)));
  for (StringRef name : {"loss", "evaluate", "forward", "decode_step", "decode_candidates"})
    EXPECT_TRUE(imported.function(name)) << name.str();
  EXPECT_FALSE(imported.function("encode"));
  for (auto parameter : imported.module->getOps<ParamOp>())
    EXPECT_FALSE(parameter.getSymName().contains("encoder")) << parameter.getSymName().str();
  for (auto state : imported.module->getOps<StateOp>())
    EXPECT_FALSE(state.getSymName().contains("encoder") || state.getSymName() == "source_mask");
  EXPECT_EQ(imported.function("decode_step").getNumArguments(), 4u);
}

// Distances are projected before the steps, not in each of them.
TEST(Import, transformer_xl_projects_distances_once) {
  Imported imported(languageModel("relative_attention") + "memory = 5\n");
  ASSERT_TRUE(imported.module);
  func::FuncOp encode = imported.function("encode_distances"), step = imported.function("decode_step");
  ASSERT_TRUE(encode && step);
  EXPECT_EQ(encode.getNumArguments(), 1u);
  EXPECT_EQ(encode.getNumResults(), 0u);
  EXPECT_EQ(step.getNumArguments(), 4u);
  std::vector<std::string> written, read;
  encode.walk([&](StateWriteOp write) { written.push_back(write.getState().str()); });
  step.walk([&](StateReadOp state) { read.push_back(state.getState().str()); });
  EXPECT_EQ(written.size(), 2u);
  EXPECT_EQ(read, written);
  step.walk([&](ParamRefOp weight) { EXPECT_FALSE(weight.getParam().contains("r_net")) << weight.getParam().str(); });
}

// What is read is multiplied, scored or not; the projection serves the loss alone.
TEST_P(ImportMixer, language_models_project_what_is_scored) {
  Imported imported(languageModel(GetParam()));
  for (StringRef name : {"loss", "evaluate"}) {
    func::FuncOp function = imported.function(name);
    std::vector<LinearOp> linears;
    for (auto linear : function.front().getOps<LinearOp>())
      linears.push_back(linear);
    ASSERT_FALSE(linears.empty());
    for (LinearOp linear : linears) {
      auto mask = linear.getMask().getDefiningOp<PaddingMaskOp>();
      ASSERT_TRUE(mask);
      EXPECT_EQ(mask.getTokens(), function.getArgument(linear == linears.back() ? 1 : 0));
    }
  }
}

static std::string rotaryModel(std::string_view attention) {
  return fmt::format(
      "[model]\nkind = \"language_model\"\ndim = 32\nvocabulary = 41\nnorm = \"pre\"\nnorm_kind = "
      "\"rms_norm\"\npositions = \"rotary\"\nbias = false\nscale_embeddings = false\n[decoder]\nlayers = "
      "2\nffn_dim = 64\nffn_activation = \"swiglu\"\n{}",
      attention);
}

template <typename Op> static int countOf(Imported &imported, StringRef function) {
  int count = 0;
  imported.function(function).walk([&](Op) { ++count; });
  return count;
}

/// Ops of attention in all functions of a model, steps too, and how many of them cap their scores at 30.
static std::pair<int, int> countCapped(const std::string &text) {
  Imported imported(text);
  std::pair<int, int> counts;
  imported.module->walk([&](Operation *op) {
    if (!op->getName().getStringRef().contains("attention"))
      return;
    ++counts.first;
    auto cap = op->getAttrOfType<FloatAttr>("soft_cap");
    counts.second += cap && cap.getValueAsDouble() == 30;
  });
  return counts;
}

TEST(Import, a_soft_cap_is_that_of_every_attention) {
  const std::string translation = smallSpec("attention");
  for (const std::string &text :
       {translation, smallSpec("diff_attention"), smallSpec("light_conv"), rotaryModel("mixer = \"attention\"\n")}) {
    const auto [all, none] = countCapped(text);
    EXPECT_GT(all, 3) << text;
    EXPECT_EQ(none, 0) << text;
    std::string capped = text;
    capped.insert(capped.find("dim ="), "attention_soft_cap = 30\n");
    EXPECT_EQ(countCapped(capped), std::pair(all, all)) << text;
  }
}

// Two maps with keys of their own, one value as wide as both, the norm behind the difference.
TEST(Import, paired_keys_end_in_a_norm_for_each_head) {
  Imported imported(rotaryModel("mixer = \"diff_attention\"\nheads = 4\nkv_heads = 2\n"));
  ASSERT_TRUE(succeeded(verify(*imported.module)));
  float expected[] = {0.2f, 0.35550908f};
  int layer = 0;
  imported.function("forward").walk([&](DiffAttentionOp op) {
    EXPECT_EQ(op.getHeads(), 4);
    EXPECT_EQ(op.getKvHeads(), 2);
    EXPECT_TRUE(op.getCausal());
    EXPECT_FLOAT_EQ(op.getScale().convertToFloat(), 0.5f);
    EXPECT_TRUE(op.getQuery().getDefiningOp<RotaryOp>());
    EXPECT_EQ(op.getKey().getDefiningOp<RotaryOp>().getHeads(), 4);
    EXPECT_FALSE(op.getValue().getDefiningOp<RotaryOp>());
    const float initial = op.getLambda().getDefiningOp<DiffLambdaOp>().getInitial().convertToFloat();
    EXPECT_FLOAT_EQ(initial, expected[layer]);
    auto norm = cast<RmsNormOp>(*op.getOutput().user_begin());
    EXPECT_EQ(norm.groupSize(), 8);
    EXPECT_FLOAT_EQ(norm.getFactor().convertToFloat(), 1 - expected[layer++]);
  });
  EXPECT_EQ(layer, 2);
  EXPECT_EQ(countOf<DiffAttentionStepOp>(imported, "decode_step"), 2);
  EXPECT_EQ(countOf<RotaryOp>(imported, "decode_step"), 4);
  imported.function("decode_step").walk([](RotaryOp op) { EXPECT_TRUE(op.getStep()); });
  auto keys = imported.module->lookupSymbol<StateOp>("decoder.layers.1.self_attn.keys");
  ASSERT_TRUE(keys);
  EXPECT_EQ(cast<RankedTensorType>(keys.getType()).getShape().back(), 16);
}

// Twice as many queries on the same keys and values, and the difference of neighbours.
TEST(Import, gated_heads_are_attention_and_a_difference) {
  Imported imported(
      rotaryModel("mixer = \"diff_attention\"\ndiff_variant = \"v2\"\nheads = 4\nkv_heads = 2\nhead_dim = 6\n"));
  ASSERT_TRUE(succeeded(verify(*imported.module)));
  int layers = 0;
  imported.function("forward").walk([&](HeadDifferenceOp op) {
    auto attention = op.getInput().getDefiningOp<AttentionOp>();
    ASSERT_TRUE(attention);
    EXPECT_EQ(attention.getHeads(), 8);
    EXPECT_EQ(attention.getKvHeads(), 2);
    EXPECT_EQ(cast<RankedTensorType>(op.getOutput().getType()).getShape().back(), 24);
    ++layers;
  });
  EXPECT_EQ(layers, 2);
  EXPECT_EQ(countOf<DiffAttentionOp>(imported, "forward"), 0);
  EXPECT_EQ(countOf<AttentionStepOp>(imported, "decode_step"), 2);
}

TEST(Import, rotary_models_have_no_biases_nor_added_positions) {
  Imported imported(rotaryModel("mixer = \"attention\"\nheads = 4\nkv_heads = 1\n"));
  ASSERT_TRUE(succeeded(verify(*imported.module)));
  for (auto parameter : imported.module->getOps<ParamOp>())
    EXPECT_FALSE(parameter.getSymName().ends_with(".bias")) << parameter.getSymName().str();
  EXPECT_EQ(countOf<EmbeddingOp>(imported, "forward"), 1);
  imported.function("forward").walk([](EmbeddingOp op) { EXPECT_EQ(op.getScale().convertToFloat(), 1.0f); });
  EXPECT_EQ(countOf<LayerNormOp>(imported, "forward"), 0);
  EXPECT_EQ(countOf<RmsNormOp>(imported, "forward"), 5);
  imported.function("forward").walk([](GluOp op) { EXPECT_EQ(op.getGate(), Gate::silu); });
  EXPECT_EQ(countOf<GluOp>(imported, "forward"), 2);
  auto table = imported.module->lookupSymbol<ParamOp>("rotary.8.cos");
  ASSERT_TRUE(table);
  EXPECT_TRUE(table.getTransient());
}

TEST(Import, operations_carry_the_line_of_their_key) {
  Imported imported(smallSpec("light_conv"));
  std::set<unsigned> columns;
  imported.function("forward").walk([&](LightConvOp op) {
    auto place = op.getLoc()->findInstanceOf<FileLineColLoc>();
    ASSERT_TRUE(place);
    EXPECT_EQ(place.getFilename().str(), "m.toml");
    columns.insert(place.getLine() * 100 + place.getColumn());
  });
  // kernel_sizes stands in lines 14 and 20; its elements in columns 17 and 20.
  EXPECT_EQ(columns, (std::set<unsigned>{1417, 1420, 2017, 2020}));
}

TEST(Import, tied_tables_are_one_parameter_with_aliases) {
  std::string text = smallSpec("light_conv");
  text.insert(text.find("dim = 32"), "share_embeddings = \"all\"\n");
  Imported imported(text);
  auto table = imported.module->lookupSymbol<ParamOp>("encoder.embed_tokens.weight");
  ASSERT_TRUE(table);
  EXPECT_EQ(table.getAliases().size(), 2u);
  EXPECT_FALSE(imported.module->lookupSymbol("decoder.output_projection.weight"));
}
