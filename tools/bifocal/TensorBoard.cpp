// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/TensorBoard.h"

#include "tools/bifocal/Message.h"

namespace bifocal::tools {

Status TensorBoard::open(const std::string &folder, int64_t step) {
  Result<std::unique_ptr<EventFile>> file = EventFile::create(folder, step);
  if (!file.ok())
    return file.status();
  file_ = file.take();
  return {};
}

Scalar TensorBoard::unitScalar(std::string_view part, const LossSums &sums) const {
  const bool bits = unit_ == LossUnit::bitsPerCharacter;
  return {fmt::format("{}/{}", part, bits ? "bpc" : "ppl"),
          static_cast<float>(bits ? sums.bitsPerCharacter() : sums.perplexity())};
}

void TensorBoard::onUpdate(const UpdateReport &report) {
  sums_.add(report.sums);
  seconds_ += report.seconds;
  if (report.update % every_ == 0 || report.update == options_.maxUpdates) {
    std::vector<Scalar> scalars = {{"train/loss", static_cast<float>(sums_.lossPerToken())},
                                   unitScalar("train", sums_),
                                   {"train/learning_rate", static_cast<float>(report.rate)},
                                   {"train/gradient_norm", static_cast<float>(report.gradientNorm)},
                                   {"train/tokens_per_second", static_cast<float>(sums_.tokens / seconds_)}};
    if (const std::optional<SpanStatistics> &spans = sums_.spans)
      scalars.insert(scalars.end(), {{"train/span_mean", static_cast<float>(spans->mean)},
                                     {"train/span_max", static_cast<float>(spans->largest)}});
    write(report.update, scalars);
    sums_ = {};
    seconds_ = 0;
  }
  next_.onUpdate(report);
}

void TensorBoard::onValidation(const ValidationReport &report) {
  const Scalar scalars[] = {{"valid/loss", static_cast<float>(report.sums.lossPerToken())},
                            unitScalar("valid", report.sums)};
  write(report.update, scalars);
  next_.onValidation(report);
}

void TensorBoard::write(int64_t update, std::span<const Scalar> scalars) {
  if (!file_)
    return;
  const Status status = file_->write(update, scalars);
  if (status.ok())
    return;
  next_.endLine();
  say("warning: {}; the training goes on without TensorBoard\n", status.message());
  file_.reset();
}

} // namespace bifocal::tools
