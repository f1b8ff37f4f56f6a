#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares bf16 with f32: check_precision.py reports MODEL... (MODEL.f32 and MODEL.bf16) | losses F32_LOG BF16_LOG."""

import json
import re
import sys
from pathlib import Path


def entries(path: str) -> dict[str, tuple[str, float]]:
    """Steps and KiB of the arena of every entry point in a report."""
    unit = {"B": 1 / 1024, "KiB": 1, "MiB": 1024}
    found = {}
    for part in Path(path).read_text().split("\n\n"):
        match = re.search(r"^(\w+)\n  peak .* = ([\d.]+) (\w+)\n(?:.*\n)*?  steps  (.*)$", part, re.M)
        if match:
            found[match[1]] = (match[4], float(match[2]) * unit[match[3]])
    return found


def compare_reports(model: str) -> None:
    wide, narrow = entries(f"{model}.f32"), entries(f"{model}.bf16")
    assert wide.keys() == narrow.keys() and "train_step" in wide, (model, wide.keys(), narrow.keys())
    for name, (steps, bytes_) in wide.items():
        narrow_steps, narrow_bytes = narrow[name]
        assert steps == narrow_steps, f"{model}, {name}: {steps} in f32, {narrow_steps} in bf16"
        # Logits of a slab and panels of products stay f32, and so does what a caller gets.
        most = 0.75 if name in ("train_step", "accumulate_gradients") else 1
        assert narrow_bytes <= most * bytes_, f"{model}, {name}: {bytes_} KiB in f32, {narrow_bytes} KiB in bf16"


def losses(path: str) -> list[float]:
    events = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return [event["loss"] for event in events if event["event"] == "update"]


def compare_losses(wide: list[float], narrow: list[float]) -> None:
    assert len(wide) == len(narrow) == 100, (len(wide), len(narrow))
    assert wide != narrow, "bf16 rounds"
    # A logit is off by about one rounding, 2^-8, and a loss is a mean of many; later losses differ as the weights do.
    assert abs(narrow[0] - wide[0]) <= 2**-9 * wide[0], (wide[0], narrow[0])
    for update, (a, b) in enumerate(zip(wide, narrow), 1):
        assert abs(a - b) <= 0.01 * a, f"update {update}: {a} in f32, {b} in bf16"
    assert narrow[-1] < 0.8 * narrow[0], "it learns"


def main() -> None:
    if sys.argv[1] == "reports":
        for model in sys.argv[2:]:
            compare_reports(model)
    else:
        compare_losses(losses(sys.argv[2]), losses(sys.argv[3]))


if __name__ == "__main__":
    main()
