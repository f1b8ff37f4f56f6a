// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_EMULATOR_EMULATORHARNESS_H
#define BIFOCAL_TEST_EMULATOR_EMULATORHARNESS_H

#include "codegen/emulator/Emulator.h"

#include <cstring>
#include <gtest/gtest.h>

namespace bifocal::emulator::test {

/// LLVM IR of one kernel `k` for NVPTX, from its parameters and its body.
inline std::string kernelText(const std::string &parameters, const std::string &body, const std::string &others = "") {
  return "target datalayout = \"e-i64:64-i128:128-v16:16-v32:32-n16:32:64\"\n"
         "target triple = \"nvptx64-nvidia-cuda\"\n" +
         others + "\ndefine void @k(" + parameters + ") {\n" + body +
         "  ret void\n}\n!nvvm.annotations = !{!0}\n!0 = !{ptr @k, !\"kernel\", i32 1}\n"
         "declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()\ndeclare void @llvm.nvvm.barrier0()\n";
}

/// A kernel with buffers.
class Harness {
public:
  explicit Harness(const std::string &text) {
    Result<std::unique_ptr<Emulator>> loaded = Emulator::load(text, "test", memory);
    if (loaded.ok())
      emulator = loaded.take();
    else
      error = loaded.status().message();
  }

  template <typename T> T *buffer(const std::vector<T> &content, const char *name) {
    T *data = static_cast<T *>(memory.allocate(content.size() * sizeof(T), name));
    std::memcpy(data, content.data(), content.size() * sizeof(T));
    memory.define(data, content.size() * sizeof(T));
    return data;
  }

  std::vector<Finding> launch(uint32_t threads, std::vector<void *> parameters, const LaunchOptions &options = {},
                              uint32_t blocks = 1) {
    Launch launch{"k", {blocks, 1, 1}, {threads, 1, 1}, 0, std::move(parameters)};
    Result<std::vector<Finding>> findings = emulator->launch(launch, options);
    EXPECT_TRUE(findings.ok()) << findings.status().message();
    return findings.ok() ? findings.take() : std::vector<Finding>();
  }

  CheckedMemory memory;
  std::unique_ptr<Emulator> emulator;
  std::string error;
};

inline std::string describe(const std::vector<Finding> &findings) {
  std::string text;
  for (const Finding &finding : findings)
    text += format(finding) + "\n";
  return text;
}

} // namespace bifocal::emulator::test
#endif
