// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Trainer.h"

#include "runtime/core/Philox.h"
#include "runtime/core/Weights.h"
#include "runtime/data/Text.h"
#include "test/Runtime/GoldenJson.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace bifocal;

namespace {

constexpr int64_t vocabulary = 40;
constexpr size_t slabElements = 64;

Manifest toyManifest() {
  Manifest manifest;
  manifest.specHash = "0123456789abcdef";
  Parameter table{"table", {"tied.table"}, {vocabulary, 1}, 0, {}, true, true};
  Parameter scale{"scale", {}, {}, 48, {}, false, true};
  Parameter constant{"constant", {}, {2}, 50, {}, false, false};
  manifest.parameters = {table, scale, constant};
  manifest.parameterElements = slabElements;
  manifest.trainedElements = 48;
  return manifest;
}

/// A model of one number per token, trained towards a noisy target: enough that every counter of the training shows in
/// the weights.
class ToySession final : public Session {
public:
  const Artifact &artifact() const override { std::abort(); }
  void initialize(uint64_t seed) override {
    for (size_t i = 0; i < slabElements; ++i)
      slabs_[0][i] = static_cast<float>(philoxDraw(seed, i, 0, 0)) / 4e9f;
  }
  Status run(std::string_view entry, std::span<const TensorView> in, std::span<const TensorView> out) override {
    if (entry == "apply_gradients") {
      update(*at<float>(in[0]), at<float>(in[1]), *at<float>(out[0]));
      return Status();
    }
    const bool trains = entry != "evaluate";
    backward(in[2], trains ? at<int64_t>(in[3]) : nullptr, out);
    if (entry == "train_step")
      update(*at<float>(out[2]), at<float>(in[4]), *at<float>(out[3]));
    return Status();
  }
  Result<std::vector<std::vector<int64_t>>> outputShapes(std::string_view, std::span<const TensorView>) const override {
    return std::vector<std::vector<int64_t>>();
  }
  Status sizeStates(const std::map<std::string, int64_t> &, bool) override { return Status(); }
  Result<int64_t> peakBytes(std::string_view, std::span<const TensorView>) const override { return int64_t{0}; }
  std::span<float> parameters() override { return slabs_[0]; }
  std::span<float> gradients() override { return std::span(slabs_[1]).first(48); }
  std::span<float> firstMoments() override { return std::span(slabs_[2]).first(48); }
  std::span<float> secondMoments() override { return std::span(slabs_[3]).first(48); }
  size_t arenaBytes() const override { return 0; }
  bool sharesHostMemory() const override { return true; }
  std::string deviceDescription() const override { return "toy"; }
  void profile(bool) override {}
  std::vector<FamilyTime> profileResult() const override { return {}; }
  double profiledFlops() const override { return 0; }

private:
  template <typename T> static T *at(const TensorView &tensor) { return static_cast<T *>(tensor.data); }

  void backward(const TensorView &target, const int64_t *rng, std::span<const TensorView> out) {
    float loss = 0, count = 0;
    for (int64_t i = 0; i < target.elements(); ++i) {
      const auto id = static_cast<size_t>(at<int32_t>(target)[i]);
      if (id == 1)
        continue;
      const float noise = rng ? static_cast<float>(philoxDraw(static_cast<uint64_t>(rng[0]), static_cast<uint64_t>(i),
                                                              1, static_cast<uint32_t>(rng[1]))) /
                                    4e9f
                              : 0.5f;
      const float error = slabs_[0][id] - noise - static_cast<float>(id);
      loss += error * error;
      count += 1;
      if (rng)
        slabs_[1][id] += 2 * error;
    }
    *at<float>(out[0]) = *at<float>(out[1]) = loss;
    *at<float>(out[2]) = count;
  }

  void update(float count, const float *hyper, float &norm) {
    float sum = 0;
    for (size_t i = 0; i < 48; ++i) {
      const float gradient = slabs_[1][i] / count;
      sum += gradient * gradient;
      slabs_[2][i] = 0.9f * slabs_[2][i] + 0.1f * gradient;
      slabs_[3][i] = 0.98f * slabs_[3][i] + 0.02f * gradient * gradient;
      slabs_[0][i] -= hyper[1] * slabs_[2][i] / (std::sqrt(slabs_[3][i]) + 1e-8f);
      slabs_[1][i] = 0;
    }
    norm = std::sqrt(sum);
  }

  std::array<float, slabElements> slabs_[4] = {};
};

class Recorder final : public TrainObserver {
public:
  void onUpdate(const UpdateReport &report) override {
    updates.push_back(report);
    if (afterUpdate)
      afterUpdate(report.update);
  }
  void onValidation(const ValidationReport &report) override { validations.push_back(report); }
  void onCheckpoint(const std::string &, int64_t) override { ++checkpoints; }

  std::vector<UpdateReport> updates;
  std::vector<ValidationReport> validations;
  int checkpoints = 0;
  std::function<void(int64_t)> afterUpdate;
};

class TrainerTest : public ::testing::Test {
protected:
  void SetUp() override {
    folder_ =
        test::emptyFolder(std::string("trainer-") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::vector<std::vector<int32_t>> sentences;
    for (int32_t i = 0; i < 60; ++i) {
      for (int32_t j = 0; j <= i % 9; ++j)
        sentences.resize(static_cast<size_t>(i) + 1), sentences.back().push_back(4 + (i * 7 + j * 3) % 36);
      sentences.back().push_back(2);
    }
    ASSERT_TRUE(writeCorpus(folder_ + "/text.bin", sentences, vocabulary).ok());
    corpus_ = std::make_unique<Corpus>(Corpus::open(folder_ + "/text.bin").take());
    options_.limits = {40, 0, 1};
    options_.schedule.warmupUpdates = 5;
    options_.schedule.rate = 0.05;
    options_.maxUpdates = 50;
    data_ = std::make_unique<ParallelData>(ParallelData::create(*corpus_, *corpus_, options_.limits, 0, 1).take());
  }

  /// Trains in `<folder>/<name>`; continues there if there is a checkpoint.
  Result<TrainEnd> train(const std::string &name, Recorder &recorder, const std::atomic<bool> &stop) {
    const std::string run = folder_ + "/" + name;
    std::filesystem::create_directories(run);
    ToySession session;
    const Manifest manifest = toyManifest();
    Result<Trainer> trainer =
        Trainer::create(session, manifest, *data_, data_.get(), options_, run, {77, 78}, recorder);
    if (!trainer.ok())
      return trainer.status();
    if (std::filesystem::exists(run + "/last.safetensors"))
      BIFOCAL_RETURN_IF_ERROR(trainer->resume(otherOptions_));
    else
      trainer->initialize();
    return trainer->run(stop);
  }

  void expectEqualRuns(const std::string &a, const std::string &b) {
    for (const char *file : {"/last.safetensors", "/best.safetensors"})
      EXPECT_TRUE(*readText(folder_ + "/" + a + file) == *readText(folder_ + "/" + b + file)) << file;
  }

  std::string folder_;
  std::unique_ptr<Corpus> corpus_;
  std::unique_ptr<ParallelData> data_;
  TrainingOptions options_;
  bool otherOptions_ = false;
  std::atomic<bool> go_{false};
};

TEST_F(TrainerTest, learns_validates_and_saves) {
  Recorder recorder;
  const Result<TrainEnd> end = train("a", recorder, go_);
  ASSERT_TRUE(end.ok()) << end.status().message();
  EXPECT_EQ(*end, TrainEnd::maxUpdates);
  ASSERT_EQ(recorder.updates.size(), 50u);
  EXPECT_LT(recorder.validations.back().sums.lossPerToken(), recorder.validations.front().sums.lossPerToken());
  // Validated at the end of each epoch, and once more at the end.
  EXPECT_EQ(recorder.validations.size(), static_cast<size_t>(50 / data_->batches()) + (50 % data_->batches() != 0));
  EXPECT_NEAR(recorder.updates[0].rate, 0, 0);
  EXPECT_NEAR(recorder.updates[5].rate, 0.05, 1e-9);
}

TEST_F(TrainerTest, stopped_and_resumed_equals_uninterrupted) {
  for (int64_t frequency : {1, 3}) {
    options_.updateFrequency = frequency;
    Recorder whole, parts;
    const std::string suffix = std::to_string(frequency);
    ASSERT_TRUE(train("whole" + suffix, whole, go_).ok());
    for (int64_t stopAt : {1, 2, 17, 30, 49}) {
      std::atomic<bool> stop{false};
      parts.afterUpdate = [&](int64_t update) { stop = update >= stopAt; };
      const Result<TrainEnd> end = train("parts" + suffix, parts, stop);
      ASSERT_TRUE(end.ok()) << end.status().message();
      EXPECT_EQ(*end, TrainEnd::interrupted);
    }
    parts.afterUpdate = nullptr;
    ASSERT_TRUE(train("parts" + suffix, parts, go_).ok());
    expectEqualRuns("whole" + suffix, "parts" + suffix);
    EXPECT_EQ(parts.updates.size(), 50u);
  }
}

// Its time is up again and again, mostly where no validation is due.
TEST_F(TrainerTest, paused_by_its_time_and_resumed_equals_uninterrupted) {
  options_.keepLast = 3;
  options_.patience = 40;
  options_.validateEvery = options_.saveEvery = 7;
  Recorder whole, parts;
  ASSERT_TRUE(train("whole", whole, go_).ok());
  options_.maxSeconds = 0.01;
  parts.afterUpdate = [](int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(4)); };
  int pauses = 0;
  for (Result<TrainEnd> end = TrainEnd::maxTime; *end == TrainEnd::maxTime; ++pauses) {
    ASSERT_LT(pauses, 100);
    end = train("parts", parts, go_);
    ASSERT_TRUE(end.ok()) << end.status().message();
  }
  EXPECT_GT(pauses, 5);
  expectEqualRuns("whole", "parts");
  for (const auto &file : std::filesystem::directory_iterator(folder_ + "/whole"))
    EXPECT_TRUE(std::filesystem::exists(folder_ + "/parts/" + file.path().filename().string())) << file.path();
}

// The process dies where it happens to be, also while a checkpoint is being written.
TEST_F(TrainerTest, killed_and_resumed_equals_uninterrupted) {
  options_.saveEvery = 1;
  options_.maxUpdates = 120;
  Recorder whole;
  ASSERT_TRUE(train("whole", whole, go_).ok());
  bool finished = false;
  for (int attempt = 0; attempt < 500 && !finished; ++attempt) {
    const pid_t child = fork();
    if (child == 0) {
      Recorder recorder;
      _exit(train("killed", recorder, go_).ok() ? 0 : 1);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(2000 + 997 * attempt));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    finished = WIFEXITED(status);
    if (finished) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
    }
  }
  EXPECT_TRUE(finished);
  expectEqualRuns("whole", "killed");
  const auto files = std::filesystem::directory_iterator(folder_ + "/killed");
  EXPECT_EQ(std::distance(begin(files), end(files)), 2) << "what a killed run left must be gone";
}

TEST_F(TrainerTest, patience_and_epochs_end_training) {
  options_.maxUpdates = 0;
  options_.maxEpochs = 3;
  Recorder recorder;
  EXPECT_EQ(*train("epochs", recorder, go_), TrainEnd::maxEpochs);
  EXPECT_EQ(static_cast<int64_t>(recorder.updates.size()), 3 * data_->batches());
  options_.maxEpochs = 0;
  options_.patience = 2;
  options_.schedule.rate = 5; // Far too high: the loss soon stops falling.
  EXPECT_EQ(*train("patience", recorder, go_), TrainEnd::patience);
}

TEST_F(TrainerTest, another_seed_or_cut_cannot_be_resumed) {
  Recorder recorder;
  ASSERT_TRUE(train("a", recorder, go_).ok());
  options_.seed = 2;
  EXPECT_EQ(train("a", recorder, go_).status().code(), StatusCode::usage);
  options_.seed = 1;
  *data_ = ParallelData::create(*corpus_, *corpus_, {20, 0, 1}, 0, 1).take();
  EXPECT_EQ(train("a", recorder, go_).status().code(), StatusCode::usage);
}

TEST_F(TrainerTest, other_options_cannot_be_resumed_and_are_all_named) {
  Recorder recorder;
  options_.maxUpdates = 10;
  ASSERT_TRUE(train("a", recorder, go_).ok());
  // What only ends a run or saves it may change, and one that ends later is the one that was to end there.
  options_.maxUpdates = 20;
  options_.maxEpochs = 100;
  options_.maxSeconds = 300;
  options_.patience = 50;
  options_.saveEvery = 3;
  Status status = train("a", recorder, go_).status();
  EXPECT_TRUE(status.ok()) << status.message();
  options_.seed = 2;
  options_.schedule.rate = 0.1;
  options_.clipNorm = 0.5;
  options_.limits.maxTokens = 41;
  options_.updateFrequency = 2;
  status = train("a", recorder, go_).status();
  EXPECT_EQ(status.code(), StatusCode::usage);
  EXPECT_EQ(status.message(),
            "'" + folder_ +
                "/a/last.safetensors' was written by another training: expects seed 1, but got 2; clip_norm "
                "0, but got 0.5; lr 0.05, but got 0.1; max_tokens 40, but got 41; update_freq 1, but got 2; "
                "give the same again, accept other options with --resume=changed, or train in another folder");
  options_.seed = 1;
  otherOptions_ = true;
  // Smaller batches, of which there are more, begin the epoch anew.
  options_.limits.maxTokens = 20;
  *data_ = ParallelData::create(*corpus_, *corpus_, options_.limits, 0, 1).take();
  options_.maxUpdates = 21;
  recorder.updates.clear();
  status = train("a", recorder, go_).status();
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(recorder.updates.size(), 1u);
  otherOptions_ = false;
  status = train("a", recorder, go_).status();
  EXPECT_TRUE(status.ok()) << "the options of the last run count: " << status.message();
}

// A cosine without a period of its own is as long as the training: another end is another schedule.
TEST_F(TrainerTest, a_schedule_as_long_as_the_training_cannot_be_resumed_to_another_end) {
  Recorder recorder;
  options_.maxUpdates = 10;
  options_.schedule.name = "cosine";
  ASSERT_TRUE(train("cosine", recorder, go_).ok());
  options_.maxUpdates = 20;
  EXPECT_NE(train("cosine", recorder, go_).status().message().find("expects max_update 10, but got 20;"),
            std::string::npos);
  options_.maxUpdates = 10;
  options_.schedule.periodUpdates = 5;
  ASSERT_TRUE(train("period", recorder, go_).ok());
  options_.maxUpdates = 20;
  EXPECT_TRUE(train("period", recorder, go_).ok());
}

TEST_F(TrainerTest, a_checkpoint_without_options_can_be_resumed) {
  Recorder recorder;
  options_.maxUpdates = 10;
  ASSERT_TRUE(train("a", recorder, go_).ok());
  const std::string path = folder_ + "/a/last.safetensors";
  ToySession session;
  const Manifest manifest = toyManifest();
  Result<TrainingState> state = readCheckpoint(path, manifest, session);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->options, options_.decisive());
  state->options.clear();
  ASSERT_TRUE(writeCheckpoint(path, manifest, session, *state).ok());
  options_.clipNorm = 2;
  ASSERT_TRUE(train("a", recorder, go_).ok());
  EXPECT_EQ(readCheckpoint(path, manifest, session)->options, options_.decisive());
}

TEST_F(TrainerTest, damaged_checkpoints_are_errors) {
  Recorder recorder;
  options_.maxUpdates = 1;
  ASSERT_TRUE(train("a", recorder, go_).ok());
  const std::string path = folder_ + "/a/last.safetensors", good = *readText(path);
  ToySession session;
  const Manifest manifest = toyManifest();
  EXPECT_TRUE(readCheckpoint(path, manifest, session).ok());
  EXPECT_TRUE(readParameters(manifest, session.parameters(), *Safetensors::open(path)).ok());
  EXPECT_TRUE(readParameters(manifest, session.parameters(), *Safetensors::open(folder_ + "/a/best.safetensors")).ok());
  EXPECT_EQ(readCheckpoint(folder_ + "/a/best.safetensors", manifest, session).status().code(), StatusCode::malformed);
  for (size_t bytes = 0; bytes < good.size(); ++bytes) {
    test::overwrite(path, good.substr(0, bytes));
    EXPECT_FALSE(readCheckpoint(path, manifest, session).ok()) << bytes;
  }
  // A changed bit of a tensor would continue another training without a word.
  const size_t data = good.size() - static_cast<size_t>(manifest.trainedParameters()) * 3 * sizeof(float);
  for (size_t bit = data * 8; bit < good.size() * 8; bit += 5) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    test::overwrite(path, bad);
    ASSERT_EQ(readCheckpoint(path, manifest, session).status().code(), StatusCode::malformed) << bit;
  }
  for (size_t bit = 0; bit < data * 8; bit += 7) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    test::overwrite(path, bad);
    const StatusCode code = readCheckpoint(path, manifest, session).status().code();
    ASSERT_TRUE(code == StatusCode::ok || code == StatusCode::malformed || code == StatusCode::unsupported) << bit;
  }
  Manifest other = manifest;
  other.parameters[0].shape = {vocabulary, 2};
  ASSERT_TRUE(writeTextAtomically(path, good).ok());
  EXPECT_EQ(readCheckpoint(path, other, session).status().code(), StatusCode::malformed);
}

} // namespace
