// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/kernels/Measure.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <limits>

namespace bifocal::bench {
namespace {

double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Seconds of one call.
template <typename Call> Result<double> timed(Call &&call) {
  const auto begin = std::chrono::steady_clock::now();
  BIFOCAL_RETURN_IF_ERROR(call());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// One side of a contest with what its runs took.
struct Runner {
  std::string name;
  std::function<Status()> call;
  std::vector<double> seconds;

  /// The second of two calls: in a model, too, an op finds in the caches what the one before it wrote, and the roofline
  /// is for such data. What the other side has run since would have pushed it out.
  Status run() {
    BIFOCAL_RETURN_IF_ERROR(call());
    Result<double> one = timed(call);
    if (one.ok())
      seconds.push_back(*one);
    return one.status();
  }
};

/// Compares results, and gives the formulations that may turn out the best: within half of the fastest of three runs.
Result<std::vector<Runner>> chooseFinalists(const Case &what, Contest &contest, Row &row) {
  std::vector<Runner> all, finalists;
  for (size_t i = 0; i < contest.formulations().size(); ++i) {
    Runner runner{contest.formulations()[i], [&contest, i] { return contest.runPeer(i); }, {}};
    const Result<double> difference = contest.difference(i);
    if (!difference.ok())
      return difference.status();
    if (!(*difference <= what.bound))
      return Status(StatusCode::numericMismatch,
                    fmt::format("{}: expects results that differ by at most {:.2e} from PyTorch's ({}), but got {:.2e}",
                                what.name(), what.bound, runner.name, *difference));
    row.difference = std::max(row.difference, *difference);
    for (int run = 0; run < 3; ++run)
      BIFOCAL_RETURN_IF_ERROR(runner.run());
    row.slow[runner.name] = *std::min_element(runner.seconds.begin(), runner.seconds.end());
    all.push_back(std::move(runner));
  }
  double best = std::numeric_limits<double>::infinity();
  for (const auto &[name, seconds] : row.slow)
    best = std::min(best, seconds);
  for (Runner &runner : all)
    if (row.slow[runner.name] <= 1.5 * best) {
      row.slow.erase(runner.name);
      runner.seconds.clear();
      finalists.push_back(std::move(runner));
    }
  return finalists;
}

} // namespace

Result<Row> measure(const Case &what, const Budget &budget, Roofline &roofline) {
  Result<std::unique_ptr<Contest>> contest = what.make();
  if (!contest.ok())
    return contest.status();
  Row row;
  row.what = &what;
  Result<std::vector<Runner>> peers = chooseFinalists(what, **contest, row);
  if (!peers.ok())
    return peers.status();
  Runner ours{"ours", [&] { return (*contest)->runOurs(); }, {}};
  // Once before the clock runs: pages and threads are there.
  BIFOCAL_RETURN_IF_ERROR(ours.call());
  const auto begin = std::chrono::steady_clock::now();
  const auto spent = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  while (row.rounds < budget.leastRounds || (row.rounds < budget.mostRounds && spent() < budget.seconds)) {
    BIFOCAL_RETURN_IF_ERROR(ours.run());
    for (Runner &peer : *peers)
      BIFOCAL_RETURN_IF_ERROR(peer.run());
    ++row.rounds;
  }
  const auto range = [](const Runner &runner, double *ends) {
    const auto [low, high] = std::minmax_element(runner.seconds.begin(), runner.seconds.end());
    ends[0] = *low, ends[1] = *high;
    return middle(runner.seconds);
  };
  row.ours = range(ours, row.oursRange);
  for (Runner &peer : *peers) {
    const double seconds = row.all[peer.name] = middle(peer.seconds);
    if (row.formulation.empty() || seconds < row.peer)
      row.peer = range(peer, row.peerRange), row.formulation = peer.name;
  }
  row.roofline = roofline.leastSeconds(what.flops, what.bytesRead, what.bytesWritten) / row.oursRange[0];
  return row;
}

} // namespace bifocal::bench
