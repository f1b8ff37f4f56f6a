// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Parameters.h"
#include "frontend/Spec.h"
#include "test/Fuzz/Fuzz.h"

using namespace bifocal;
using namespace bifocal::fuzz;

/// A spec that is accepted is printed, read back and printed to the same text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const Result<Spec> spec = parseSpec(textOf(data, size), "fuzz.toml");
  if (!spec.ok()) {
    expectReason(spec.status());
    expect(spec.status().message().starts_with("fuzz.toml:"), "problems of a spec have a place");
    return 0;
  }
  expect(countTrained(listParameters(*spec)) > 0, "a model has parameters, and their number does not overflow");
  const std::string printed = printSpec(*spec);
  const Result<Spec> again = parseSpec(printed, "printed.toml");
  expect(again.ok(), "a printed spec is a spec");
  expect(printSpec(*again) == printed, "a printed spec says the same");
  return 0;
}
