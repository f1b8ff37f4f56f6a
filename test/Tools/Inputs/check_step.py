#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs training steps with bench-step: check_step.py ARTIFACT OPTION...

Expects no heap allocation, and an arena as large as the formula that `bifocal inspect` prints gives for the largest batch.
"""

import json
import subprocess
import sys


def output(*command: str) -> dict:
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def ceildiv(a: int, b: int) -> int:
    return -(-a // b)


def roundup16(value: int) -> int:
    return ceildiv(value, 16) * 16


def main() -> None:
    artifact, *options = sys.argv[1:]
    step = output("bench-step", artifact, "--json", *options)
    entries = {entry["name"]: entry for entry in output("bifocal", "inspect", artifact, "--format", "json")["entries"]}
    formula = entries["train_step"]["peak_bytes"]
    expected = eval(formula, {"ceildiv": ceildiv, "roundup16": roundup16}, step["largest"])
    assert step["allocations"] == 0, step
    assert step["arena_bytes"] == expected > 0, f"{formula} = {expected}, but the arena has {step['arena_bytes']} bytes"
    assert step["families"] and step["loss_per_token"] > 0, step


if __name__ == "__main__":
    main()
