// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_RUNTIME_SESSIONOFEXAMPLE_H
#define BIFOCAL_TEST_RUNTIME_SESSIONOFEXAMPLE_H

#include "runtime/core/Session.h"
#include "runtime/cpu/CpuDevice.h"
#include "test/Runtime/ArtifactBuilder.h"

#include <gtest/gtest.h>

namespace bifocal::test {

/// The example of ArtifactBuilder.h, with a plan of its own, on the CPU.
inline std::unique_ptr<Session> makeSession(int threads = 2, bool training = false,
                                            const nlohmann::json &plan = examplePlan()) {
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(exampleArtifact(plan));
  EXPECT_TRUE(artifact.ok()) << artifact.status().message();
  if (!artifact.ok())
    return nullptr;
  Result<std::unique_ptr<Session>> session = Session::create(*artifact, makeCpuDevice({.threads = threads}), training);
  EXPECT_TRUE(session.ok()) << session.status().message();
  return session.ok() ? session.take() : nullptr;
}

inline std::vector<float> ramp(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i % 11) - 5.0f;
  return values;
}

/// y and, at its end, the sum.
inline Result<std::vector<float>> runLayer(Session &session, int64_t rows) {
  std::vector<float> x = ramp(rows * 8), y(static_cast<size_t>(rows * 4));
  float sum = -1;
  const TensorView in(ElementType::f32, {rows, 8}, x.data());
  const TensorView out[] = {TensorView(ElementType::f32, {rows, 4}, y.data()), TensorView(ElementType::f32, {}, &sum)};
  BIFOCAL_RETURN_IF_ERROR(session.run("layer", {&in, 1}, out));
  y.push_back(sum);
  return y;
}

} // namespace bifocal::test
#endif
