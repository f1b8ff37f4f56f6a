// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_RECURRENTMEMORY_H
#define BIFOCAL_RUNTIME_TRAIN_RECURRENTMEMORY_H

#include "runtime/core/MemorySettings.h"
#include "runtime/core/Safetensors.h"
#include "runtime/core/Tensor.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bifocal {

/// How far a model with adaptive spans looks back, in whole steps: the mean of its layers, each with the mean span of
/// its heads and a ramp, and the longest span with its ramp, as the published code logs them.
struct SpanStatistics {
  double mean = 0, largest = 0;
};

/// The memory of a model that reads its text in segments (Transformer-XL, adaptive span): for each layer the inputs
/// that it had at the last steps of every row, at the end of the segment before. Entries take it as `memory.<layer>`
/// and give `states.<layer>`; what is kept of both is copied, never computed with.
///
/// Transformer-XL begins without a step and keeps the last `steps`. Models with adaptive spans begin with zeros and
/// keep for each layer what its longest span needs, with some room to grow (`trimmedSteps`).
class RecurrentMemory {
public:
  enum class Use { training, evaluation };

  /// `steps` in place of those of the spec.
  ///
  /// Errors:
  ///   usage      `steps` of a model that chooses them itself, or other than those that its attention was compiled for
  ///   malformed  the manifest does not say what the memory needs
  static Result<RecurrentMemory> create(const Manifest &manifest, Use use, std::optional<int64_t> steps = {});

  /// Whether what is kept depends on parameters.
  bool readsSpans() const { return settings_.hasSpans(); }
  /// Begins a text in so many rows; `parameters` is the slab, of which the spans are read, if any.
  void reset(int64_t rows, std::span<const float> parameters);
  /// Checks the sizes of the next segment, and appends what an entry takes beside its texts.
  Status addInputs(int64_t rows, int64_t segment, std::vector<TensorView> &inputs);
  /// Appends the places of what an entry gives beside its losses.
  void addOutputs(std::vector<TensorView> &outputs);
  /// Goes on behind the segment that has run.
  void advance();

  /// As the last segment had them; nothing where spans are fixed.
  std::optional<SpanStatistics> spans() const;

  /// The memory in a checkpoint.
  std::vector<SafetensorsItem> items();
  Status restore(const Safetensors &file, const std::string &path);

  /// Steps to be kept where `reach` of at most `most` steps count: enough for the blocks of 64 that the published code
  /// attends to, and one more.
  static int64_t trimmedSteps(int64_t reach, int64_t most);

private:
  struct Layer {
    int64_t steps = 0;                 ///< in memory
    int64_t kept = 0;                  ///< of them and of the next segment's
    std::vector<float> memory, states; ///< [rows, steps, dim], [rows, segment, dim]
    std::vector<float> sizes;          ///< [heads]: spans in steps
  };
  explicit RecurrentMemory(MemorySettings settings) : settings_(std::move(settings)) {}
  void choose(Layer &layer) const;

  MemorySettings settings_;
  int64_t rows_ = 0, segment_ = 0, mostSteps_ = 0;
  std::vector<Layer> layers_;
  std::vector<float> next_;
};

} // namespace bifocal
#endif
