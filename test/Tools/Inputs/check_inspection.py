#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks `bifocal inspect --format json` of tiny.toml against sizes counted by hand."""

import json
import math
import sys
from pathlib import Path

report = json.loads(Path(sys.argv[1]).read_text())
assert report["kind"] == "artifact"
trained = sum(math.prod(p["shape"]) for p in report["parameters"] if p["trained"])
layer = (32 * 16 + 32) + 2 * 3 + (16 * 16 + 16) + (128 * 16 + 128) + (16 * 128 + 16) + 2 * 32
cross = 4 * (16 * 16 + 16) + 32
assert report["trained_parameters"] == trained == 16 * 16 + layer + layer + cross, trained
assert [level["name"] for level in report["levels"]] == ["x86-64-v3"], report["levels"]
entries = {entry["name"]: entry for entry in report["entries"]}
names = {"train_step", "accumulate_gradients", "apply_gradients", "evaluate", "forward", "encode", "decode_step", "decode_candidates"}
assert set(entries) == names, set(entries)
for entry in entries.values():
    assert entry["steps"] == sum(entry["families"].values()) > 0, entry
assert "light_conv" in entries["forward"]["families"] and "gemm" in entries["forward"]["families"]
assert entries["train_step"]["steps"] > entries["evaluate"]["steps"]
assert {state["name"] for state in report["states"]} >= {"decoder.layers.0.conv.input", "source_mask"}, report["states"]
