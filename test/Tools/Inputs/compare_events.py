#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares what read_events.py printed with the JSON log of the same training: compare_events.py EVENTS LOG."""

import json
import math
import sys
from pathlib import Path

NAMES = {"loss": "loss", "ppl": "ppl", "learning_rate": "lr", "gradient_norm": "gnorm",
         "tokens_per_second": "tokens_per_second"}  # fmt: skip


def main() -> None:
    log = [json.loads(line) for line in Path(sys.argv[2]).read_text().splitlines()]
    log = [event for event in log if event["event"] != "checkpoint"]
    points = [line.split()[1:] for line in Path(sys.argv[1]).read_text().splitlines()]
    assert len(points) == len(log) > 0, (len(points), len(log))
    for (step, *scalars), event in zip(points, log, strict=True):
        assert int(step) == event["update"], (step, event)
        for scalar in scalars:
            tag, value = scalar.split("=")
            kind, name = tag.split("/")
            assert event["event"] == {"train": "update", "valid": "validation"}[kind], (tag, event)
            assert math.isclose(float(value), event[NAMES[name]], rel_tol=1e-5), (scalar, event)


if __name__ == "__main__":
    main()
