// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-conformance/Trial.h"

#include "runtime/core/Session.h"
#include "runtime/data/Vocabulary.h"
#include "runtime/decode/SessionStepper.h"
#include "runtime/train/RecurrentMemory.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace bifocal::conformance {
namespace {

/// One model on one device.
class Trial {
public:
  Trial(Session &session, Batch &batch) : session_(session), batch_(batch) {}

  Status run(int64_t updates) {
    BIFOCAL_RETURN_IF_ERROR(evaluate());
    BIFOCAL_RETURN_IF_ERROR(decode());
    BIFOCAL_RETURN_IF_ERROR(differentiate());
    Result<std::optional<RecurrentMemory>> memory = begin(RecurrentMemory::Use::training);
    if (!memory.ok())
      return memory.status();
    for (int64_t update = 1; update <= updates; ++update)
      BIFOCAL_RETURN_IF_ERROR(train(update, *memory ? &**memory : nullptr));
    keep("parameters", session_.parameters());
    return {};
  }

  std::vector<Outcome> outcomes;

private:
  void keep(std::string name, std::span<const float> values) {
    outcomes.push_back({std::move(name), {values.begin(), values.end()}});
  }

  /// Runs an entry whose outputs are f32; they are kept as "<label> <output>". A memory goes on by this segment.
  Status call(const std::string &entry, std::span<const TensorView> inputs, const std::string &label,
              RecurrentMemory *memory = nullptr) {
    Result<std::vector<std::vector<int64_t>>> shapes = session_.outputShapes(entry, inputs);
    if (!shapes.ok())
      return shapes.status();
    const EntryPlan *plan = session_.artifact().plan().find(entry);
    std::vector<TensorView> views, remembered;
    if (memory)
      memory->addOutputs(remembered);
    std::vector<std::vector<float>> outputs(shapes->size());
    for (size_t i = 0, next = 0; i < outputs.size(); ++i) {
      const std::string &name = plan->outputs[i].name;
      if (memory && (name.starts_with("states.") || name.starts_with("spans."))) {
        views.push_back(remembered[next++]);
        continue;
      }
      TensorView &view = views.emplace_back();
      for (const int64_t extent : (*shapes)[i])
        view.extents[view.rank++] = extent;
      outputs[i].resize(static_cast<size_t>(view.elements()));
      view.data = outputs[i].data();
    }
    BIFOCAL_RETURN_IF_ERROR(session_.run(entry, inputs, views));
    for (size_t i = 0; i < views.size(); ++i)
      keep(fmt::format("{} {}", label, plan->outputs[i].name),
           {static_cast<const float *>(views[i].data), static_cast<size_t>(views[i].elements())});
    if (memory)
      memory->advance();
    return {};
  }

  /// Runs an entry over the batch; `settings` follow the texts.
  Status callOn(const std::string &entry, bool withTarget, const std::string &label, RecurrentMemory *memory,
                std::initializer_list<TensorView> settings = {}) {
    std::vector<TensorView> inputs = batch_.inputs(withTarget);
    if (memory)
      BIFOCAL_RETURN_IF_ERROR(memory->addInputs(batch_.shape.sentences, batch_.shape.target, inputs));
    inputs.insert(inputs.end(), settings.begin(), settings.end());
    return call(entry, inputs, label, memory);
  }

  /// The memory of a model that has one, at the beginning of a text.
  Result<std::optional<RecurrentMemory>> begin(RecurrentMemory::Use use) {
    const Manifest &manifest = session_.artifact().manifest();
    if (!MemorySettings::isUsed(manifest))
      return std::optional<RecurrentMemory>();
    Result<RecurrentMemory> memory = RecurrentMemory::create(manifest, use);
    if (!memory.ok())
      return memory.status();
    memory->reset(batch_.shape.sentences, session_.parameters());
    return std::optional(memory.take());
  }

  /// `body` for one segment, and for the next where a memory carries over.
  template <typename Body> Status segments(RecurrentMemory::Use use, const Body &body) {
    Result<std::optional<RecurrentMemory>> memory = begin(use);
    if (!memory.ok())
      return memory.status();
    if (!*memory)
      return body(nullptr, "");
    BIFOCAL_RETURN_IF_ERROR(body(&**memory, ", first segment"));
    return body(&**memory, ", second segment");
  }

  Status evaluate() {
    const auto use = RecurrentMemory::Use::evaluation;
    BIFOCAL_RETURN_IF_ERROR(segments(use, [&](RecurrentMemory *memory, const std::string &where) {
      return callOn("forward", /*withTarget=*/false, "forward" + where, memory);
    }));
    return segments(use, [&](RecurrentMemory *memory, const std::string &where) {
      return callOn("evaluate", /*withTarget=*/true, "evaluate" + where, memory);
    });
  }

  Status differentiate() {
    int64_t rng[] = {7, 1};
    BIFOCAL_RETURN_IF_ERROR(
        segments(RecurrentMemory::Use::training, [&](RecurrentMemory *memory, const std::string &where) {
          return callOn("accumulate_gradients", /*withTarget=*/true, "accumulate_gradients" + where, memory,
                        {TensorView(ElementType::i64, {2}, rng)});
        }));
    const std::span<float> gradients = session_.gradients();
    const Manifest &manifest = session_.artifact().manifest();
    for (const Parameter &parameter : manifest.parameters)
      if (parameter.trained)
        keep("gradient " + parameter.name,
             gradients.subspan(static_cast<size_t>(parameter.offset), static_cast<size_t>(parameter.elements())));
    // What follows starts without gradients.
    float one = 1, hyper[] = {0, 0, 0, 0};
    const TensorView nothing[] = {TensorView(ElementType::f32, {}, &one), TensorView(ElementType::f32, {4}, hyper)};
    return call("apply_gradients", nothing, "apply_gradients");
  }

  Status train(int64_t update, RecurrentMemory *memory) {
    constexpr double rate = 1e-3, beta1 = 0.9, beta2 = 0.98;
    const double time = static_cast<double>(update);
    int64_t rng[] = {7, update + 1};
    float hyper[] = {static_cast<float>(rate),
                     static_cast<float>(rate * std::sqrt(1 - std::pow(beta2, time)) / (1 - std::pow(beta1, time))), 1,
                     0};
    return callOn("train_step", /*withTarget=*/true, fmt::format("train_step {}", update), memory,
                  {TensorView(ElementType::i64, {2}, rng), TensorView(ElementType::f32, {4}, hyper)});
  }

  /// Two hypotheses a sentence, which read the target and change places at every step.
  Status decode() {
    Result<SessionStepper> stepper = SessionStepper::create(session_);
    if (!stepper.ok())
      return stepper.status();
    const auto &[sentences, sourceSteps, steps] = batch_.shape;
    const int64_t rows = 2 * sentences, kept = stepper->cacheSteps(steps);
    stepper->setSource(batch_.source, sentences, sourceSteps);
    BIFOCAL_RETURN_IF_ERROR(stepper->begin(rows, kept));
    std::vector<int32_t> tokens, sentenceOf, ancestors(static_cast<size_t>(rows * kept));
    std::vector<float> logProbabilities(static_cast<size_t>(rows * stepper->vocabularySize()));
    for (int64_t row = 0; row < rows; ++row)
      sentenceOf.push_back(static_cast<int32_t>(row / 2));
    for (int64_t step = 0; step < steps; ++step) {
      tokens.clear();
      for (int64_t row = 0; row < rows; ++row)
        tokens.push_back(batch_.previous[static_cast<size_t>(row / 2 * steps + (row % 2 == 0 ? step : 0))]);
      BIFOCAL_RETURN_IF_ERROR(stepper->step({step, tokens, sentenceOf, ancestors, kept}, logProbabilities));
      keep(fmt::format("decode_step {} log_probabilities", step), logProbabilities);
      BIFOCAL_RETURN_IF_ERROR(checkCandidates(*stepper, {step, tokens, sentenceOf, ancestors, kept}, logProbabilities));
      BIFOCAL_RETURN_IF_ERROR(listTokens(*stepper, {step, tokens, sentenceOf, ancestors, kept}));
      // Row r of the next step continues row r ^ 1 of this one.
      for (int64_t row = 0; row < rows; row += 2) {
        const auto history = [&](int64_t r) { return ancestors.begin() + r * kept; };
        std::swap_ranges(history(row), history(row + 1), history(row + 1));
        *(history(row) + step % kept) = static_cast<int32_t>(row + 1);
        *(history(row + 1) + step % kept) = static_cast<int32_t>(row);
      }
    }
    return {};
  }

  /// The step once more, for a short list: the first tokens of the vocabulary and the last.
  Status listTokens(SessionStepper &stepper, const Stepper::Rows &rows) {
    const auto count = static_cast<size_t>(stepper.shortListSize());
    if (count == 0)
      return {};
    std::vector<int32_t> list(count);
    std::iota(list.begin(), list.end(), static_cast<int32_t>(stepper.vocabularySize() - stepper.shortListSize()));
    std::iota(list.begin(), list.begin() + token::firstFree, 0);
    stepper.setShortList(std::move(list));
    std::vector<float> logProbabilities(rows.tokens.size() * count);
    const Status status = stepper.step(rows, logProbabilities);
    stepper.setShortList({});
    keep(fmt::format("decode_short_list {} log_probabilities", rows.step), logProbabilities);
    return status;
  }

  /// The step once more, for the best tokens alone: the caches get what they have, and the probabilities are those of
  /// all tokens, bit by bit.
  static Status checkCandidates(SessionStepper &stepper, const Stepper::Rows &rows, std::span<const float> all) {
    const auto count = static_cast<size_t>(stepper.candidateCount()), width = all.size() / rows.tokens.size();
    std::vector<float> best(rows.tokens.size() * count);
    std::vector<int32_t> tokens(best.size());
    if (best.empty())
      return {};
    BIFOCAL_RETURN_IF_ERROR(stepper.candidates(rows, best, tokens));
    std::vector<int32_t> order(width);
    for (size_t row = 0; row < rows.tokens.size(); ++row) {
      std::iota(order.begin(), order.end(), 0);
      std::ranges::stable_sort(order, std::ranges::greater(),
                               [&](int32_t token) { return all[row * width + static_cast<size_t>(token)]; });
      for (size_t rank = 0; rank < count; ++rank)
        if (const size_t at = row * count + rank;
            tokens[at] != order[rank] || best[at] != all[row * width + static_cast<size_t>(order[rank])])
          return {StatusCode::internal,
                  fmt::format("step {}, row {}: expects token {} at rank {} of the candidates, but got {} with {}",
                              rows.step, row, order[rank], rank, tokens[at], best[at])};
    }
    return {};
  }

  Session &session_;
  Batch &batch_;
};

} // namespace

Result<std::vector<Outcome>> tryModel(std::shared_ptr<const Artifact> artifact, std::unique_ptr<Device> device,
                                      Batch &batch, int64_t updates) {
  Result<std::unique_ptr<Session>> session = Session::create(std::move(artifact), std::move(device), true);
  if (!session.ok())
    return session.status();
  (*session)->initialize(1);
  Trial trial(**session, batch);
  if (Status status = trial.run(updates); !status.ok())
    return status;
  return std::move(trial.outcomes);
}

} // namespace bifocal::conformance
