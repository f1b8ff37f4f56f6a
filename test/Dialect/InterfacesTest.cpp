// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the ops say through their interfaces: shapes and costs over named sizes, gradients as ops.
#include "dialect/bifocal/BifocalOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace bifocal {
namespace {

class Interfaces : public ::testing::Test {
protected:
  Interfaces() { context.loadDialect<BifocalDialect, func::FuncDialect>(); }

  /// The first op named `name` in the function with this signature and body.
  Operation *parse(StringRef name, StringRef arguments, StringRef body, StringRef before = "") {
    std::string text = (before + "\nfunc.func @f(" + arguments + ") {\n" + body + "\n  return\n}\n").str();
    module = parseSourceString<ModuleOp>(text, &context);
    Operation *found = nullptr;
    if (module)
      module->walk([&](Operation *op) {
        if (!found && op->getName().getStringRef() == name)
          found = op;
      });
    EXPECT_NE(found, nullptr) << text;
    return found;
  }

  AffineExpr symbol(unsigned position) { return getAffineSymbolExpr(position, &context); }

  /// Dims whose dynamic axes are s0, s1, ... by axis.
  SymbolicDims dimsOf(Operation *op) {
    SymbolicDims dims;
    Dims axes = {symbol(0), symbol(1), symbol(2)};
    for (Value operand : op->getOperands())
      dims.operands.push_back(dimsOfType(operand.getType(), axes));
    cast<SymbolicShapeOpInterface>(op).inferSymbolicDims(dims.operands, dims.results);
    return dims;
  }

  /// An expression with numbers for its symbols.
  int64_t evaluate(AffineExpr expression, ArrayRef<int64_t> sizes) {
    SmallVector<AffineExpr> values;
    for (int64_t size : sizes)
      values.push_back(getAffineConstantExpr(size, &context));
    AffineExpr value = simplifyAffineExpr(expression.replaceSymbols(values), 0, 0);
    EXPECT_TRUE(isa<AffineConstantExpr>(value));
    return isa<AffineConstantExpr>(value) ? cast<AffineConstantExpr>(value).getValue() : -1;
  }

  int64_t flops(Operation *op, ArrayRef<int64_t> sizes) {
    return evaluate(cast<CostOpInterface>(op).getFlops(dimsOf(op)), sizes);
  }

  int64_t bytes(Operation *op, ArrayRef<int64_t> sizes) {
    return evaluate(cast<CostOpInterface>(op).getBytes(dimsOf(op)), sizes);
  }

  /// The gradients of the operands of `op` for gradients of all results in `flows`, the result itself standing in.
  SmallVector<Value> gradients(Operation *op, ArrayRef<bool> flows) {
    OpBuilder builder(&context);
    builder.setInsertionPointAfter(op);
    SmallVector<Value> results, operands;
    for (auto [result, flow] : llvm::zip_equal(op->getResults(), flows))
      results.push_back(flow ? Value(result) : Value());
    EXPECT_TRUE(succeeded(cast<DifferentiableOpInterface>(op).buildGradient(builder, results, operands)));
    EXPECT_EQ(operands.size(), op->getNumOperands());
    EXPECT_TRUE(succeeded(module->verify()));
    return operands;
  }

  /// The message where gradients flow into every result of `op`.
  std::string gradientError(Operation *op) {
    std::string message;
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
    OpBuilder builder(&context);
    builder.setInsertionPointAfter(op);
    SmallVector<Value> results(op->getResults()), operands;
    EXPECT_TRUE(failed(cast<DifferentiableOpInterface>(op).buildGradient(builder, results, operands)));
    return message;
  }

  StringRef maker(Value value) { return value ? value.getDefiningOp()->getName().getStringRef() : "none"; }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(Interfaces, results_take_the_symbols_of_their_operands) {
  Operation *op = parse("bifocal.linear", "%x: tensor<?x?x8xf32>, %w: tensor<16x8xf32>",
                        "%y = bifocal.linear %x, %w : (tensor<?x?x8xf32>, tensor<16x8xf32>) -> tensor<?x?x16xf32>");
  SymbolicDims dims = dimsOf(op);
  ASSERT_EQ(dims.results.size(), 1u);
  EXPECT_EQ(dims.results[0], (Dims{symbol(0), symbol(1), getAffineConstantExpr(16, &context)}));
}

TEST_F(Interfaces, log_sums_of_attention_are_batch_heads_steps) {
  Operation *op =
      parse("bifocal.attention", "%q: tensor<?x?x8xf32>",
            "%y, %l = bifocal.attention %q, %q, %q {heads = 2 : i64, scale = 0.5 : f32} : (tensor<?x?x8xf32>, "
            "tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x8xf32>, tensor<?x2x?xf32>)");
  EXPECT_EQ(dimsOf(op).results[1], (Dims{symbol(0), getAffineConstantExpr(2, &context), symbol(1)}));
}

TEST_F(Interfaces, embedding_appends_the_channels_of_its_table) {
  Operation *op = parse("bifocal.embedding", "%i: tensor<?x?xi32>, %t: tensor<20x8xf32>",
                        "%y = bifocal.embedding %i, %t : (tensor<?x?xi32>, tensor<20x8xf32>) -> tensor<?x?x8xf32>");
  EXPECT_EQ(dimsOf(op).results[0], (Dims{symbol(0), symbol(1), getAffineConstantExpr(8, &context)}));
}

TEST_F(Interfaces, linear_costs_two_operations_per_weight_and_row) {
  Operation *op = parse("bifocal.linear", "%x: tensor<?x?x8xf32>, %w: tensor<16x8xf32>, %b: tensor<16xf32>",
                        "%y = bifocal.linear %x, %w bias %b activation relu : (tensor<?x?x8xf32>, tensor<16x8xf32>, "
                        "tensor<16xf32>) -> tensor<?x?x16xf32>");
  // 3 * 5 rows: 2 * 16 * 8 for the product, 16 for the bias, 16 for relu.
  EXPECT_EQ(flops(op, {3, 5, 1}), 3 * 5 * (256 + 16 + 16));
  EXPECT_EQ(bytes(op, {3, 5, 1}), 4 * (15 * 8 + 16 * 8 + 16 + 15 * 16));
}

TEST_F(Interfaces, convolution_costs_two_operations_per_tap) {
  Operation *op = parse("bifocal.light_conv", "%x: tensor<?x?x8xf32>, %t: tensor<2x1x3xf32>",
                        "%y = bifocal.light_conv %x, %t {left_padding = 1 : i64} : (tensor<?x?x8xf32>, "
                        "tensor<2x1x3xf32>) -> tensor<?x?x8xf32>");
  EXPECT_EQ(flops(op, {3, 5, 1}), 2 * 3 * (3 * 5 * 8));
}

TEST_F(Interfaces, causal_attention_scores_half_the_pairs) {
  StringRef tail = "{heads = 2 : i64, scale = 0.5 : f32} : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) "
                   "-> (tensor<?x?x8xf32>, tensor<?x2x?xf32>)";
  Operation *full =
      parse("bifocal.attention", "%q: tensor<?x?x8xf32>", ("%y, %l = bifocal.attention %q, %q, %q " + tail).str());
  EXPECT_EQ(flops(full, {3, 5, 1}), 3 * 25 * (4 * 8 + 6 * 2));
  Operation *half = parse("bifocal.attention", "%q: tensor<?x?x8xf32>",
                          ("%y, %l = bifocal.attention %q, %q, %q causal " + tail).str());
  EXPECT_EQ(flops(half, {3, 5, 1}), 3 * 15 * (4 * 8 + 6 * 2));
}

TEST_F(Interfaces, shared_heads_cost_what_the_queries_score) {
  Operation *op = parse("bifocal.attention", "%q: tensor<?x?x24xf32>, %k: tensor<?x?x6xf32>, %v: tensor<?x?x10xf32>",
                        "%y, %l = bifocal.attention %q, %k, %v {heads = 4 : i64, kv_heads = 1 : i64, scale = 0.5 : "
                        "f32} : (tensor<?x?x24xf32>, tensor<?x?x6xf32>, tensor<?x?x10xf32>) -> (tensor<?x?x40xf32>, "
                        "tensor<?x4x?xf32>)");
  EXPECT_EQ(flops(op, {3, 5, 1}), 3 * 25 * (2 * (24 + 40) + 6 * 4));
  SmallVector<Value> grads = gradients(op, {true, false});
  EXPECT_EQ(maker(grads[1]), "bifocal.attention_grad");
  EXPECT_EQ(grads[2].getType(), op->getOperand(2).getType());
  EXPECT_EQ(cast<AttentionGradOp>(grads[1].getDefiningOp()).getKvHeads(), 1u);
}

TEST_F(Interfaces, both_maps_of_differential_attention_share_the_products_with_values) {
  StringRef x = "tensor<?x?x8xf32>";
  Operation *op =
      parse("bifocal.diff_attention", "%q: tensor<?x?x8xf32>, %w: tensor<f32>",
            ("%y, %l = bifocal.diff_attention %q, %q, %q lambda %w {heads = 2 : i64, scale = 0.5 : f32} : (" + x +
             ", " + x + ", " + x + ", tensor<f32>) -> (" + x + ", tensor<?x4x?xf32>)")
                .str());
  EXPECT_EQ(dimsOf(op).results[1], (Dims{symbol(0), getAffineConstantExpr(4, &context), symbol(1)}));
  EXPECT_EQ(flops(op, {3, 5, 1}), 3 * 25 * (2 * (8 + 8) + 14 * 2));
  SmallVector<Value> grads = gradients(op, {true, false});
  for (Value grad : grads)
    EXPECT_EQ(maker(grad), "bifocal.diff_attention_grad");
  EXPECT_EQ(grads[3].getType(), op->getOperand(3).getType());
  EXPECT_EQ(gradientError(op), "'bifocal.diff_attention' op expects no gradient of 'lse', which is only kept for the "
                               "backward pass, but got one");
}

TEST_F(Interfaces, gradient_of_a_rotation_turns_back) {
  Operation *op = parse("bifocal.rotary", "%x: tensor<?x?x8xf32>, %t: tensor<9x2xf32>",
                        "%y = bifocal.rotary %x, %t, %t layout halves {heads = 2 : i64} : (tensor<?x?x8xf32>, "
                        "tensor<9x2xf32>, tensor<9x2xf32>) -> tensor<?x?x8xf32>");
  auto back = gradients(op, {true})[0].getDefiningOp<RotaryOp>();
  ASSERT_TRUE(back);
  EXPECT_TRUE(back.getInverse());
  EXPECT_EQ(back.getLayout(), RotaryLayout::halves);
}

TEST_F(Interfaces, norm_without_weight_has_one_gradient) {
  Operation *op = parse("bifocal.rms_norm", "%x: tensor<?x8xf32>",
                        "%y = bifocal.rms_norm %x {group = 4 : i64, factor = 0.5 : f32} : (tensor<?x8xf32>) -> "
                        "tensor<?x8xf32>");
  auto grad = gradients(op, {true})[0].getDefiningOp<RmsNormGradOp>();
  ASSERT_TRUE(grad);
  EXPECT_EQ(grad.groupSize(), 4);
  EXPECT_EQ(grad->getNumResults(), 1u);
}

TEST_F(Interfaces, a_map_costs_what_its_ops_cost_and_moves_what_crosses_its_border) {
  Operation *op = parse("bifocal.map", "%x: tensor<?x8xf32>", R"(
    %y = bifocal.map (%a = %x : tensor<?x8xf32>) -> tensor<?x8xf32> {
      %0 = bifocal.relu %a : tensor<?x8xf32>
      %1 = bifocal.add %0, %a : tensor<?x8xf32>
      bifocal.yield %1 : tensor<?x8xf32>
    })");
  EXPECT_EQ(dimsOf(op).results[0], (Dims{symbol(0), getAffineConstantExpr(8, &context)}));
  EXPECT_EQ(flops(op, {5, 1, 1}), 2 * 5 * 8);
  EXPECT_EQ(bytes(op, {5, 1, 1}), 2 * 4 * 5 * 8);
}

TEST_F(Interfaces, adam_counts_the_parameters_that_it_names) {
  Operation *op =
      parse("bifocal.adam", "%f: tensor<f32>, %h: tensor<4xf32>",
            "bifocal.adam %f, %h of [@a, @b] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, "
            "weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>",
            "bifocal.param @a : tensor<3x4xf32> init {kind = \"zeros\"}\n"
            "bifocal.param @b : tensor<5xf32> init {kind = \"zeros\"}");
  SymbolicDims dims;
  EXPECT_EQ(evaluate(cast<CostOpInterface>(op).getFlops(dims), {}), 15 * 17);
  EXPECT_EQ(evaluate(cast<CostOpInterface>(op).getBytes(dims), {}), 7 * 4 * 17);
}

TEST_F(Interfaces, gradient_of_a_gated_linear_without_sums_computes_them_again) {
  Operation *op = parse("bifocal.linear", "%x: tensor<?x8xf32>, %w: tensor<16x8xf32>, %b: tensor<16xf32>",
                        "%y = bifocal.linear %x, %w bias %b activation glu : (tensor<?x8xf32>, tensor<16x8xf32>, "
                        "tensor<16xf32>) -> tensor<?x8xf32>");
  SmallVector<Value> grads = gradients(op, {true});
  EXPECT_EQ(maker(grads[0]), "bifocal.linear_input_grad");
  EXPECT_EQ(maker(grads[1]), "bifocal.linear_weight_grad");
  EXPECT_EQ(maker(grads[2]), "bifocal.column_sum");
  Value inner = grads[2].getDefiningOp()->getOperand(0);
  ASSERT_EQ(maker(inner), "bifocal.glu_grad");
  auto again = inner.getDefiningOp()->getOperand(1).getDefiningOp<LinearOp>();
  ASSERT_TRUE(again);
  EXPECT_EQ(again.getActivation(), Activation::none);
  EXPECT_TRUE(again.getBias());
}

TEST_F(Interfaces, gradient_of_a_gated_linear_reads_the_sums_that_were_kept) {
  Operation *op = parse("bifocal.linear", "%x: tensor<?x8xf32>, %w: tensor<16x8xf32>",
                        "%y, %s = bifocal.linear %x, %w activation glu : (tensor<?x8xf32>, tensor<16x8xf32>) -> "
                        "(tensor<?x8xf32>, tensor<?x16xf32>)");
  SmallVector<Value> grads = gradients(op, {true, false});
  Value inner = grads[0].getDefiningOp()->getOperand(0);
  ASSERT_EQ(maker(inner), "bifocal.glu_grad");
  EXPECT_EQ(inner.getDefiningOp()->getOperand(1), op->getResult(1));
}

TEST_F(Interfaces, no_gradient_flows_without_one_of_a_result) {
  Operation *op = parse("bifocal.relu", "%x: tensor<?x8xf32>", "%y = bifocal.relu %x : tensor<?x8xf32>");
  EXPECT_FALSE(gradients(op, {false})[0]);
}

TEST_F(Interfaces, gradient_of_the_likelihood_is_that_of_a_loss_without_smoothing) {
  Operation *op = parse("bifocal.cross_entropy", "%x: tensor<?x8xf32>, %t: tensor<?xi32>",
                        "%l, %n, %c = bifocal.cross_entropy %x, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : "
                        "(tensor<?x8xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)");
  SmallVector<Value> grads = gradients(op, {true, true, true});
  EXPECT_FALSE(grads[1]);
  auto sum = grads[0].getDefiningOp<AddOp>();
  ASSERT_TRUE(sum);
  EXPECT_FLOAT_EQ(sum.getLhs().getDefiningOp<CrossEntropyGradOp>().getSmoothing().convertToFloat(), 0.1f);
  EXPECT_FLOAT_EQ(sum.getRhs().getDefiningOp<CrossEntropyGradOp>().getSmoothing().convertToFloat(), 0.0f);
}

TEST_F(Interfaces, gradient_of_dropout_draws_the_same_mask) {
  Operation *op = parse("bifocal.dropout", "%x: tensor<?x8xf32>, %r: tensor<2xi64>",
                        "%y = bifocal.dropout %x, %r {rate = 0.3 : f32, site = 7 : i32} : (tensor<?x8xf32>, "
                        "tensor<2xi64>) -> tensor<?x8xf32>");
  SmallVector<Value> grads = gradients(op, {true});
  auto again = grads[0].getDefiningOp<DropoutOp>();
  ASSERT_TRUE(again);
  EXPECT_EQ(again.getSite(), 7u);
  EXPECT_EQ(again.getRng(), op->getOperand(1));
  EXPECT_FALSE(grads[1]);
}

TEST_F(Interfaces, what_is_only_kept_for_the_backward_pass_has_no_gradient) {
  Operation *norm = parse("bifocal.layer_norm", "%x: tensor<?x8xf32>, %s: tensor<8xf32>",
                          "%y:3 = bifocal.layer_norm %x, %s, %s : (tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>) -> "
                          "(tensor<?x8xf32>, tensor<?xf32>, tensor<?xf32>)");
  EXPECT_EQ(gradientError(norm),
            "'bifocal.layer_norm' op expects no gradient of 'mean' and 'rstd', which are only kept "
            "for the backward pass, but got one");
  Operation *attention =
      parse("bifocal.attention", "%q: tensor<?x?x8xf32>",
            "%y, %l = bifocal.attention %q, %q, %q {heads = 2 : i64, scale = 0.5 : f32} : (tensor<?x?x8xf32>, "
            "tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x8xf32>, tensor<?x2x?xf32>)");
  EXPECT_EQ(gradientError(attention), "'bifocal.attention' op expects no gradient of 'lse', which is only kept for the "
                                      "backward pass, but got one");
}

TEST_F(Interfaces, only_norms_reduce_over_the_row) {
  Operation *norm = parse("bifocal.layer_norm", "%x: tensor<?x8xf32>, %s: tensor<8xf32>",
                          "%y:3 = bifocal.layer_norm %x, %s, %s : (tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>) -> "
                          "(tensor<?x8xf32>, tensor<?xf32>, tensor<?xf32>)");
  EXPECT_TRUE(cast<FusibleOpInterface>(norm).isRowReduction());
  EXPECT_FALSE(cast<FusibleOpInterface>(norm).hasColumnSums());
  Operation *sum = parse("bifocal.column_sum", "%x: tensor<?x8xf32>",
                         "%y = bifocal.column_sum %x : (tensor<?x8xf32>) -> tensor<8xf32>");
  EXPECT_FALSE(cast<FusibleOpInterface>(sum).isRowReduction());
  EXPECT_TRUE(cast<FusibleOpInterface>(sum).hasColumnSums());
}

} // namespace
} // namespace bifocal
