// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/kernels/Contest.h"

#include "tools/bifocal-golden/CompiledModule.h"

#include <ATen/core/grad_mode.h>
#include <map>
#include <torch/csrc/autograd/autograd.h>

using at::Tensor;

namespace bifocal::bench {
namespace {

TensorView viewOf(const Tensor &tensor) {
  TensorView view(tensor.scalar_type() == at::kFloat  ? ElementType::f32
                  : tensor.scalar_type() == at::kInt  ? ElementType::i32
                  : tensor.scalar_type() == at::kBool ? ElementType::i1
                                                      : ElementType::i64,
                  {}, tensor.data_ptr());
  for (int64_t extent : tensor.sizes())
    view.extents[view.rank++] = extent;
  return view;
}

class TorchContest final : public Contest {
public:
  TorchContest(std::shared_ptr<golden::CompiledModule> module, ContestSpec spec)
      : module_(std::move(module)), spec_(std::move(spec)) {}

  Status allocate();
  Status runOurs() override { return module_->session().run(spec_.entry, inputs_, outputs_); }
  std::vector<std::string> formulations() const override {
    std::vector<std::string> names;
    for (const Formulation &formulation : spec_.formulations)
      names.push_back(formulation.name);
    return names;
  }
  Status runPeer(size_t formulation) override { return computePeer(formulation).status(); }
  Result<double> difference(size_t formulation) override;

private:
  /// The value, then the gradients.
  Result<std::vector<Tensor>> computePeer(size_t formulation);

  std::shared_ptr<golden::CompiledModule> module_;
  ContestSpec spec_;
  std::vector<Tensor> kept_; ///< what the views look at
  std::map<std::string, Tensor> results_;
  std::vector<TensorView> inputs_, outputs_;
  std::vector<Tensor> peerInputs_, leaves_;
  Tensor outputGradient_;
};

Status TorchContest::allocate() {
  std::map<std::string, Tensor> byName(spec_.inputs.begin(), spec_.inputs.end());
  const EntryPlan *plan = module_->session().artifact().plan().find(spec_.entry);
  if (!plan)
    return {StatusCode::internal, "the compiled op has no entry " + spec_.entry};
  for (const PlanArgument &argument : plan->inputs) {
    const auto found = byName.find(argument.name);
    if (found == byName.end())
      return {StatusCode::internal, "expects an input " + argument.name};
    // Our ids are i32.
    kept_.push_back(argument.type == ElementType::i32 ? found->second.to(at::kInt) : found->second);
    inputs_.push_back(viewOf(kept_.back()));
  }
  Result<std::vector<std::vector<int64_t>>> shapes = module_->session().outputShapes(spec_.entry, inputs_);
  if (!shapes.ok())
    return shapes.status();
  for (size_t i = 0; i < plan->outputs.size(); ++i) {
    const Tensor result = at::zeros((*shapes)[i], at::kFloat);
    outputs_.push_back(viewOf(results_[plan->outputs[i].name] = result));
  }
  for (size_t i = 0; i < spec_.peerInputs; ++i) {
    const Tensor leaf = spec_.inputs[i].second.detach();
    if (spec_.backward && leaf.is_floating_point())
      leaves_.push_back(leaf.set_requires_grad(true));
    peerInputs_.push_back(leaf);
  }
  if (byName.count("y_grad"))
    outputGradient_ = byName["y_grad"];
  return {};
}

Result<std::vector<Tensor>> TorchContest::computePeer(size_t formulation) {
  try {
    const at::AutoGradMode gradients(spec_.backward);
    std::vector<Tensor> results = {spec_.formulations[formulation].compute(peerInputs_)};
    if (spec_.backward)
      for (Tensor &gradient : torch::autograd::grad({results[0]}, leaves_, {outputGradient_}))
        results.push_back(gradient);
    return results;
  } catch (const std::exception &error) {
    const std::string text = error.what();
    return Status(StatusCode::internal,
                  "PyTorch, " + spec_.formulations[formulation].name + ": " + text.substr(0, text.find('\n')));
  }
}

Result<double> TorchContest::difference(size_t formulation) {
  if (spec_.random)
    return 0.0;
  BIFOCAL_RETURN_IF_ERROR(runOurs());
  const Result<std::vector<Tensor>> expected = computePeer(formulation);
  if (!expected.ok())
    return expected.status();
  double worst = 0;
  for (size_t i = 0; i < spec_.values.size(); ++i) {
    const Tensor &found = results_[spec_.values[i]], wanted = (*expected)[i].detach();
    if (found.sizes() != wanted.sizes())
      return Status(StatusCode::internal, "the shapes of " + spec_.values[i] + " differ");
    const double largest = std::max(1.0, wanted.abs().max().item<double>());
    const double error = (found - wanted).abs().max().item<double>() / largest;
    // Not std::max, which would drop a NaN.
    worst = error <= worst ? worst : error;
  }
  return worst;
}

} // namespace

Result<std::unique_ptr<Contest>> makeContest(ContestSpec spec) {
  static std::map<std::pair<std::string, int>, std::shared_ptr<golden::CompiledModule>> compiled;
  const std::string text = test::moduleText(spec.op, spec.statics);
  std::shared_ptr<golden::CompiledModule> &module = compiled[{text, spec.threads}];
  if (!module) {
    Result<std::unique_ptr<golden::CompiledModule>> made =
        golden::CompiledModule::ofText(text, /*training=*/false, spec.threads);
    if (!made.ok())
      return Status(made.status().code(), made.status().message() + "\n" + text);
    module = made.take();
  }
  auto contest = std::make_unique<TorchContest>(module, std::move(spec));
  BIFOCAL_RETURN_IF_ERROR(contest->allocate());
  return std::unique_ptr<Contest>(std::move(contest));
}

} // namespace bifocal::bench
