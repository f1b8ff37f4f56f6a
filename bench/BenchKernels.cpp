// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How fast the generated kernels are beside the best of PyTorch's ways to write the same, and beside the machine.
#include "bench/CommandLine.h"
#include "bench/kernels/Measure.h"

#include <cstring>
#include <fmt/format.h>
#include <link.h>
#include <malloc.h>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

using namespace bifocal;
using namespace bifocal::bench;

namespace {

struct Options {
  CaseOptions cases;
  Budget budget;
  std::string only;
  bool json = false, list = false;
};

/// A second OpenMP runtime would be a second pool of threads, which spins while ours works.
int openMpRuntimes() {
  std::set<std::string> names;
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *found) {
        if (std::strstr(info->dlpi_name, "libgomp") || std::strstr(info->dlpi_name, "libiomp") ||
            std::strstr(info->dlpi_name, "libomp"))
          static_cast<std::set<std::string> *>(found)->insert(info->dlpi_name);
        return 0;
      },
      &names);
  return static_cast<int>(names.size());
}

nlohmann::json toJson(const Row &row, const Options &options, Roofline &roofline) {
  const Case &what = *row.what;
  nlohmann::json json = {{"name", what.name()},
                         {"op", what.family},
                         {"direction", what.direction},
                         {"ours", std::round(row.ours * 1e9)},
                         {"ours_range", {std::round(row.oursRange[0] * 1e9), std::round(row.oursRange[1] * 1e9)}},
                         {"peer", std::round(row.peer * 1e9)},
                         {"peer_range", {std::round(row.peerRange[0] * 1e9), std::round(row.peerRange[1] * 1e9)}},
                         {"unit", "ns"},
                         {"against", row.formulation},
                         {"ratio", row.ratio()},
                         {"goal", what.goal},
                         {"rounds", row.rounds},
                         {"difference", row.difference},
                         {"roofline", row.roofline},
                         {"roofline_goal", rooflineGoal},
                         {"threads", options.cases.threads},
                         {"torch", torchVersion()},
                         {"gflop_per_s", what.flops / row.ours * 1e-9},
                         {"peak_gflop_per_s", roofline.peakFlops() * 1e-9},
                         {"gb_per_s", (what.bytesRead + what.bytesWritten) / row.ours * 1e-9},
                         {"peak_gb_per_s", roofline.bandwidth(what.bytesRead, what.bytesWritten) * 1e-9}};
  for (const auto &[letter, extent] : what.shape)
    json["shape"][letter] = extent;
  for (auto [key, times] : {std::pair("all", &row.all), std::pair("slow", &row.slow)})
    for (const auto &[name, seconds] : *times)
      json[key][name] = std::round(seconds * 1e9);
  return json;
}

void print(const Row &row) {
  const Case &what = *row.what;
  fmt::print("{:<58}{:>11.1f} {:>11.1f} {:>6.2f} {:>5.1f} {:<5} {:>5.0f} %  {}\n", what.name(), row.ours * 1e6,
             row.peer * 1e6, row.ratio(), what.goal, row.reachesGoal() ? "met" : "", row.roofline * 100,
             row.formulation);
  std::fflush(stdout);
}

Result<std::vector<Case>> chooseCases(const Options &options) {
  std::vector<Case> cases = makeCases(options.cases);
  std::regex wanted;
  try {
    wanted = std::regex(options.only, std::regex::icase);
  } catch (const std::regex_error &) {
    return Status(StatusCode::usage, fmt::format("--only expects a regular expression, but got '{}'", options.only));
  }
  std::erase_if(cases, [&](const Case &one) { return !std::regex_search(one.name(), wanted); });
  if (cases.empty())
    return Status(StatusCode::usage,
                  fmt::format("--only expects part of a case's name (--list prints them), but got '{}'", options.only));
  return cases;
}

Status run(const Options &options) {
  const Result<std::vector<Case>> cases = chooseCases(options);
  if (!cases.ok())
    return cases.status();
  if (options.list) {
    for (const Case &one : *cases)
      fmt::print("{}\n", one.name());
    return {};
  }
  // The library's default maps, faults in and unmaps every large tensor anew; PyTorch deserves better.
  mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  prepareTorch(options.cases.threads);
  if (const int runtimes = openMpRuntimes(); runtimes != 1)
    fmt::print(stderr,
               "warning: expects one OpenMP runtime for both sides, but {} are loaded; "
               "OMP_WAIT_POLICY=passive keeps them apart\n",
               runtimes);
  Roofline roofline(options.cases.threads);
  if (!options.json)
    fmt::print("{} threads, {:.0f} GFLOP/s of multiply-adds, PyTorch {}; microseconds, medians of runs in turn\n"
               "{:<58}{:>11} {:>11} {:>6} {:>5} {:<5} {:>7}  {}\n",
               options.cases.threads, roofline.peakFlops() * 1e-9, torchVersion(), "op, direction, shape", "ours",
               "PyTorch", "ratio", "goal", "", "roof", "best formulation");
  size_t goals = 0, roofs = 0;
  for (const Case &one : *cases) {
    const Result<Row> row = measure(one, options.budget, roofline);
    if (!row.ok())
      return row.status();
    goals += row->reachesGoal();
    roofs += row->roofline >= rooflineGoal;
    if (options.json)
      fmt::print("{}\n", toJson(*row, options, roofline).dump()), std::fflush(stdout);
    else
      print(*row);
  }
  fmt::print(options.json ? stderr : stdout,
             "goals met: {} of {} beside PyTorch, {} of {} at {:.0f} % of the roofline\n", goals, cases->size(), roofs,
             cases->size(), rooflineGoal * 100);
  return {};
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"Times generated kernels beside PyTorch in all its formulations of the same op, on the same inputs, in "
               "turn, after comparing results. `roof` is the share of what the machine can do at most: compulsory "
               "traffic at the bandwidth of a copy of the same size, or arithmetic at its peak of multiply-adds."};
  Options options;
  bool &quick = options.cases.quick;
  app.add_option("--threads", options.cases.threads, "Threads of both sides")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--tokens", options.cases.tokens, "B * T of every case")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--heads", options.cases.heads, "Heads, a divisor of 512")
      ->check(CLI::IsMember({1, 2, 4, 8, 16, 32, 64}))
      ->capture_default_str();
  app.add_option("--budget", options.budget.seconds, "Seconds to time a case, in at least five rounds")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  app.add_option("only,--only", options.only, "Cases whose name has a match of this regular expression");
  app.add_flag("--list", options.list, "Print the names of the cases and measure nothing");
  app.add_flag("--quick", quick, "Few shapes and rounds, a small vocabulary: to see that all works");
  app.add_flag("--json", options.json, "One line of JSON a case");
  app.footer("Examples:\n  bench-kernels attention\n  bench-kernels 'light_conv.*K=31'\n  bench-kernels --json "
             ">kernels.jsonl\n\n"
             "Exit codes: 0, goals met or not; 2 a wrong argument; 8 results differ from PyTorch's; others as those of "
             "bifocal.");
  if (const std::optional<int> code = parse(app, argc, argv))
    return *code;
  if (quick)
    options.budget.seconds = std::min(options.budget.seconds, 0.05), options.budget.leastRounds = 2;
  return report(run(options));
}
