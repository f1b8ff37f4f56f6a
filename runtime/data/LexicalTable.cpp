// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/LexicalTable.h"

#include "runtime/data/Vocabulary.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <numeric>
#include <utility>

namespace bifocal {
namespace {

constexpr const char *vocabulariesKey = "bifocal.vocabularies";

Status malformed(std::string message) { return {StatusCode::malformed, std::move(message)}; }

/// A vector of integers of a file; what does not fit an `Integer` is an error.
template <typename Integer> Status readVector(const Safetensors &file, const char *name, std::vector<Integer> &values) {
  const Safetensors::Entry *entry = file.find(name);
  if (!entry)
    return malformed(fmt::format("expects a vector '{}', but there is none", name));
  if (entry->shape.size() != 1)
    return malformed(fmt::format("expects a vector '{}', but it has {} axes", name, entry->shape.size()));
  std::vector<int64_t> wide(static_cast<size_t>(entry->elements()));
  BIFOCAL_RETURN_IF_ERROR(file.readIntegers(name, wide));
  for (const int64_t value : wide)
    if (!std::in_range<Integer>(value))
      return malformed(fmt::format("'{}': expects numbers of {} bits, but got {}", name, 8 * sizeof(Integer), value));
  values.assign(wide.begin(), wide.end());
  return {};
}

/// For each source token the target tokens that a pair of sentences has beside it, ascending, and a number for each.
class CountTable {
public:
  CountTable(const Corpus &source, const Corpus &target);

  /// One iteration: probabilities become those of expected counts. Returns the bits per target token before.
  double iterate(const Corpus &source, const Corpus &target);
  std::vector<std::vector<LexicalTable::Translation>> best(int64_t count) const;

private:
  struct Row {
    std::vector<int32_t> targets;
    std::vector<double> probabilities, counts;

    size_t find(int32_t target) const {
      return static_cast<size_t>(std::ranges::lower_bound(targets, target) - targets.begin());
    }
  };

  std::vector<Row> rows_;
};

/// The tokens that are translated; `</s>` ends every sentence.
std::span<const int32_t> wordsOf(std::span<const int32_t> sentence) { return sentence.first(sentence.size() - 1); }

void makeSet(std::vector<int32_t> &values) {
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

CountTable::CountTable(const Corpus &source, const Corpus &target)
    : rows_(static_cast<size_t>(source.vocabularySize())) {
  // Repeated targets go as soon as a row is twice as long as its set was: rows stay a few times as long as their sets.
  std::vector<size_t> sizes(rows_.size(), 64);
  for (int64_t i = 0; i < source.sentences(); ++i)
    for (const int32_t word : source.sentence(i)) {
      std::vector<int32_t> &targets = rows_[static_cast<size_t>(word)].targets;
      const std::span<const int32_t> words = wordsOf(target.sentence(i));
      targets.insert(targets.end(), words.begin(), words.end());
      if (size_t &size = sizes[static_cast<size_t>(word)]; targets.size() > 2 * size) {
        makeSet(targets);
        size = std::max(size, targets.size());
      }
    }
  for (Row &row : rows_) {
    makeSet(row.targets);
    row.targets.shrink_to_fit();
    // All alike: the first expected counts are those of tokens that stand in the same pairs.
    row.probabilities.assign(row.targets.size(), 1.0 / static_cast<double>(std::max<size_t>(row.targets.size(), 1)));
    row.counts.assign(row.targets.size(), 0);
  }
}

double CountTable::iterate(const Corpus &source, const Corpus &target) {
  double bits = 0;
  int64_t tokens = 0;
  std::vector<std::pair<Row *, size_t>> places;
  for (int64_t i = 0; i < source.sentences(); ++i) {
    const std::span<const int32_t> words = source.sentence(i);
    for (const int32_t translated : wordsOf(target.sentence(i))) {
      places.clear();
      double sum = 0;
      for (const int32_t word : words) {
        Row &row = rows_[static_cast<size_t>(word)];
        places.emplace_back(&row, row.find(translated));
        sum += row.probabilities[places.back().second];
      }
      for (const auto &[row, place] : places)
        row->counts[place] += row->probabilities[place] / sum;
      bits -= std::log2(sum / static_cast<double>(words.size()));
      ++tokens;
    }
  }
  for (Row &row : rows_) {
    const double sum = std::accumulate(row.counts.begin(), row.counts.end(), 0.0);
    // A token that others explain altogether, as far as a double can tell, stays as it is.
    for (size_t j = 0; j < row.counts.size() && sum > 0; ++j)
      row.probabilities[j] = row.counts[j] / sum;
    std::ranges::fill(row.counts, 0.0);
  }
  return bits / static_cast<double>(std::max<int64_t>(tokens, 1));
}

std::vector<std::vector<LexicalTable::Translation>> CountTable::best(int64_t count) const {
  std::vector<std::vector<LexicalTable::Translation>> all;
  std::vector<size_t> order;
  for (const Row &row : rows_) {
    order.resize(row.targets.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const size_t kept = std::min(order.size(), static_cast<size_t>(count));
    const auto isBetter = [&](size_t a, size_t b) {
      return row.probabilities[a] != row.probabilities[b] ? row.probabilities[a] > row.probabilities[b] : a < b;
    };
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(), isBetter);
    std::vector<LexicalTable::Translation> &translations = all.emplace_back();
    for (size_t j = 0; j < kept; ++j)
      translations.push_back({row.targets[order[j]], static_cast<float>(row.probabilities[order[j]])});
  }
  return all;
}

std::vector<int32_t> byFrequency(const Corpus &corpus) {
  std::vector<int64_t> counts(static_cast<size_t>(corpus.vocabularySize()), 0);
  for (const int32_t id : corpus.ids())
    ++counts[static_cast<size_t>(id)];
  std::vector<int32_t> order(counts.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, [&](int32_t a, int32_t b) { return counts[static_cast<size_t>(a)] > counts[static_cast<size_t>(b)]; });
  return order;
}

} // namespace

LexicalTable::LexicalTable(const std::vector<std::vector<Translation>> &translations, std::vector<int32_t> frequent,
                           std::string vocabularies)
    : offsets_{0}, frequent_(std::move(frequent)), vocabularies_(std::move(vocabularies)) {
  for (const std::vector<Translation> &part : translations) {
    for (const auto &[target, probability] : part) {
      targets_.push_back(target);
      probabilities_.push_back(probability);
    }
    offsets_.push_back(static_cast<int64_t>(targets_.size()));
  }
}

Result<LexicalTable> LexicalTable::read(const std::string &path) {
  const Result<Safetensors> file = Safetensors::open(path);
  if (!file.ok())
    return file.status();
  Result<LexicalTable> table = parse(*file);
  if (!table.ok())
    return Status(table.status().code(), fmt::format("'{}': {}", path, table.status().message()));
  return table;
}

Result<LexicalTable> LexicalTable::parse(const Safetensors &file) {
  BIFOCAL_RETURN_IF_ERROR(file.checkDigest());
  LexicalTable table;
  BIFOCAL_RETURN_IF_ERROR(readVector(file, "offsets", table.offsets_));
  BIFOCAL_RETURN_IF_ERROR(readVector(file, "targets", table.targets_));
  BIFOCAL_RETURN_IF_ERROR(readVector(file, "frequent", table.frequent_));
  table.probabilities_.resize(table.targets_.size());
  BIFOCAL_RETURN_IF_ERROR(file.readFloats("probabilities", table.probabilities_));
  BIFOCAL_RETURN_IF_ERROR(table.check());
  if (const auto found = file.metadata().find(vocabulariesKey); found != file.metadata().end())
    table.vocabularies_ = found->second;
  return table;
}

Status LexicalTable::check() const {
  const auto count = static_cast<int64_t>(targets_.size());
  if (offsets_.empty() || offsets_.front() != 0 || offsets_.back() != count || !std::ranges::is_sorted(offsets_))
    return malformed(fmt::format("'offsets': expects numbers that ascend from 0 to the {} targets", count));
  const int64_t vocabulary = targetVocabulary();
  if (vocabulary < token::firstFree)
    return malformed(fmt::format("'frequent': expects at least {} tokens, but got {}", token::firstFree, vocabulary));
  std::vector<bool> seen(static_cast<size_t>(vocabulary), false);
  for (const int32_t id : frequent_) {
    if (id < 0 || id >= vocabulary || seen[static_cast<size_t>(id)])
      return malformed(
          fmt::format("'frequent': expects every token from 0 to below {} once, but got {}", vocabulary, id));
    seen[static_cast<size_t>(id)] = true;
  }
  for (const int32_t id : targets_)
    if (id < 0 || id >= vocabulary)
      return malformed(fmt::format("'targets': expects tokens from 0 to below {}, but got {}", vocabulary, id));
  for (const float probability : probabilities_)
    if (!(probability >= 0 && probability <= 1))
      return malformed(fmt::format("'probabilities': expects numbers from 0 to 1, but got {}", probability));
  for (int32_t source = 0; source < sourceVocabulary(); ++source)
    if (!std::ranges::is_sorted(probabilities(source), std::greater<>()))
      return malformed(fmt::format("'probabilities': expects those of source token {} to fall, but they rise", source));
  return {};
}

Status LexicalTable::write(const std::string &path) const {
  const auto count = static_cast<int64_t>(targets_.size());
  const SafetensorsItem items[] = {
      {"offsets", ElementType::i64, {static_cast<int64_t>(offsets_.size())}, offsets_.data()},
      {"targets", ElementType::i32, {count}, targets_.data()},
      {"probabilities", ElementType::f32, {count}, probabilities_.data()},
      {"frequent", ElementType::i32, {targetVocabulary()}, frequent_.data()}};
  return writeSafetensors(path, items, {{vocabulariesKey, vocabularies_}});
}

LexicalTable learnLexicalTable(const Corpus &source, const Corpus &target, const LexicalOptions &options,
                               const std::function<void(int64_t, double)> &progress) {
  CountTable table(source, target);
  for (int64_t iteration = 1; iteration <= options.iterations; ++iteration) {
    const double bits = table.iterate(source, target);
    if (progress)
      progress(iteration, bits);
  }
  return LexicalTable(table.best(options.best), byFrequency(target), options.vocabularies);
}

} // namespace bifocal
