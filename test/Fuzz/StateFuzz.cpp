// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/TrainingState.h"
#include "test/Fuzz/Fuzz.h"

using namespace bifocal;
using namespace bifocal::fuzz;

/// The training state in the metadata of a checkpoint. What is read can be written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const Result<TrainingState> state = TrainingState::parse(std::string(textOf(data, size)), "state");
  if (!state.ok()) {
    expectReason(state.status());
    return 0;
  }
  expect(state->cursor >= 0 && state->cursor < state->batches, "the cursor is in the epoch");
  const Result<TrainingState> again = TrainingState::parse(state->text(), "state");
  expect(again.ok() && again->text() == state->text(), "a state that was read can be written");
  return 0;
}
