// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/File.h"
#include "runtime/cpu/CpuDevice.h"
#include "runtime/cuda/Driver.h"
#include "runtime/data/Text.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <omp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

using namespace bifocal;

namespace {

struct Check {
  std::string name, state, found, advice; ///< state: ok, warn or fail; the advice says what to do about the latter two
};

Check ok(std::string name, std::string found) { return {std::move(name), "ok", std::move(found), ""}; }

Check unless(bool fine, std::string name, const char *state, std::string found, std::string advice) {
  return fine ? ok(std::move(name), std::move(found))
              : Check{std::move(name), state, std::move(found), std::move(advice)};
}

std::string gibibytes(double bytes) { return fmt::format("{:.1f} GiB", bytes / (1 << 30)); }

/// The value of `key` in lines of "key : value"; empty if there is none.
std::string valueOf(const std::string &path, std::string_view key) {
  const Result<std::vector<std::string>> lines = readLines(path);
  for (const std::string &line : lines.ok() ? *lines : std::vector<std::string>()) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || CLI::detail::trim_copy(line.substr(0, colon)) != key)
      continue;
    return CLI::detail::trim_copy(line.substr(colon + 1));
  }
  return "";
}

/// Cores that this process may run on, which `taskset` makes fewer, and so do containers: either in the same way or by
/// the time of all cores together that they may use, "<microseconds> <of so many>".
int usableCores() {
  cpu_set_t set;
  const int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : omp_get_num_procs();
  const Result<std::vector<std::string>> limit = readLines("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;
  if (!limit.ok() || limit->empty() || std::sscanf(limit->front().c_str(), "%lf %lf", &quota, &period) != 2 ||
      period <= 0)
    return cores; // "max <period>" is no limit.
  return std::clamp(static_cast<int>(std::ceil(std::min(quota / period, 1e6))), 1, cores);
}

void checkProcessor(std::vector<Check> &checks) {
  const std::string model = valueOf("/proc/cpuinfo", "model name");
  checks.push_back(ok("cpu", fmt::format("{}, {} of {} cores usable", model.empty() ? "unknown model" : model,
                                         usableCores(), sysconf(_SC_NPROCESSORS_ONLN))));
  const std::vector<std::string> levels = runnableLevels();
  checks.push_back(unless(!levels.empty(), "kernels", "fail",
                          levels.empty() ? "this CPU has none of the levels that kernels are compiled for"
                                         : fmt::format("runs {}", fmt::join(levels, ", ")),
                          "use a CPU of x86-64-v3 or better (AVX2, FMA, BMI2: Haswell or Zen and later)"));
  const std::vector<std::string> flags = CLI::detail::split(valueOf("/proc/cpuinfo", "flags"), ' ');
  std::vector<std::string> found;
  for (const char *flag : {"avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16"})
    if (std::ranges::find(flags, flag) != flags.end())
      found.emplace_back(flag);
  checks.push_back(ok("vectors", found.empty() ? "none known" : fmt::format("{}", fmt::join(found, " "))));
}

void checkMemory(std::vector<Check> &checks) {
  const auto kibibytes = [](const char *key) {
    return 1024 * std::strtod(valueOf("/proc/meminfo", key).c_str(), nullptr);
  };
  double available = kibibytes("MemAvailable");
  std::string found = fmt::format("{} of {} available", gibibytes(available), gibibytes(kibibytes("MemTotal")));
  // Containers have a limit of their own.
  const Result<std::vector<std::string>> limit = readLines("/sys/fs/cgroup/memory.max");
  if (limit.ok() && !limit->empty() && limit->front() != "max") {
    const double bytes = std::strtod(limit->front().c_str(), nullptr);
    const Result<std::vector<std::string>> used = readLines("/sys/fs/cgroup/memory.current");
    const double taken = used.ok() && !used->empty() ? std::strtod(used->front().c_str(), nullptr) : 0;
    found += fmt::format(", limited to {} of which {} are taken", gibibytes(bytes), gibibytes(taken));
    available = std::min(available, std::max(bytes - taken, 0.0));
  }
  checks.push_back(unless(available >= (1 << 30), "memory", "warn", found,
                          "close other programs, or train with fewer --max-tokens and more --update-freq; `bifocal "
                          "compile --report` says what a step needs"));
}

void checkThreads(std::vector<Check> &checks) {
  std::vector<std::string> variables;
  for (const char *name : {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_PROC_BIND", "OMP_PLACES"})
    if (const char *value = std::getenv(name))
      variables.push_back(fmt::format("{}={}", name, value));
  const int threads = omp_get_max_threads(), cores = usableCores();
  std::string found = fmt::format("{} by default", threads);
  if (!variables.empty())
    found += fmt::format(" ({})", fmt::join(variables, ", "));
  checks.push_back(
      unless(threads <= cores, "threads", "warn", found,
             fmt::format("set OMP_NUM_THREADS to at most the {} usable cores: more wait for each other", cores)));
  // Kernels are loaded from a file in memory.
  const int file = ::memfd_create("bifocal-doctor", MFD_CLOEXEC);
  void *page = file >= 0 && ::ftruncate(file, 4096) == 0
                   ? ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0)
                   : MAP_FAILED;
  const std::string reason = page == MAP_FAILED ? std::strerror(errno) : "";
  if (page != MAP_FAILED)
    ::munmap(page, 4096);
  if (file >= 0)
    ::close(file);
  checks.push_back(unless(reason.empty(), "loading", "fail",
                          reason.empty() ? "code can be loaded from files in memory"
                                         : fmt::format("code cannot be loaded from files in memory: {}", reason),
                          "allow it: sysctl vm.memfd_noexec=0, and no sandbox that forbids executable mappings"));
}

/// A folder must take files, and should have room for checkpoints.
void checkFolder(std::vector<Check> &checks, const std::string &name, const std::string &path,
                 const std::string &advice) {
  const Result<std::unique_ptr<AtomicFile>> file = AtomicFile::create(path + "/bifocal-doctor");
  if (!file.ok()) {
    checks.push_back({name, "fail", file.status().message(), advice});
    return;
  }
  struct statfs info {};
  const double free =
      ::statfs(path.c_str(), &info) == 0 ? static_cast<double>(info.f_bavail) * static_cast<double>(info.f_bsize) : 0;
  checks.push_back(unless(free >= (1 << 30), name, "warn", fmt::format("{}, {} free", path, gibibytes(free)),
                          "make room: a checkpoint has 12 bytes per parameter, and is written beside the old one"));
}

/// A GPU is a choice: models run on the CPU as well.
Check findCuda() {
  const Result<std::unique_ptr<cuda::Driver>> driver = cuda::openCudaDriver();
  if (driver.ok())
    return ok("cuda", fmt::format("{}: run models on it with --device=cuda", (*driver)->description()));
  return ok("cuda", fmt::format("no GPU, models run on the CPU ({})", driver.status().message()));
}

std::vector<Check> examine() {
  std::vector<Check> checks = {ok("bifocal", BIFOCAL_VERSION)};
#if BIFOCAL_HAS_COMPILER
  const bool linker = ::access(BIFOCAL_LINKER, X_OK) == 0;
  checks.push_back(unless(linker, "compiler", "fail",
                          linker ? "built in, links with " BIFOCAL_LINKER
                                 : "built in, but its linker " BIFOCAL_LINKER " is not there",
                          "install the linker (Debian: lld-19)"));
#else
  checks.push_back(ok("compiler", "not built in: runs models that were compiled elsewhere"));
#endif
  checkProcessor(checks);
  checkMemory(checks);
  checkThreads(checks);
  std::error_code error;
  checkFolder(checks, "folder", ".", "change to a folder that you may write to, or give one with -o");
  const std::filesystem::path temporary = std::filesystem::temp_directory_path(error);
  if (error)
    checks.push_back({"temporary", "fail", error.message(), "set TMPDIR to a folder that is there"});
  else
    checkFolder(checks, "temporary", temporary.string(), "set TMPDIR to a folder that you may write to");
  checks.push_back(findCuda());
  return checks;
}

int print(const std::vector<Check> &checks, bool asJson) {
  const auto has = [&checks](std::string_view state) { return std::ranges::count(checks, state, &Check::state); };
  if (asJson) {
    nlohmann::json list = nlohmann::json::array();
    for (const Check &check : checks)
      list.push_back({{"name", check.name}, {"state", check.state}, {"found", check.found}, {"advice", check.advice}});
    // Paths need not be UTF-8.
    fmt::print("{}\n", nlohmann::json({{"ok", has("fail") == 0}, {"checks", list}})
                           .dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    for (const Check &check : checks) {
      fmt::print("{:4}  {:10} {}\n", check.state, check.name, check.found);
      if (!check.advice.empty())
        fmt::print("{:17}{}\n", "", check.advice);
    }
  }
  for (const Check &check : checks)
    if (check.name == "kernels" && check.state == "fail")
      return tools::report({StatusCode::deviceUnavailable, "no device can run kernels here"});
  return has("fail") == 0 ? 0
                          : tools::report({StatusCode::diagnostics,
                                           fmt::format("{} of {} checks failed", has("fail"), checks.size())});
}

} // namespace

void tools::addDoctor(CLI::App &app, int &exitCode) {
  auto asJson = std::make_shared<bool>(false);
  CLI::App *verb = app.add_subcommand("doctor", "Check what this machine has for Bifocal, and say what to do");
  verb->add_flag("--json", *asJson, "For programs: the same as one JSON object");
  verb->footer("Exit code: 0 when nothing fails (warnings are no failure), 7 when no CPU kernels can run here, 1 when "
               "something else fails.");
  verb->callback([asJson, &exitCode] { exitCode = print(examine(), *asJson); });
}
