// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/PtxAssembler.h"

#include "codegen/cuda/CudaError.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using llvm::StringRef, llvm::Twine;

namespace bifocal {

namespace {
/// A folder for the files that go through ptxas; it goes with them.
struct TemporaryFolder {
  TemporaryFolder() { error = llvm::sys::fs::createUniqueDirectory("bifocal-ptx", path); }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder() {
    if (!error)
      llvm::sys::fs::remove_directories(path);
  }
  std::string file(StringRef name) const {
    llvm::SmallString<128> full(path);
    llvm::sys::path::append(full, name);
    return full.str().str();
  }

  llvm::SmallString<128> path;
  std::error_code error;
};
} // namespace

llvm::Expected<std::string> findPtxas() {
  if (std::optional<std::string> home = llvm::sys::Process::GetEnv("CUDA_HOME"); home && !home->empty()) {
    llvm::SmallString<128> path(*home);
    llvm::sys::path::append(path, "bin", "ptxas");
    if (!llvm::sys::fs::can_execute(path))
      return makeCudaError(std::errc::not_supported,
                           "expects the assembler ptxas in $CUDA_HOME/bin, but there is no program '" + path + "'");
    return path.str().str();
  }
  if (llvm::ErrorOr<std::string> path = llvm::sys::findProgramByName("ptxas"))
    return *path;
  if (StringRef built = BIFOCAL_PTXAS; llvm::sys::fs::can_execute(built))
    return built.str();
  return makeCudaError(
      std::errc::not_supported,
      "expects the assembler ptxas, a program of the CUDA Toolkit, in $CUDA_HOME/bin or in PATH, but it is "
      "in neither");
}

/// The number that stands right before `unit` in `line`; empty if the unit is not there.
static std::optional<int> numberBefore(StringRef line, StringRef unit) {
  size_t end = line.find(unit);
  if (end == StringRef::npos)
    return std::nullopt;
  StringRef before = line.take_front(end);
  int number = 0;
  if (before.take_back(before.size() - (before.find_last_not_of("0123456789") + 1)).getAsInteger(10, number))
    return std::nullopt;
  return number;
}

/// ptxas says `(C7510) ...` and goes on; the kernel would run, many times slower or, on another version, wrong.
static bool saysSerialized(StringRef line) { return line.contains("(C7510)") || line.contains("(C7514)"); }

/// Takes what one line says about `kernel`.
static void readProperties(StringRef line, KernelResources &kernel) {
  kernel.registers = numberBefore(line, " registers").value_or(kernel.registers);
  kernel.sharedBytes = numberBefore(line, " bytes smem").value_or(kernel.sharedBytes);
  // Functions that a kernel calls follow with frames and spills of their own.
  kernel.stackBytes += numberBefore(line, " bytes stack frame").value_or(0);
  kernel.spillStores += numberBefore(line, " bytes spill stores").value_or(0);
  kernel.spillLoads += numberBefore(line, " bytes spill loads").value_or(0);
}

llvm::Expected<std::vector<KernelResources>> parsePtxasReport(StringRef report) {
  std::vector<KernelResources> kernels;
  llvm::SmallVector<StringRef> lines;
  report.split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef line : lines) {
    if (saysSerialized(line))
      return makeCudaError(std::errc::invalid_argument,
                           "expects matrix products that overlap, but ptxas serialises them: " + line.trim() +
                               "; end the last product of a group with a wait, and read sums only after it");
    if (line.contains("Compiling entry function '")) {
      StringRef name = line.split('\'').second.split('\'').first;
      kernels.push_back({});
      kernels.back().name = name.str();
    } else if (!kernels.empty()) {
      readProperties(line, kernels.back());
    }
  }
  for (const KernelResources &kernel : kernels)
    if (kernel.registers == 0)
      return makeCudaError(std::errc::invalid_argument,
                           "expects the registers of kernel '" + Twine(kernel.name) + "' in the report of ptxas");
  llvm::sort(kernels, [](const auto &a, const auto &b) { return a.name < b.name; });
  return kernels;
}

/// What ptxas printed, without the places of temporary files.
static std::string readReport(const TemporaryFolder &folder) {
  auto buffer = llvm::MemoryBuffer::getFile(folder.file("report"));
  std::string text = buffer ? (*buffer)->getBuffer().trim().str() : "";
  const std::string path = folder.file("kernels.ptx");
  for (size_t at = text.find(path); at != std::string::npos; at = text.find(path))
    text.replace(at, path.size(), "kernels.ptx");
  return text;
}

static llvm::Error runPtxas(StringRef ptxas, const TemporaryFolder &folder, const CudaTarget &target) {
  const std::string input = folder.file("kernels.ptx"), output = folder.file("kernels.cubin");
  const std::string report = folder.file("report"), chip = ("-arch=" + target.chip).str();
  // No -maxrregcount: ptxas ignores it for kernels that state their block size, as ours do; `nvvm.maxnreg` stands in
  // the kernel itself.
  StringRef arguments[] = {ptxas, "-v", "-O3", chip, "-o", output, input};
  std::optional<StringRef> redirects[] = {StringRef(""), StringRef(report), StringRef(report)};
  std::string message;
  constexpr unsigned seconds = 600;
  int status = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects, seconds, 0, &message);
  if (status == 0)
    return llvm::Error::success();
  if (!message.empty())
    return makeCudaError(std::errc::io_error, "'" + ptxas + "' ended early: " + message);
  return makeCudaError(std::errc::invalid_argument, "ptxas does not take the kernels:\n" + readReport(folder));
}

llvm::Expected<Cubin> assemblePtx(StringRef ptx, const CudaTarget &target) {
  llvm::Expected<std::string> ptxas = findPtxas();
  if (!ptxas)
    return ptxas.takeError();
  TemporaryFolder folder;
  if (folder.error)
    return llvm::createStringError(folder.error, "cannot make a temporary folder: " + folder.error.message());
  std::error_code code;
  llvm::raw_fd_ostream stream(folder.file("kernels.ptx"), code);
  if (!code) {
    stream << ptx;
    stream.close();
    code = stream.error();
    stream.clear_error();
  }
  if (code)
    return llvm::createStringError(code, "cannot write a temporary file: " + code.message());
  if (llvm::Error error = runPtxas(*ptxas, folder, target))
    return error;
  auto bytes = llvm::MemoryBuffer::getFile(folder.file("kernels.cubin"));
  if (!bytes)
    return llvm::createStringError(bytes.getError(), "cannot read the cubin: " + bytes.getError().message());
  llvm::Expected<std::vector<KernelResources>> kernels = parsePtxasReport(readReport(folder));
  if (!kernels)
    return kernels.takeError();
  if (llvm::Error error = countSass((*bytes)->getBuffer(), *kernels))
    return error;
  return Cubin{(*bytes)->getBuffer().str(), std::move(*kernels)};
}

} // namespace bifocal
