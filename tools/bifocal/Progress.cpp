// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/Progress.h"

#include "tools/bifocal/Message.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

namespace bifocal::tools {
namespace {

/// 950 tok/s, 107k tok/s
std::string rateText(double tokensPerSecond) {
  return tokensPerSecond < 1e4 ? fmt::format("{:.0f} tok/s", tokensPerSecond)
                               : fmt::format("{:.0f}k tok/s", tokensPerSecond / 1e3);
}

std::string goal(int64_t update, int64_t maxUpdates) {
  return maxUpdates > 0 ? fmt::format("{}/{}", update, maxUpdates) : fmt::format("{}", update);
}

nlohmann::json unitEntry(LossUnit unit, const LossSums &sums) {
  return unit == LossUnit::perplexity ? nlohmann::json{"ppl", sums.perplexity()}
                                      : nlohmann::json{"bpc", sums.bitsPerCharacter()};
}

std::string spanText(const LossSums &sums) {
  return sums.spans ? fmt::format(" span {:.1f} longest {:.1f}", sums.spans->mean, sums.spans->largest) : "";
}

void addSpans(nlohmann::json &json, const LossSums &sums) {
  if (!sums.spans)
    return;
  json["span_mean"] = sums.spans->mean;
  json["span_max"] = sums.spans->largest;
}

size_t terminalWidth() {
  struct winsize size {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void printJson(const nlohmann::json &json) {
  // Paths need not be UTF-8.
  writeText(stdout, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  std::fflush(stdout);
}

} // namespace

/// How much of the training is done, as far as a limit tells; 0 if none does.
double Progress::fraction(int64_t update) const {
  double done = 0;
  if (options_.maxUpdates > 0)
    done = static_cast<double>(update) / static_cast<double>(options_.maxUpdates);
  if (options_.maxSeconds > 0)
    done = std::max(done, std::chrono::duration<double>(Clock::now() - start_).count() / options_.maxSeconds);
  return std::min(done, 1.0);
}

bool Progress::isDue(const UpdateReport &report) const {
  if (format_ == LogFormat::bar)
    return Clock::now() - shown_ > std::chrono::milliseconds(200) || report.update == options_.maxUpdates;
  return report.update % every_ == 0 || report.update == options_.maxUpdates;
}

/// In natural logarithms, and in what people compare.
std::string Progress::lossText(const LossSums &sums) const {
  return unit_ == LossUnit::perplexity
             ? fmt::format("loss {:.3f} ppl {:.4g}", sums.lossPerToken(), sums.perplexity())
             : fmt::format("loss {:.3f} bpc {:.4f}", sums.lossPerToken(), sums.bitsPerCharacter());
}

std::string Progress::describe(const UpdateReport &report) const {
  return fmt::format("update {} epoch {} {}{} gnorm {:.2f} lr {:.1e} {:.1f} ms {}",
                     goal(report.update, options_.maxUpdates), report.epoch, lossText(sums_), spanText(sums_),
                     report.gradientNorm, report.rate, 1e3 * seconds_ / static_cast<double>(updates_),
                     rateText(sums_.tokens / seconds_));
}

/// What a terminal of 80 columns has room for beside a bar.
std::string Progress::describeBriefly(const UpdateReport &report) const {
  return fmt::format("update {} {} {}", goal(report.update, options_.maxUpdates), lossText(sums_),
                     rateText(sums_.tokens / seconds_));
}

void Progress::showBar(const UpdateReport &report) {
  const double done = fraction(report.update);
  const size_t width = terminalWidth();
  constexpr size_t frame = 10, shortest = 10, longest = 30;
  std::string text = describe(report);
  if (text.size() + frame + shortest >= width)
    text = describeBriefly(report);
  std::string line = text;
  if (done > 0 && text.size() + frame + shortest < width) {
    const size_t room = std::min(width - text.size() - frame, longest);
    const auto full = static_cast<size_t>(done * static_cast<double>(room));
    line = fmt::format("[{}{}] {:3.0f} % {}", std::string(full, '#'), std::string(room - full, '.'), 100 * done, text);
  }
  say("\r\x1b[2K{}", std::string_view(line).substr(0, width - 1));
  std::fflush(stderr);
  lineOpen_ = true;
}

void Progress::onUpdate(const UpdateReport &report) {
  sums_.add(report.sums);
  seconds_ += report.seconds;
  ++updates_;
  if (!isDue(report))
    return;
  if (format_ == LogFormat::json) {
    nlohmann::json json = {{"event", "update"},
                           {"update", report.update},
                           {"epoch", report.epoch},
                           {"loss", sums_.lossPerToken()},
                           {"nll", sums_.nllPerToken()},
                           unitEntry(unit_, sums_),
                           {"gnorm", report.gradientNorm},
                           {"lr", report.rate},
                           {"ms", 1e3 * seconds_ / static_cast<double>(updates_)},
                           {"tokens_per_second", sums_.tokens / seconds_}};
    addSpans(json, sums_);
    printJson(json);
  } else if (format_ == LogFormat::bar) {
    showBar(report);
  } else {
    say("{}\n", describe(report));
  }
  sums_ = {};
  seconds_ = 0;
  updates_ = 0;
  shown_ = Clock::now();
}

void Progress::onValidation(const ValidationReport &report) {
  if (format_ == LogFormat::json) {
    printJson({{"event", "validation"},
               {"update", report.update},
               {"epoch", report.epoch},
               {"loss", report.sums.lossPerToken()},
               {"nll", report.sums.nllPerToken()},
               unitEntry(unit_, report.sums),
               {"best", report.isBest},
               {"seconds", report.seconds}});
    return;
  }
  endLine();
  say("valid  {} epoch {} {} {:.1f} s{}\n", goal(report.update, options_.maxUpdates), report.epoch,
      lossText(report.sums), report.seconds, report.isBest ? ", the best so far" : "");
}

void Progress::onCheckpoint(const std::string &path, int64_t update) {
  if (format_ == LogFormat::json)
    printJson({{"event", "checkpoint"}, {"update", update}, {"path", path}});
}

void Progress::endLine() {
  if (lineOpen_)
    say("\n");
  lineOpen_ = false;
}

} // namespace bifocal::tools
